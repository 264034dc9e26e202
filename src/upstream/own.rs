//! Policies of one's own: registered by a program, used as `balance: mine`.
//!
//! What such a policy decides is checked as a pick of the built-in ones is (see `selection`): an index that is out of
//! range, or of a backend that this request has tried, is passed over. A panic in `pick` goes through to whoever
//! asked, and costs that request. A panic in a method that only tells the policy something is logged and goes no
//! further: some of these run while a request is dropped, where a second panic would end the process.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::balance::{Members, Policy, Request};
use crate::config::{self, Refusal, Vocabulary, text_of_panic};

/// Makes the policy `name` known: `balance: name`, or `balance: { name: { … } }` with settings that `from_config` gets.
pub fn register<C: DeserializeOwned, P: Policy + 'static, E: Into<Refusal>>(
    vocabulary: &mut Vocabulary,
    name: &str,
    from_config: impl Fn(C) -> Result<P, E> + Send + Sync + 'static,
) {
    let label = name.to_owned();
    vocabulary.add_policy(name, move |settings| {
        let policy = from_config(settings).map_err(Into::into)?;
        let policy: Arc<dyn Policy> = Arc::new(Own {
            name: label.clone(),
            policy,
        });
        Ok(policy)
    });
}

/// The policy that was registered and configured.
pub(super) fn policy(own: &config::Own) -> Arc<dyn Policy> {
    let policy = own.part::<Arc<dyn Policy>>();
    Arc::clone(policy.expect("only `register` adds policies to a vocabulary"))
}

#[derive(Debug)]
struct Own<P> {
    name: String,
    policy: P,
}

impl<P: Policy> Policy for Own<P> {
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        self.policy.pick(members, request)
    }

    fn hand_back(&self, members: &Members, index: usize) {
        self.tell(|policy| policy.hand_back(members, index));
    }

    fn observe(&self, members: &Members, index: usize, latency: Duration, now: Duration) {
        self.tell(|policy| policy.observe(members, index, latency, now));
    }

    fn released(&self, members: &Members, index: usize) {
        self.tell(|policy| policy.released(members, index));
    }

    fn score(&self, members: &Members, index: usize, now: Duration) -> Option<f64> {
        self.policy.score(members, index, now)
    }

    fn fork(&self) -> Option<Box<dyn Policy>> {
        self.policy.fork()
    }

    fn is_by_chance(&self) -> bool {
        self.policy.is_by_chance()
    }
}

impl<P: Policy> Own<P> {
    fn tell(&self, what: impl FnOnce(&P)) {
        let told = catch_unwind(AssertUnwindSafe(|| what(&self.policy)));
        if let Err(panic) = told {
            self.log(&*panic);
        }
    }

    fn log(&self, panic: &(dyn Any + Send)) {
        log::error!("policy {} panicked: {}", self.name, text_of_panic(panic));
    }
}
