//! Who gets the request: an upstream's policies, one file each.
//!
//! A policy sees an upstream through [`Members`], a view without addresses, sockets or sessions, and
//! everything that changes from one request to the next comes in with the [`Request`]: key, time,
//! randomness, and the members that this request has tried already. So the proxy, `explain` and the
//! property tests run the same function.
//!
//! What is rare (health, weight, membership) bumps a generation, and a policy then rebuilds what it
//! derives from it; what is frequent (load, members at their limit, members tried) is looked at
//! during the pick. Backups are a second tier that is asked only when no primary can take the
//! request, and ejected members, primaries first, are the last: to use one of them is better than to
//! refuse a request. A policy keeps what it knows by identity, so one policy object outlives reloads.

mod chairman;
mod derived;
mod hash;
mod least_requests;
mod lottery;
mod members;
mod p2c;
mod peak_ewma;
mod random;
mod round_robin;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use hash::Hash;
pub(super) use hash::hash as hash_of;
pub use least_requests::LeastRequests;
pub use members::{FULL_WEIGHT, Member, Members, WEIGHT_LIMIT};
pub use p2c::P2c;
pub use peak_ewma::PeakEwma;
pub use random::Random;
pub use round_robin::RoundRobin;

use members::{Seen, Tier};
use std::fmt;
use std::time::Duration;

/// Chooses one of an upstream's members. Free of I/O; shared by all threads.
///
/// An index is always one into the `members` of the same call. A method that is given an index
/// outside of them does nothing.
pub trait Policy: Send + Sync + fmt::Debug {
    /// The member that is to take `request`, or `None` when none may.
    ///
    /// Never one that is unavailable, at its limit, or excluded by the request.
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize>;

    /// The caller did not use its last pick of `index`: gives the turn back.
    fn hand_back(&self, _members: &Members, _index: usize) {}

    /// An attempt at `index` got its answer's head after `latency`, or failed after it.
    fn observe(&self, _members: &Members, _index: usize, _latency: Duration, _now: Duration) {}

    /// The load of `index` went down: call it after [`Member::end`].
    fn released(&self, _members: &Members, _index: usize) {}

    /// What it compares members by, for whoever explains a pick: the lower the better. `None` when
    /// it compares nothing, but goes by turns, by chance alone or by a key.
    fn score(&self, _members: &Members, _index: usize, _now: Duration) -> Option<f64> {
        None
    }

    /// The same in the same state, to look ahead with: picks from it are nobody's turn. `None` when a
    /// pick changes nothing that [`Policy::hand_back`] does not bring back.
    fn fork(&self) -> Option<Box<dyn Policy>> {
        None
    }

    /// Whether chance has a say, so that the same question may be answered differently.
    fn is_by_chance(&self) -> bool {
        false
    }
}

/// What a pick depends on beside the members.
pub struct Request<'a> {
    /// What `hash` hashes; empty for the other policies.
    pub key: &'a [u8],
    /// Time since some fixed moment, which never goes backwards.
    pub now: Duration,
    /// Gives 64 random bits a call.
    pub random: &'a mut dyn FnMut() -> u64,
    /// Members that this request must not be given: tried already, or refused by the caller.
    pub excluded: &'a [usize],
}

impl Request<'_> {
    /// Whether the member at `index` can take this request: available, not full, and not excluded.
    #[must_use]
    pub fn allows(&self, members: &Members, index: usize) -> bool {
        members.member(index).is_some_and(Member::is_available)
            && self.standing(members, index) == Standing::Free
    }

    fn standing(&self, members: &Members, index: usize) -> Standing {
        if self.excluded.contains(&index) {
            Standing::Excluded
        } else if members.member(index).is_none_or(Member::is_full) {
            Standing::Full
        } else {
            Standing::Free
        }
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("key", &self.key)
            .field("now", &self.now)
            .field("excluded", &self.excluded)
            .finish_non_exhaustive()
    }
}

/// Whether an available member can take the request at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Free,
    /// It has as many requests as it may.
    Full,
    /// Not this request, but the next one.
    Excluded,
}
