//! The backends an upstream has at this moment.
//!
//! Discovery publishes a [`Lineup`]; the selection, the health checks and the status read the current one. A backend that stays keeps its
//! state, because it is the same object in the old lineup and in the new.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::admission::Kind;
use super::backend::{Backend, Health};
use super::balance::Members;
use super::queue::Queue;
use super::sticky::Sessions;
use crate::config::{self, State};

/// Holds the current lineup of one upstream.
#[derive(Debug)]
pub(super) struct Roster {
    current: ArcSwap<Lineup>,
    /// Whether a backend must be found healthy before it gets its first request.
    checked: bool,
    /// Whose backends they are, where clients are kept on them.
    sticky: Option<(String, config::Sticky)>,
    queue: Option<Arc<Queue<Kind>>>,
}

impl Roster {
    /// Nobody yet, of an upstream that is configured like this.
    pub(super) fn of(config: &config::Upstream) -> Self {
        let sticky = config.sticky.clone();
        let queue = config.queue.as_ref().map(|queue| Queue::new(queue.size));
        Self {
            sticky: sticky.map(|sticky| (config.name.clone(), sticky)),
            queue: queue.map(Arc::new),
            ..Self::new(config.health_check.is_some())
        }
    }

    /// Nobody yet.
    pub(super) fn new(checked: bool) -> Self {
        Self {
            current: ArcSwap::from_pointee(Lineup::of(Vec::new())),
            checked,
            sticky: None,
            queue: None,
        }
    }

    /// Where requests wait for these backends.
    pub(super) fn queue(&self) -> Option<&Queue<Kind>> {
        self.queue.as_deref()
    }

    /// There may be room now at a backend, or for some who wait no hope any more: asks them. Call it when anything but a count has changed.
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
        let current = self.current.load();
        let unchanged = current.backends.len() == backends.len()
            && std::iter::zip(&current.backends, &backends).all(|(old, new)| Arc::ptr_eq(old, new));
        if unchanged {
            return;
        }
        let addresses = backends.iter().map(|backend| backend.address());
        let sticky = self.sticky.as_ref();
        let lineup = Lineup {
            sessions: sticky.map(|(upstream, sticky)| Sessions::new(sticky, upstream, addresses)),
            queue: self.queue.clone(),
            ..Lineup::of(backends)
        };
        for (index, backend) in lineup.backends.iter().enumerate() {
            if backend.health() == Health::Unknown {
                let health = if self.checked {
                    Health::Unknown
                } else {
                    Health::Up
                };
                lineup.set_health(index, health);
            }
        }
        self.current.store(Arc::new(lineup));
    }
}

/// The backends of one upstream, in the order of the file.
#[derive(Debug)]
pub(super) struct Lineup {
    pub(super) backends: Vec<Arc<Backend>>,
    /// The same, as the policies see them: same order, same indexes.
    pub(super) members: Members,
    by_address: HashMap<SocketAddr, usize>,
    /// Their cookies, where clients are kept on them.
    pub(super) sessions: Option<Sessions>,
    /// Where requests wait for them.
    pub(super) queue: Option<Arc<Queue<Kind>>>,
}

impl Lineup {
    fn of(backends: Vec<Arc<Backend>>) -> Self {
        let members = backends.iter().map(|backend| Arc::clone(backend.member()));
        Self {
            members: Members::new(members.collect()),
            by_address: std::iter::zip(backends.iter().map(|backend| backend.address()), 0..)
                .collect(),
            backends,
            sessions: None,
            queue: None,
        }
    }

    pub(super) fn find(&self, address: SocketAddr) -> Option<&Arc<Backend>> {
        self.entry(address).map(|(_, backend)| backend)
    }

    pub(super) fn entry(&self, address: SocketAddr) -> Option<(usize, &Arc<Backend>)> {
        let index = self.index(address)?;
        Some((index, self.backends.get(index)?))
    }

    pub(super) fn index(&self, address: SocketAddr) -> Option<usize> {
        self.by_address.get(&address).copied()
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
