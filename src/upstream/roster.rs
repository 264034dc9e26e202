//! The backends an upstream has at this moment.
//!
//! Discovery publishes a [`Lineup`]; the selection, the health checks and the status read the current one. A backend that stays keeps its
//! state, because it is the same object in the old lineup and in the new.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::address::{Address, ByAddress};
use super::admission::Kind;
use super::backend::{Backend, Health};
use super::balance::Members;
use super::heritage::Heritage;
use super::queue::Queue;
use super::recovery::NEVER;
use super::sticky::Sessions;
use crate::clock::Clock;
use crate::config::{self, Outlier, State};

/// Holds the current lineup of one upstream.
#[derive(Debug)]
pub(super) struct Roster {
    current: ArcSwap<Lineup>,
    pub(super) rules: Rules,
    pub(super) clock: Arc<dyn Clock>,
    /// Time is counted from here.
    pub(super) epoch: Instant,
    /// When an ejection or a step of a ramp is over next, in nanoseconds since `epoch`.
    pub(super) due: AtomicU64,
    /// Held by whoever changes what the policies see, so that changes come one after the other.
    pub(super) changing: Mutex<()>,
    has_changed: Notify,
    queue: Option<Arc<Queue<Kind>>>,
}

/// What the operator says about how backends leave and come back.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// The upstream's name, for the log.
    pub(super) upstream: String,
    /// Whether a backend must be found healthy before it gets its first request.
    pub(super) is_checked: bool,
    pub(super) outlier: Option<Outlier>,
    pub(super) slow_start: Option<Duration>,
    /// The cookie that keeps a client on its backend.
    pub(super) sticky: Option<config::Sticky>,
    /// How many requests may wait when all are full.
    pub(super) queue: Option<usize>,
}

impl Rules {
    pub(super) fn of(config: &config::Upstream) -> Self {
        Self {
            upstream: config.name.clone(),
            is_checked: config.health_check.is_some(),
            outlier: config.outlier.clone(),
            slow_start: config.slow_start.0,
            sticky: config.sticky.clone(),
            queue: config.queue.as_ref().map(|queue| queue.size),
        }
    }
}

impl Roster {
    /// Nobody yet but those of the upstream before, who are not taken for new when they are published.
    pub(super) fn new(rules: Rules, clock: Arc<dyn Clock>, heritage: &Heritage) -> Self {
        let former = heritage.lineup.as_ref();
        let former = former.map(|lineup| lineup.backends.clone());
        let queue = heritage.queue.clone();
        Self {
            current: ArcSwap::from_pointee(Lineup {
                is_former: true,
                ..Lineup::of(former.unwrap_or_default())
            }),
            queue: queue.or_else(|| rules.queue.map(|size| Arc::new(Queue::new(size)))),
            rules,
            epoch: clock.now(),
            clock,
            due: AtomicU64::new(NEVER),
            changing: Mutex::default(),
            has_changed: Notify::new(),
        }
    }

    /// Where requests wait for these backends.
    pub(super) fn queue(&self) -> Option<&Queue<Kind>> {
        self.queue.as_deref()
    }

    /// The same, for whoever comes after.
    pub(super) fn shared_queue(&self) -> Option<Arc<Queue<Kind>>> {
        self.queue.clone()
    }

    /// There may be room now at a backend, or for some who wait no hope any more: asks them. Call it when anything but a count has changed,
    /// and Pingora has been told: whoever is asked looks at once, and then rests until it is asked again.
    pub(super) fn wake(&self) {
        if let Some(queue) = &self.queue {
            queue.ask_all();
        }
    }

    pub(super) fn lineup(&self) -> Arc<Lineup> {
        self.current.load_full()
    }

    /// Makes `backends` the lineup, unless they are already.
    pub(super) fn publish(&self, backends: Vec<Arc<Backend>>) {
        let _alone = self.lock();
        let current = self.current.load();
        let unchanged = !current.is_former
            && current.backends.len() == backends.len()
            && std::iter::zip(&current.backends, &backends).all(|(old, new)| Arc::ptr_eq(old, new));
        if unchanged {
            return;
        }
        let is_first = current.backends.is_empty();
        let addresses = backends.iter().map(|backend| backend.address());
        let sticky = self.rules.sticky.as_ref();
        let sessions = sticky.map(|sticky| Sessions::new(sticky, &self.rules.upstream, addresses));
        let mut lineup = Lineup {
            sessions,
            queue: self.queue.clone(),
            ..Lineup::of(backends)
        };
        let leaving = current.backends.iter();
        let leaving = leaving.filter(|backend| lineup.index(backend.address()).is_none());
        if !current.is_former {
            lineup.leaving = leaving.cloned().collect();
        }
        for (index, backend) in lineup.backends.iter().enumerate() {
            if current.index(backend.address()).is_none() && !is_first {
                backend.join_late();
            }
            if backend.health() == Health::Unknown && !self.rules.is_checked {
                lineup.set_health(index, Health::Up);
                if backend.has_joined_late() {
                    self.welcome(&lineup, index, backend);
                }
            } else {
                lineup.set_health(index, backend.health());
            }
        }
        if current.is_former {
            self.take_over(&lineup);
        }
        self.current.store(Arc::new(lineup));
        self.has_changed.notify_one();
    }

    /// Waits for another lineup than the one there was when it last returned. For one caller only.
    pub(super) async fn changed(&self) {
        self.has_changed.notified().await;
    }
}

/// The backends of one upstream, in the order of the file.
#[derive(Debug)]
pub(super) struct Lineup {
    pub(super) backends: Vec<Arc<Backend>>,
    /// The same, as the policies see them: same order, same indexes.
    pub(super) members: Members,
    by_address: ByAddress<usize>,
    /// Their cookies, where clients are kept on them.
    pub(super) sessions: Option<Sessions>,
    /// Where requests wait for them.
    pub(super) queue: Option<Arc<Queue<Kind>>>,
    /// Those of the lineup before that are in this one no more.
    leaving: Vec<Arc<Backend>>,
    /// Nobody has published it: it is what the upstream before has left.
    pub(super) is_former: bool,
}

impl Lineup {
    fn of(backends: Vec<Arc<Backend>>) -> Self {
        let members = backends.iter().map(|backend| Arc::clone(backend.member()));
        Self {
            members: Members::new(members.collect()),
            by_address: std::iter::zip(
                backends.iter().map(|backend| backend.address().clone()),
                0..,
            )
            .collect(),
            backends,
            sessions: None,
            queue: None,
            leaving: Vec::new(),
            is_former: false,
        }
    }

    pub(super) fn find(&self, address: &Address) -> Option<&Arc<Backend>> {
        self.entry(address).map(|(_, backend)| backend)
    }

    /// A backend that a selection may still offer which was made before this lineup. Where all are replaced, such a selection offers nothing
    /// else, and a request that came a moment too late is better served by a backend that was good until then than by none.
    pub(super) fn find_leaving(&self, address: &Address) -> Option<&Arc<Backend>> {
        let mut leaving = self.leaving.iter();
        leaving.find(|backend| backend.address() == address && backend.health() == Health::Up)
    }

    /// As many backends as a selection can offer.
    pub(super) fn most_offered(&self) -> usize {
        self.backends.len() + self.leaving.len()
    }

    pub(super) fn entry(&self, address: &Address) -> Option<(usize, &Arc<Backend>)> {
        let index = self.index(address)?;
        Some((index, self.backends.get(index)?))
    }

    pub(super) fn index(&self, address: &Address) -> Option<usize> {
        self.by_address.get(address).copied()
    }

    /// Sets the health of the backend at `index`, and lets the policies know.
    pub(super) fn set_health(&self, index: usize, health: Health) {
        if let Some(backend) = self.backends.get(index) {
            backend.set_health(health);
            let takes_requests = health == Health::Up && backend.state() == State::Active;
            self.members.set_available(index, takes_requests);
        }
    }
}
