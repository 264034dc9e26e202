//! A named group of backends that serve the same thing.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use pingora_core::upstreams::peer::HttpPeer;
use pingora_load_balancing::{Backends, LoadBalancer};

use super::backend::{Backend, Health};
use super::balance::Policy;
use super::budget::{RetryBudget, Withdrawal};
use super::dial;
use super::discovery::{Discovery, Memory, Published, Resolver};
use super::health::{Connector, Watch};
use super::heritage::Heritage;
use super::http1::Idle;
use super::http2::{Pool, Terms};
use super::retry::{self, Decision, Failed};
use super::roster::{Lineup, Roster, Rules};
use super::selection::{InFlight, Parts, Selection};
use crate::clock::Clock;
use crate::config::{self, Balance, State};
use crate::semantics::proxy_protocol::{Behalf, write};
use crate::template::Template;

/// A named group of backends, the policy that chooses among them, and what is known of their health.
pub struct Upstream {
    config: config::Upstream,
    pub(super) roster: Arc<Roster>,
    pub(super) policy: Arc<dyn Policy>,
    discovery: Arc<Discovery>,
    balancer: LoadBalancer<Selection>,
    /// Requests in flight at all of its backends.
    pub(super) load: Arc<AtomicUsize>,
    budget: Option<RetryBudget>,
    /// Connections over HTTP/1 that are not in use.
    pub(super) idle: Idle,
    /// Connections over HTTP/2.
    pub(super) http2: Pool,
    /// Policies count time from here.
    epoch: Instant,
}

impl Upstream {
    /// An upstream without backends: the first [`Self::publish_backends`] brings them. Nothing is contacted.
    pub fn new(config: config::Upstream, clock: &Arc<dyn Clock>, resolver: &Arc<Resolver>) -> Self {
        Self::build(config, clock, resolver, Heritage::default())
    }

    /// The same, in place of `former`, which had its name in the configuration before: what is known of backends that stay goes on.
    #[must_use]
    pub fn in_place_of(
        former: &Self,
        config: config::Upstream,
        clock: &Arc<dyn Clock>,
        resolver: &Arc<Resolver>,
    ) -> Self {
        let heritage = Heritage::of(former, &config);
        Self::build(config, clock, resolver, heritage)
    }

    fn build(
        config: config::Upstream,
        clock: &Arc<dyn Clock>,
        resolver: &Arc<Resolver>,
        heritage: Heritage,
    ) -> Self {
        let roster = Roster::new(Rules::of(&config), Arc::clone(clock), &heritage);
        let roster = Arc::new(roster);
        log_states(&config);
        let parts = match &heritage.policy {
            Some(policy) => Parts::going_on(policy, Arc::clone(&roster), Arc::clone(clock)),
            None => Parts::new(&config.balance, Arc::clone(&roster), Arc::clone(clock)),
        };
        let epoch = parts.epoch;
        let policy = Arc::clone(&parts.policy);
        let discovery = Arc::new(Discovery::new(
            config.clone(),
            Arc::clone(&roster),
            Arc::clone(resolver),
            heritage,
        ));
        let balancer = LoadBalancer::from_backends_with_config(
            Backends::new(Box::new(Published(Arc::clone(&discovery)))),
            Some(parts),
        );
        let budget = config.retry.as_ref();
        let budget = budget.map(|retry| RetryBudget::new(retry.budget));
        let connections = &config.connections;
        let idle = Idle::new(connections.keepalive, clock);
        let terms = Terms {
            streams: connections.http2_streams,
            most_idle: connections.keepalive,
            idle: connections.idle,
        };
        let http2 = Pool::new(terms, clock);
        Self {
            config,
            roster,
            policy,
            discovery,
            balancer,
            load: Arc::default(),
            budget,
            idle,
            http2,
            epoch,
        }
    }

    /// Since policies began to count time.
    pub(super) fn elapsed(&self) -> Duration {
        let now = self.roster.clock.now();
        now.saturating_duration_since(self.epoch)
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
        self.roster.keep_up();
        let lineup = self.roster.lineup();
        self.pick_from(&lineup, key, tried).or_else(|| {
            // What was offered may belong to a lineup that was published in this very moment.
            let now = self.roster.lineup();
            let is_another = !Arc::ptr_eq(&lineup, &now);
            is_another.then(|| self.pick_from(&now, key, tried))?
        })
    }

    fn pick_from(
        &self,
        lineup: &Arc<Lineup>,
        key: &[u8],
        tried: &dyn Fn(&Backend) -> bool,
    ) -> Option<InFlight> {
        let taken = RefCell::new(None);
        self.balancer
            .select_with(key, lineup.most_offered(), |listed, healthy| {
                let address = &listed.addr;
                let present = lineup.find(address).filter(|_| healthy);
                let backend = present.or_else(|| lineup.find_leaving(address));
                let Some(backend) = backend.filter(|backend| !tried(backend)) else {
                    return false;
                };
                let in_flight = InFlight::begin(backend, lineup, &self.policy, &self.load);
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

    /// The attempt failed `elapsed` after it began; `cause` is what with.
    ///
    /// To the policy it is an answer that took as long as the longest that is waited for, or a backend that fails at once would look like
    /// a fast one.
    pub fn failed(
        &self,
        attempt: &InFlight,
        cause: &dyn fmt::Display,
        elapsed: Duration,
        now: Instant,
    ) {
        self.answered(attempt, elapsed.max(self.config.timeouts.response), now);
        let backend = attempt.backend();
        backend.count_failure();
        self.roster.note_failure(backend, cause);
    }

    /// Counts a request, of which retries may be a share.
    pub fn count_request(&self, now: Instant) {
        if let Some(budget) = &self.budget {
            budget.count_request(now.saturating_duration_since(self.epoch));
        }
    }

    /// Whether a failed attempt is made again. Only a [`Decision::Again`] takes from the retry budget.
    pub fn retry(&self, failed: &Failed, now: Instant) -> Decision {
        let withdraw = || match &self.budget {
            Some(budget) => budget.withdraw(now.saturating_duration_since(self.epoch)),
            None => Withdrawal::Refused { is_news: false },
        };
        retry::decide(self.config.retry.as_ref(), failed, withdraw)
    }

    /// How Pingora is to connect to `backend` for a request that comes from whom `behalf` says.
    pub(crate) fn peer(&self, backend: &Backend, behalf: impl FnOnce() -> Behalf) -> Box<HttpPeer> {
        let mut peer = Box::new(backend.peer().clone());
        if let Some(version) = self.config.proxy_protocol {
            dial::direct(&mut peer, backend.address(), write(version, &behalf()));
        }
        peer
    }

    /// How the operator configured it.
    pub fn config(&self) -> &config::Upstream {
        &self.config
    }

    /// The backends that are names, by their places in the file.
    pub fn names(&self) -> Vec<usize> {
        self.discovery.names()
    }

    /// Who chooses among the backends, and since when it counts time.
    pub(super) fn policy_in_use(&self) -> (Arc<dyn Policy>, Instant) {
        (Arc::clone(&self.policy), self.epoch)
    }

    /// What is known of the names.
    pub(super) fn memory(&self) -> Memory {
        self.discovery.memory()
    }

    /// Looks up one of [`Self::names`] and publishes what was found; how long until it is to be looked up again.
    pub async fn resolve(&self, name: usize) -> Duration {
        let lesson = self.discovery.resolve(name).await;
        self.publish_backends().await;
        // What the log says of a change is so by then.
        self.discovery.tell(name, &lesson);
        lesson.pause
    }

    /// Lets requests see the backends that are known now. For all upstreams this is done on one thread.
    pub async fn publish_backends(&self) {
        // It only fails where the discovery does, and that never does.
        let _ = self.balancer.update().await;
        self.roster.wake();
    }

    /// The watch over the backends' health, if they are checked.
    pub fn watch(self: &Arc<Self>, connector: &Arc<Connector>) -> Option<Watch> {
        let check = self.config.health_check.clone()?;
        let roster = Arc::clone(&self.roster);
        Some(Watch::new(
            Arc::clone(self),
            roster,
            check,
            Arc::clone(connector),
        ))
    }

    /// Tells Pingora's load balancer what the watch has found and the roster knows, and then those who wait. The switch is the one that
    /// Pingora has for an operator, one backend at a time: to run its own health check would walk through all of them for each change.
    pub(super) fn publish_health(&self, backend: &Backend, health: Health) {
        let backends = self.balancer.backends();
        backends.set_enable(&backend.listed(), health == Health::Up);
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
