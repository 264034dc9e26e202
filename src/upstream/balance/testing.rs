//! Members, requests and randomness for the tests of the policies.

use super::{FULL_WEIGHT, Member, Members, Policy, Request};
use std::sync::Arc;
use std::time::Duration;

/// Primaries of whole weights; identities 1, 2, ….
pub(super) fn members(weights: &[u32]) -> Members {
    Members::new(
        weights
            .iter()
            .zip(1..)
            .map(|(&weight, identity)| Arc::new(Member::new(identity, weight * FULL_WEIGHT)))
            .collect(),
    )
}

/// A pick without a key at time 0.
pub(super) fn pick(
    policy: &(impl Policy + ?Sized),
    members: &Members,
    excluded: &[usize],
) -> Option<usize> {
    let mut random = Random(7);
    pick_at(policy, members, excluded, Duration::ZERO, &mut random)
}

pub(super) fn pick_at(
    policy: &(impl Policy + ?Sized),
    members: &Members,
    excluded: &[usize],
    now: Duration,
    random: &mut Random,
) -> Option<usize> {
    let mut request = Request {
        key: b"",
        now,
        random: &mut || random.next(),
        excluded,
    };
    policy.pick(members, &mut request)
}

/// SplitMix64 (Steele, Lea and Flood 2014): enough for tests, and the same at each run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
