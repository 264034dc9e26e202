//! A named group of backends that serve the same thing.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pingora_load_balancing::{Backends, LoadBalancer};

use super::backend::Backend;
use super::balance::Policy;
use super::discovery::Discovery;
use super::health::{Connectors, Verdicts, Watch};
use super::roster::Roster;
use super::selection::{InFlight, Parts, Selection};
use crate::clock::Clock;
use crate::config::{self, BackendAddress, Balance, State};
use crate::template::Template;

/// How often names are resolved again.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(10);

/// A named group of backends, the policy that chooses among them, and what is known of their health.
pub struct Upstream {
    config: config::Upstream,
    pub(super) roster: Arc<Roster>,
    pub(super) policy: Arc<dyn Policy>,
    balancer: LoadBalancer<Selection>,
    /// Requests in flight at all of its backends.
    pub(super) load: Arc<AtomicUsize>,
    /// Policies count time from here.
    epoch: Instant,
}

impl Upstream {
    /// An upstream without backends: the first [`Self::discover`] brings them. Nothing is contacted.
    pub fn new(config: config::Upstream, clock: &Arc<dyn Clock>) -> Self {
        let roster = Arc::new(Roster::of(&config));
        log_states(&config);
        let parts = Parts::new(&config.balance, Arc::clone(&roster), Arc::clone(clock));
        let epoch = parts.epoch;
        let policy = Arc::clone(&parts.policy);
        let discovery = Discovery::new(config.clone(), Arc::clone(&roster));
        let mut balancer = LoadBalancer::from_backends_with_config(
            Backends::new(Box::new(discovery)),
            Some(parts),
        );
        balancer.set_health_check(Box::new(Verdicts(Arc::clone(&roster))));
        Self {
            config,
            roster,
            policy,
            balancer,
            load: Arc::default(),
            epoch,
        }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Its backends, in the order of the file.
    pub fn backends(&self) -> Vec<Arc<Backend>> {
        self.roster.lineup().backends.clone()
    }

    /// What [`Self::pick`] needs to know of a request: the text that this stands for; none for most policies.
    pub fn key(&self) -> Option<&Template> {
        match &self.config.balance {
            Balance::Hash(hash) => Some(&hash.key.0),
            _ => None,
        }
    }

    /// The backend for the next attempt, counted from now on; `tried` tells which ones this request must not get again. `key` is what
    /// [`Self::key`] stands for, or empty.
    pub fn pick(&self, key: &[u8], tried: &dyn Fn(&Backend) -> bool) -> Option<InFlight> {
        let lineup = self.roster.lineup();
        let taken = RefCell::new(None);
        self.balancer
            .select_with(key, lineup.backends.len(), |listed, healthy| {
                let backend = listed
                    .addr
                    .as_inet()
                    .and_then(|address| lineup.find(*address));
                let Some(backend) = backend.filter(|backend| healthy && !tried(backend)) else {
                    return false;
                };
                let in_flight = InFlight::begin(backend, &lineup, &self.policy, &self.load);
                let is_taken = in_flight.is_some();
                taken.replace(in_flight);
                is_taken
            });
        taken.into_inner()
    }

    /// The cookie that keeps a client on its backend, if there is one.
    pub fn sticky(&self) -> Option<&config::Sticky> {
        self.config.sticky.as_ref()
    }

    /// Whether [`Self::pick`] could find a backend now, or after a wait where requests may wait.
    pub fn has_available(&self, tried: &dyn Fn(&Backend) -> bool) -> bool {
        let lineup = self.roster.lineup();
        let mut backends = lineup.backends.iter();
        backends.any(|backend| {
            let member = backend.member();
            let may_wait = self.config.queue.is_some();
            member.is_available() && (may_wait || !member.is_full()) && !tried(backend)
        })
    }

    /// The attempt got its answer's head `latency` after it began.
    pub fn answered(&self, attempt: &InFlight, latency: Duration, now: Instant) {
        attempt.observe(latency, now.saturating_duration_since(self.epoch));
    }

    /// The attempt failed `elapsed` after it began. It counts as an answer that took as long as the longest that is waited for, or a
    /// backend that fails at once would look like a fast one.
    pub fn failed(&self, attempt: &InFlight, elapsed: Duration, now: Instant) {
        self.answered(attempt, elapsed.max(self.config.timeouts.response), now);
    }

    /// Whether a connection that is opened now may be kept for later requests.
    ///
    /// Pingora's pool knows no limit for one upstream. Connections are only opened when no idle one is left, so those that are kept are at
    /// most as many as the requests that were in flight when they were opened.
    pub fn keeps_another_connection(&self) -> bool {
        self.load.load(Ordering::Relaxed) <= self.config.connections.keepalive
    }

    /// How the operator configured it.
    pub fn config(&self) -> &config::Upstream {
        &self.config
    }

    /// Finds the backends' addresses, once.
    pub async fn discover(&self) {
        // The discovery logs what it could not resolve, and never fails as a whole.
        let _ = self.balancer.update().await;
        self.roster.wake();
    }

    /// When to call [`Self::discover`] again, if ever.
    pub fn discovery_interval(&self) -> Option<Duration> {
        let mut backends = self.config.backends.iter();
        backends
            .any(|backend| matches!(backend.address, BackendAddress::Name { .. }))
            .then_some(RESOLVE_INTERVAL)
    }

    /// The watch over the backends' health, if they are checked.
    pub fn watch(&self, connectors: &Arc<Connectors>) -> Option<Watch> {
        let check = self.config.health_check.clone()?;
        let roster = Arc::clone(&self.roster);
        Some(Watch::new(
            self.name(),
            check,
            roster,
            Arc::clone(connectors),
        ))
    }

    /// Tells Pingora's load balancer what the watch has found.
    pub async fn publish_health(&self) {
        self.balancer.backends().run_health_check(false).await;
        self.roster.wake();
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Upstream")
            .field("name", &self.config.name)
            .field("roster", &self.roster)
            .finish_non_exhaustive()
    }
}

fn log_states(config: &config::Upstream) {
    let is = |state| move |backend: &&config::Backend| backend.state == state;
    let name = &config.name;
    let backends = || config.backends.iter();
    for backend in backends().filter(is(State::Draining)) {
        let address = &backend.address;
        match &config.sticky {
            Some(sticky) => log::info!(
                "upstream {name}: backend {address} is draining: it gets only requests whose cookie {} names it",
                sticky.cookie
            ),
            None => log::info!(
                "upstream {name}: backend {address} is draining: it gets no requests, since the upstream has no `sticky`"
            ),
        }
    }
    if !backends().any(|backend| backend.state == State::Active) {
        let answered = match &config.sticky {
            Some(_) if backends().any(|backend| backend.state == State::Draining) => {
                "every request without a session"
            }
            _ => "every request",
        };
        log::warn!("upstream {name}: no backend is active, so {answered} is answered 503");
    }
}
