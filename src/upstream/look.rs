//! What an upstream would do with a request, without doing it.
//!
//! A copy of the policy is asked as for a request, or the policy itself where a pick changes nothing in it; so the traffic that goes on
//! meanwhile sees nothing of it. A policy of one's own that neither can be copied nor takes turns back is a few turns on.

use std::sync::Arc;
use std::time::Duration;

use super::admission::{Applicant, NotAdmitted, own};
use super::backend::{Backend, Health};
use super::balance::{Policy, Request};
use super::budget::Withdrawal;
use super::retry::{self, Decision, Failed};
use super::roster::Lineup;
use super::upstream::Upstream;
use crate::config::{Retry, Trigger};

/// What would become of a request.
#[derive(Debug)]
pub struct Look {
    /// Its backend.
    pub picked: Option<Arc<Backend>>,
    /// The one it would get when that one failed.
    pub next: Option<Arc<Backend>>,
    /// A cookie decides, and not the policy.
    pub is_session: bool,
    /// Chance decides: the next request may go elsewhere.
    pub is_by_chance: bool,
    /// Why there is none.
    pub refused: Option<NotAdmitted>,
    /// There is none now, and the request would wait for one.
    pub waits: bool,
    /// Every backend, in the order of the file, with what the policy compares; the lower the better.
    pub backends: Vec<(Arc<Backend>, Option<f64>)>,
}

impl Upstream {
    /// What [`Self::admit`] would say to the request, and what it would be told when its first attempt failed.
    pub fn look(&self, applicant: &Applicant<'_>) -> Look {
        self.roster.keep_up();
        let lineup = self.roster.lineup();
        let session = own(applicant, &lineup).filter(|backend| !backend.member().is_full());
        let tried = lineup.backends.iter().enumerate();
        let tried = tried.filter(|(_, backend)| (applicant.tried)(backend));
        let mut excluded: Vec<usize> = tried.map(|(index, _)| index).collect();
        let fork = self.policy.fork();
        let policy = fork.as_deref().unwrap_or(&*self.policy);
        let mut turns = Vec::new();
        let mut ask = |excluded: &[usize]| {
            let index = self.ask(policy, &lineup, applicant.key, excluded)?;
            turns.push(index);
            Some(index)
        };
        let of_session = session.as_ref();
        let of_session = of_session.and_then(|backend| lineup.index(backend.address()));
        let first = of_session.or_else(|| ask(&excluded));
        excluded.extend(first);
        let second = first.and_then(|_| ask(&excluded));
        for index in turns.into_iter().rev() {
            policy.hand_back(&lineup.members, index);
        }
        let is_hopeless = !lineup
            .backends
            .iter()
            .any(|backend| backend.member().is_available() && !(applicant.tried)(backend));
        let refused = match first {
            Some(_) => None,
            None if is_hopeless => Some(NotAdmitted::NoBackend),
            None if self.config().queue.is_some() => None,
            None => Some(NotAdmitted::AllFull),
        };
        let backend = |index: usize| lineup.backends.get(index).map(Arc::clone);
        Look {
            picked: first.and_then(backend),
            next: second.and_then(backend),
            is_session: session.is_some(),
            is_by_chance: session.is_none() && self.policy.is_by_chance(),
            waits: first.is_none() && refused.is_none(),
            refused,
            backends: self.scored(&lineup),
        }
    }

    fn ask(
        &self,
        policy: &dyn Policy,
        lineup: &Lineup,
        key: &[u8],
        excluded: &[usize],
    ) -> Option<usize> {
        policy.pick(
            &lineup.members,
            &mut Request {
                key,
                now: self.elapsed(),
                random: &mut || fastrand::u64(..),
                excluded,
            },
        )
    }

    fn scored(&self, lineup: &Lineup) -> Vec<(Arc<Backend>, Option<f64>)> {
        let backends = lineup.backends.iter().enumerate();
        backends
            .map(|(index, backend)| {
                let score = self.policy.score(&lineup.members, index, self.elapsed());
                (Arc::clone(backend), score)
            })
            .collect()
    }

    /// Whether an attempt that fails with `trigger` is made again, as [`Self::retry`] decides while the budget is not spent.
    pub fn would_retry(
        &self,
        trigger: Trigger,
        is_idempotent: bool,
        another_is_free: bool,
    ) -> Decision {
        let failed = Failed {
            trigger: Some(trigger),
            is_idempotent,
            body_is_whole: true,
            answer_has_begun: false,
            another_is_free,
            attempts: 1,
            elapsed: Duration::ZERO,
            is_stale: false,
            stale: 0,
        };
        let plan: Option<&Retry> = self.config().retry.as_ref();
        retry::decide(plan, &failed, || Withdrawal::Granted)
    }

    /// Takes every backend that was not checked yet for one that is up: for whoever asks without a proxy that runs.
    pub fn trust_unchecked(&self) {
        for backend in self.backends() {
            if backend.health() == Health::Unknown {
                self.roster.tell_health(backend.address(), Health::Up);
                self.publish_health(&backend, Health::Up);
            }
        }
    }
}

#[cfg(test)]
mod tests;
