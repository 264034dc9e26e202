//! Turns in proportion to weights, as evenly spread as integers allow.
//!
//! Equal weights go round exactly. With weights, after any number of requests each of n members is
//! within 1 − 1/(2n−2) of its exact share, also as seen from all threads together; the smooth round
//! robin of nginx drifts past a whole request. The assignment is in [`chairman`](super::chairman),
//! with its source and what holds across changes. A pick costs O(log n) under a short lock.
//!
//! It does not look at load: slow backends get as many requests as fast ones.

use super::chairman::{Chairman, Entrant};
use super::{Members, Policy, Request, Seen, Standing};
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
        let State {
            primaries, backups, ..
        } = &mut *state;
        [(primaries, false), (backups, true)]
            .into_iter()
            .find_map(|(chairman, backup)| {
                let any_free = || {
                    let mut tier = members.tier(backup);
                    tier.any(|(index, _)| standing(index) == Standing::Free)
                };
                chairman.next(standing, any_free)
            })
    }

    fn hand_back(&self, members: &Members, index: usize) {
        let mut state = self.lock();
        if state.is_current(members) {
            state.primaries.take_back(index);
            state.backups.take_back(index);
        }
    }
}

impl RoundRobin {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock can at worst have lost a turn.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    seen: Option<Seen>,
    primaries: Chairman,
    backups: Chairman,
}

impl State {
    fn is_current(&self, members: &Members) -> bool {
        self.seen
            .as_ref()
            .is_some_and(|seen| seen.is_current(members))
    }

    fn follow(&mut self, members: &Members) {
        self.seen = Some(Seen::of(members));
        self.primaries = Chairman::resume(&self.primaries, entrants(members, false));
        self.backups = Chairman::resume(&self.backups, entrants(members, true));
    }
}

fn entrants(members: &Members, backup: bool) -> impl Iterator<Item = Entrant> {
    members.tier(backup).map(|(index, member)| Entrant {
        index,
        identity: member.identity(),
        weight: member.weight(),
    })
}

#[cfg(test)]
mod tests;
