//! The same key goes to the same member, as far as members stay.
//!
//! A Ketama ring (Karger et al., "Consistent hashing and random trees", STOC 1997; 160 points per
//! member as in libketama): a key belongs to the next point. Points depend on a member's identity
//! and weight only, so not on the order in the file, on siblings, or on the process. Unlike in
//! libketama, weights do not multiply points beyond bounds, nor move points of siblings: an eighth
//! of weight 1 is the unit, each binary digit of the weight has a ring of its own, and on the ring
//! of digit d distances count 1/2^d. The next point by that measure wins, as in weighted
//! rendezvous hashing, with 160 points per digit that is set.
//!
//! Hence removing a member moves only its keys; adding one to n equal ones moves keys only to it,
//! about 1/(n+1) of them (within a third of that, as 160 points spread by 8 %).
//!
//! With a bound of c (Mirrokni, Thorup and Zadimoghaddam, "Consistent hashing with bounded loads",
//! SODA 2018) no member takes a request that would lift it above c times its share of all requests
//! in flight, rounded up; the key then goes to the next point whose member may take it. Loads are
//! seen as in `least_requests`: exact when [`Policy::released`] is called.
//!
//! A pick costs O(log n). The first pick after a change merges the points of those who came or left,
//! O(n). Who knows a key can tell its member: hashing is no defence against chosen keys.

mod ring;
mod tally;

use super::derived::Derived;
use super::{Members, Policy, Request, Standing, Tier};
use ring::{Ring, mixed};
use std::num::NonZeroU32;
use tally::Tally;

/// After so many points the rest of the members is looked at one by one.
const POINTS: usize = 1_000;

/// The policy `hash`.
#[derive(Debug, Default)]
pub struct Hash {
    /// In percent of a member's share of the load.
    max_load: Option<NonZeroU32>,
    circles: Derived<[Circle; 4]>,
}

impl Hash {
    /// Without a bound on loads.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With members taking at most `percent` of their share of all requests in flight, rounded up.
    ///
    /// Values below 101 count as 101: a bound of the share itself would undo the hashing.
    #[must_use]
    pub fn bounded(percent: NonZeroU32) -> Self {
        Self {
            max_load: NonZeroU32::new(percent.get().max(101)),
            ..Self::default()
        }
    }
}

impl Policy for Hash {
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        let hash = hash(request.key);
        self.circles.read(members, Circle::all, |circles| {
            circles
                .iter()
                .find_map(|circle| circle.pick(members, request, hash, self.max_load))
        })
    }

    fn hand_back(&self, members: &Members, index: usize) {
        self.look(members, index);
    }

    fn released(&self, members: &Members, index: usize) {
        self.look(members, index);
    }
}

impl Hash {
    fn look(&self, members: &Members, index: usize) {
        let Some(member) = members.member(index) else {
            return;
        };
        // By identity: the request may have been picked before a reload.
        self.circles.peek(|_, circles| {
            for circle in circles {
                if let Some(slot) = circle.ring.slot(member.identity()) {
                    circle.tally.note(slot, member.in_flight());
                }
            }
        });
    }
}

/// The ring of one tier, and the loads of those on it.
#[derive(Debug)]
struct Circle {
    ring: Ring,
    tally: Tally,
}

impl Circle {
    fn all(members: &Members, former: Option<&[Self; 4]>) -> [Self; 4] {
        Tier::ALL.map(|tier| {
            let former = former.map(|circles| &circles[tier as usize].ring);
            Self {
                ring: Ring::resume(former, members.tier(tier)),
                tally: Tally::of(members.tier(tier).map(|(_, member)| member)),
            }
        })
    }

    fn pick(
        &self,
        members: &Members,
        request: &Request<'_>,
        hash: u64,
        max_load: Option<NonZeroU32>,
    ) -> Option<usize> {
        let bound = max_load.map(|percent| {
            self.tally.look_around(|slot| self.ring.load(members, slot));
            Bound {
                percent: u128::from(percent.get()),
                load: u128::from(self.tally.sum()) + 1,
                weight: u128::from(self.ring.weight()),
            }
        });
        let mut free = None;
        let within = |slot: usize| {
            let index = self.ring.index(slot)?;
            if request.standing(members, index) != Standing::Free {
                return None;
            }
            let member = members.member(index)?;
            let fits = bound
                .as_ref()
                .is_none_or(|b| b.fits(member.in_flight(), member.weight()));
            free = free.or(Some(slot));
            fits.then_some(slot)
        };
        let slot = self.ring.walk(hash).take(POINTS).find_map(within);
        let slot = slot
            .or_else(|| self.rest(members, request, hash, bound.as_ref()))
            .or(free)?;
        if bound.is_some() {
            // It is about to get the request.
            self.tally
                .note(slot, self.ring.load(members, slot).saturating_add(1));
        }
        self.ring.index(slot)
    }

    /// Of all that may take the request one that depends on the key, for when most may not.
    fn rest(
        &self,
        members: &Members,
        request: &Request<'_>,
        hash: u64,
        bound: Option<&Bound>,
    ) -> Option<usize> {
        let may = |slot: &usize| {
            let index = self.ring.index(*slot)?;
            let member = members.member(index)?;
            let fits = bound.is_none_or(|b| b.fits(member.in_flight(), member.weight()));
            (fits && request.standing(members, index) == Standing::Free)
                .then(|| mixed(member.identity() ^ hash))
        };
        (0..self.ring.len())
            .filter_map(|slot| Some((may(&slot)?, slot)))
            .min()
            .map(|(_, slot)| slot)
    }
}

/// How many requests a member may have: a percentage of its share of `load`.
#[derive(Debug)]
struct Bound {
    percent: u128,
    load: u128,
    weight: u128,
}

impl Bound {
    fn fits(&self, in_flight: u32, weight: u32) -> bool {
        let most =
            (self.percent * self.load * u128::from(weight)).div_ceil(100 * self.weight.max(1));
        u128::from(in_flight) < most
    }
}

/// FNV-1a (Fowler, Noll and Vo), mixed so that all bits count.
pub(in crate::upstream) fn hash(key: &[u8]) -> u64 {
    let fnv = key.iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    mixed(fnv)
}

#[cfg(test)]
mod tests;
