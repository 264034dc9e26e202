//! One route's requests, shared among several upstreams: for a canary, or to move from one version to the next.
//!
//! Without a key the shares are those of `round_robin`, from which no upstream is ever a whole request away. With a key the same key goes
//! the same way: its hash is a number from 0 to 1, and the weights, in the order of the file, cut that range into pieces. So with two
//! upstreams, a weight that grows moves only keys towards the one that grows. An upstream without a backend that can serve keeps its
//! share, as a canary that fails must be seen to fail.

use std::sync::Arc;
use std::time::Duration;

use super::Upstream;
use super::balance::{FULL_WEIGHT, Member, Members, Policy, Request, RoundRobin, hash_of};
use crate::template::Template;

/// Shares requests among upstreams.
#[derive(Debug)]
pub struct Split {
    ways: Vec<Arc<Upstream>>,
    members: Members,
    turns: RoundRobin,
    key: Option<Template>,
}

impl Split {
    /// Shares in proportion to the weights; those of weight 0 get nothing. Requests with the same `key` go the same way.
    pub fn new(ways: impl Iterator<Item = (Arc<Upstream>, u32)>, key: Option<Template>) -> Self {
        let (ways, members) = ways
            .filter(|(_, weight)| *weight > 0)
            .map(|(upstream, weight)| {
                let identity = hash_of(upstream.name().as_bytes());
                let member = Member::new(identity, weight.saturating_mul(FULL_WEIGHT));
                (upstream, Arc::new(member))
            })
            .unzip();
        Self {
            ways,
            members: Members::new(members),
            turns: RoundRobin::default(),
            key,
        }
    }

    /// The text that [`Self::choose`] needs to know of a request, if requests are told apart.
    pub fn key(&self) -> Option<&Template> {
        self.key.as_ref()
    }

    /// The upstream for the next request; `key` is what [`Self::key`] stands for, or empty. `None` only without any upstream.
    pub fn choose(&self, key: &[u8]) -> Option<&Arc<Upstream>> {
        self.ways.get(self.take_turn(key, &self.turns)?)
    }

    /// What [`Self::choose`] would answer now; nobody's turn is used up.
    pub fn look(&self, key: &[u8]) -> Option<&Arc<Upstream>> {
        let turns = self.turns.fork()?;
        self.ways.get(self.take_turn(key, &*turns)?)
    }

    fn take_turn(&self, key: &[u8], turns: &dyn Policy) -> Option<usize> {
        match self.key {
            Some(_) => self.way_of(hash_of(key)),
            None => turns.pick(
                &self.members,
                &mut Request {
                    key: &[],
                    now: Duration::ZERO,
                    random: &mut || 0,
                    excluded: &[],
                },
            ),
        }
    }

    fn way_of(&self, hash: u64) -> Option<usize> {
        let weight = |index| self.members.member(index).map_or(0, Member::weight);
        let total: u64 = (0..self.ways.len()).map(weight).map(u64::from).sum();
        let point = (u128::from(hash) * u128::from(total)) >> 64;
        let mut end = 0;
        (0..self.ways.len()).find(|index| {
            end += u128::from(weight(*index));
            point < end
        })
    }
}
