//! A policy, seen as Pingora's `BackendSelection`.
//!
//! Pingora's `LoadBalancer` asks an iterator for candidates until it is given one that it accepts. The policy's first answer is normally
//! taken; each time the iterator is asked again, the answer before was refused (tried by this request already, or just gone), so its turn
//! is given back to the policy and the next best is asked for.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::HeaderValue;
use pingora_load_balancing::Backend as Listed;
use pingora_load_balancing::selection::{BackendIter, BackendSelection};

use super::backend::Backend;
use super::balance::{Hash, LeastRequests, P2c, PeakEwma, Policy, Random, Request, RoundRobin};
use super::heritage::Heritage;
use super::own;
use super::roster::{Lineup, Roster, Rules};
use super::sticky::Token;
use crate::clock::Clock;
use crate::config;

/// What a selection is made from.
pub(super) struct Parts {
    pub(super) roster: Arc<Roster>,
    pub(super) policy: Arc<dyn Policy>,
    pub(super) clock: Arc<dyn Clock>,
    /// Policies count time from here.
    pub(super) epoch: Instant,
}

impl Parts {
    pub(super) fn new(
        balance: &config::Balance,
        roster: Arc<Roster>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let epoch = clock.now();
        Self {
            roster,
            policy: policy(balance),
            clock,
            epoch,
        }
    }

    /// The same, with a policy that has chosen for the upstream before.
    pub(super) fn going_on(
        (policy, epoch): &(Arc<dyn Policy>, Instant),
        roster: Arc<Roster>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            roster,
            policy: Arc::clone(policy),
            clock,
            epoch: *epoch,
        }
    }
}

fn policy(balance: &config::Balance) -> Arc<dyn Policy> {
    use config::Balance as B;
    match balance {
        B::RoundRobin => Arc::new(RoundRobin::default()),
        B::LeastRequests => Arc::new(LeastRequests::default()),
        B::PeakEwma => Arc::new(PeakEwma::default()),
        B::Random => Arc::new(Random::default()),
        B::P2c => Arc::new(P2c::default()),
        B::Hash(hash) => Arc::new(match hash.max_load {
            Some(config::MaxLoad(percent)) => Hash::bounded(percent),
            None => Hash::new(),
        }),
        B::Own(own) => own::policy(own),
    }
}

/// One lineup with the policy that chooses from it.
pub(super) struct Selection {
    lineup: Arc<Lineup>,
    /// The lineup as Pingora lists it: same order, same indexes.
    listed: Vec<Listed>,
    policy: Arc<dyn Policy>,
    clock: Arc<dyn Clock>,
    epoch: Instant,
}

impl BackendSelection for Selection {
    type Iter = Candidates;
    type Config = Parts;

    fn build_with_config(_: &BTreeSet<Listed>, parts: &Parts) -> Self {
        let lineup = parts.roster.lineup();
        Self {
            listed: lineup
                .backends
                .iter()
                .map(|backend| backend.listed())
                .collect(),
            lineup,
            policy: Arc::clone(&parts.policy),
            clock: Arc::clone(&parts.clock),
            epoch: parts.epoch,
        }
    }

    /// Pingora asks for this one only where no configuration was given, which is never the case here.
    fn build(backends: &BTreeSet<Listed>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock);
        let nobody = Heritage::default();
        let roster = Roster::new(Rules::default(), Arc::clone(&clock), &nobody);
        let parts = Parts::new(&config::Balance::RoundRobin, Arc::new(roster), clock);
        Self::build_with_config(backends, &parts)
    }

    fn iter(self: &Arc<Self>, key: &[u8]) -> Candidates {
        Candidates {
            selection: Arc::clone(self),
            key: key.to_vec(),
            refused: Vec::new(),
            last: None,
        }
    }
}

/// The backends for one request, best first.
pub(super) struct Candidates {
    selection: Arc<Selection>,
    key: Vec<u8>,
    refused: Vec<usize>,
    last: Option<usize>,
}

impl BackendIter for Candidates {
    fn next(&mut self) -> Option<&Listed> {
        let selection = &*self.selection;
        let members = &selection.lineup.members;
        if let Some(refused) = self.last.take() {
            selection.policy.hand_back(members, refused);
            self.refused.push(refused);
        }
        self.last = selection.policy.pick(
            members,
            &mut Request {
                key: &self.key,
                now: selection
                    .clock
                    .now()
                    .saturating_duration_since(selection.epoch),
                random: &mut || fastrand::u64(..),
                excluded: &self.refused,
            },
        );
        selection.listed.get(self.last?)
    }
}

/// One attempt in flight. Dropping it gives the count back, also when the client went away and the request was dropped midway.
pub struct InFlight {
    upstream_load: Arc<AtomicUsize>,
    lineup: Arc<Lineup>,
    policy: Arc<dyn Policy>,
    backend: Arc<Backend>,
    /// What keeps the client on this backend, if the client is to be told.
    cookie: Option<HeaderValue>,
}

impl InFlight {
    /// Counts an attempt at `backend`; `None` when it takes no more.
    pub(super) fn begin(
        backend: &Arc<Backend>,
        lineup: &Arc<Lineup>,
        policy: &Arc<dyn Policy>,
        upstream_load: &Arc<AtomicUsize>,
    ) -> Option<Self> {
        if !backend.member().begin() {
            return None;
        }
        backend.count_request();
        upstream_load.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            upstream_load: Arc::clone(upstream_load),
            lineup: Arc::clone(lineup),
            policy: Arc::clone(policy),
            backend: Arc::clone(backend),
            cookie: None,
        })
    }

    /// The same, for a client whose cookie holds `token`.
    pub(super) fn with_cookie(mut self, token: Option<Token>) -> Self {
        if let Some(sessions) = &self.lineup.sessions
            && let Some(index) = self.lineup.index(self.backend.address())
        {
            self.cookie = sessions.cookie(token, index);
        }
        self
    }

    /// `Set-Cookie` for the answer, if it needs one: the client is to come back to this backend.
    pub fn cookie(&self) -> Option<&HeaderValue> {
        self.cookie.as_ref()
    }

    /// The backend the attempt is made at.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// Tells the policy how long the backend took to answer, or to fail; `now` as the policy counts it.
    pub(super) fn observe(&self, latency: Duration, now: Duration) {
        if let Some(index) = self.lineup.index(self.backend.address()) {
            self.policy
                .observe(&self.lineup.members, index, latency, now);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.backend.member().end();
        self.upstream_load.fetch_sub(1, Ordering::Relaxed);
        if let Some(index) = self.lineup.index(self.backend.address()) {
            self.policy.released(&self.lineup.members, index);
        }
        // Last: whoever is woken finds all of the above done.
        if let Some(queue) = &self.lineup.queue {
            queue.wake();
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("InFlight")
            .field(&self.backend.label())
            .finish()
    }
}
