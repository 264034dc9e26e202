//! Turns in proportion to weights, as evenly spread as integers allow.
//!
//! Equal weights go round exactly. With weights, after any number of requests each of n members is
//! within 1 − 1/(2n−2) of its exact share, also as seen from all threads together; the smooth round
//! robin of nginx drifts past a whole request. The assignment is in [`chairman`](super::chairman),
//! with its source and what holds across changes. A pick costs O(log n) under a short lock.
//!
//! It does not look at load: slow backends get as many requests as fast ones.

use super::chairman::{Chairman, Entrant};
use super::{Members, Policy, Request, Seen, Standing, Tier};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The policy `round_robin`.
#[derive(Debug, Default)]
pub struct RoundRobin {
    state: Mutex<State>,
}

impl Policy for RoundRobin {
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        let mut state = self.lock();
        if !state.is_current(members) {
            state.follow(members);
        }
        let standing = |index| request.standing(members, index);
        std::iter::zip(&mut state.tiers, Tier::ALL).find_map(|(chairman, tier)| {
            let any_free = || {
                let mut tier = members.tier(tier);
                tier.any(|(index, _)| standing(index) == Standing::Free)
            };
            chairman.next(standing, any_free)
        })
    }

    fn hand_back(&self, members: &Members, index: usize) {
        let mut state = self.lock();
        if state.is_current(members) {
            let tiers = &mut state.tiers;
            tiers
                .iter_mut()
                .for_each(|chairman| chairman.take_back(index));
        }
    }

    fn fork(&self) -> Option<Box<dyn Policy>> {
        let state = Mutex::new(self.lock().clone());
        Some(Box::new(Self { state }))
    }
}

impl RoundRobin {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can at worst have lost a turn.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    seen: Option<Seen>,
    tiers: [Chairman; 4],
}

impl State {
    fn is_current(&self, members: &Members) -> bool {
        self.seen
            .as_ref()
            .is_some_and(|seen| seen.is_current(members))
    }

    fn follow(&mut self, members: &Members) {
        self.seen = Some(Seen::of(members));
        for (chairman, tier) in std::iter::zip(&mut self.tiers, Tier::ALL) {
            *chairman = Chairman::resume(chairman, entrants(members, tier));
        }
    }
}

fn entrants(members: &Members, tier: Tier) -> impl Iterator<Item = Entrant> {
    members.tier(tier).map(|(index, member)| Entrant {
        index,
        identity: member.identity(),
        weight: member.weight(),
    })
}

#[cfg(test)]
mod tests;
