//! Tijdeman's chairman assignment: turns in proportion to weights, none early, none late.
//!
//! Source: R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980). With n
//! seats of shares λ and e = 1/(2n−2), a seat with s turns may take turn t once t·λ − s ≥ e; of
//! those the one whose lag t·λ − s would be the first to pass 1 − e goes. Then every lag stays
//! within 1 − e at every moment, and no rule can promise less.
//!
//! At a change of seats or weights the seats that stay keep their lags, a seat that comes, or comes
//! back, starts with lag 0, and where seats left, the larger side of debts and credits is shrunk
//! until they cancel. A change can make deadlines clash. So of the seats whose lag did pass 1 − e
//! the largest lag goes first, as in the cup game (Bender, Farach-Colton and Kuszmaul, STOC 2019),
//! which without changes are the same turns. Hence, even with a change at each turn, no seat is ever
//! ahead by more than 1 − e, nor behind by more than 1 − e + 1/2 + … + 1/n, n (and e) being of the
//! most seats there were; no rule that forgives nothing can promise less than the order of ln n.
//! Where weights are and stay equal, turns go round exactly, also across changes.
//!
//! A seat that is full when its turn comes loses the turn, so that it has nothing to catch up with
//! in a burst; one that only this request cannot use keeps its lag, as far as 1 − e.
//!
//! All numbers are integers: a lag counts 1/(W·(2n−2)) turns, with W the sum of the weights.

use super::Standing;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

/// After so many turns the clock is set back to 0.
const REBASE_AFTER: i128 = 1 << 40;

/// After so many seats that cannot take the turn it is worth asking whether any can.
const PATIENCE: usize = 8;

/// Who takes part: the index of the member, its identity and its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entrant {
    pub(super) index: usize,
    pub(super) identity: u64,
    pub(super) weight: u32,
}

/// The state of one assignment.
#[derive(Clone, Debug, Default)]
pub(super) struct Chairman {
    /// In ascending order of `index`.
    seats: Vec<Seat>,
    /// Seats by the turn from which they may go.
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Seats that may go, by deadline.
    ready: BinaryHeap<Reverse<Ready>>,
    /// Seats that passed their deadline: none or one, except after changes.
    late: Vec<Late>,
    /// Seats passed over in the turn at hand.
    aside: Vec<(usize, Standing)>,
    clock: i128,
    /// The lag that one turn is.
    turn: i128,
    /// The lag from which a seat may go: e.
    start: i128,
    /// The lag that a deadline is at: 1 − e.
    limit: i128,
}

impl Chairman {
    /// An assignment that goes on where `former` stands.
    pub(super) fn resume(former: &Self, entrants: impl Iterator<Item = Entrant>) -> Self {
        let mut seats: Vec<Seat> = entrants.map(Seat::new).collect();
        let weights: i128 = seats.iter().map(|seat| seat.weight).sum();
        let step = i128::try_from(2 * seats.len()).map_or(1, |double| (double - 2).max(1));
        for seat in &mut seats {
            seat.pace = seat.weight * step;
        }
        let mut next = Self {
            turn: weights * step,
            start: weights,
            limit: weights * step - weights,
            waiting: BinaryHeap::with_capacity(2 * seats.len() + 1),
            ready: BinaryHeap::with_capacity(2 * seats.len() + 1),
            seats,
            ..Self::default()
        };
        next.carry_over(former);
        next.reseat_all();
        next
    }

    /// Gives the next turn to a seat that is free, and says whose member it is.
    ///
    /// Without one nothing changes. `any_free` is asked when several seats were not.
    pub(super) fn next(
        &mut self,
        standing: impl Fn(usize) -> Standing,
        any_free: impl Fn() -> bool,
    ) -> Option<usize> {
        if self.clock > REBASE_AFTER {
            self.rebase();
        }
        let before = self.clock;
        self.clock += 1;
        let chosen = self.seek(standing, any_free);
        match chosen {
            Some(seat) => {
                self.settle_aside(before);
                self.seats[seat].credit -= self.turn;
                self.wait(seat);
            }
            None => {
                self.clock = before;
                while let Some((seat, _)) = self.aside.pop() {
                    self.wait(seat);
                }
            }
        }
        chosen.map(|seat| self.seats[seat].index)
    }

    /// Takes back the last turn of the member at `index`.
    pub(super) fn take_back(&mut self, index: usize) {
        let Ok(seat) = self.seats.binary_search_by_key(&index, |seat| seat.index) else {
            return;
        };
        self.clock -= 1;
        self.seats[seat].credit += self.turn;
        self.wait(seat);
        if self.waiting.len() + self.ready.len() + self.late.len() > 2 * self.seats.len() {
            self.reseat_all();
        }
    }

    fn seek(
        &mut self,
        standing: impl Fn(usize) -> Standing,
        any_free: impl Fn() -> bool,
    ) -> Option<usize> {
        loop {
            self.move_on();
            let Some(seat) = self.most_late().or_else(|| self.earliest_deadline()) else {
                // Nobody may go yet: those who could have are set aside, so time moves on.
                self.clock = self.waiting.peek()?.0.from;
                continue;
            };
            match standing(self.seats[seat].index) {
                Standing::Free => return Some(seat),
                other => self.aside.push((seat, other)),
            }
            if self.aside.len() == PATIENCE && !any_free() {
                return None;
            }
        }
    }

    /// Moves on those who may go by now, and those whose deadline is over.
    ///
    /// Then the first in `waiting` and in `ready` are true entries.
    fn move_on(&mut self) {
        while let Some(Reverse(first)) = self.waiting.peek() {
            let Waiting { from, seat, stamp } = *first;
            let stale = self.is_stale(seat, stamp);
            if !stale && from > self.clock {
                break;
            }
            self.waiting.pop();
            if !stale {
                let Seat { credit, pace, .. } = self.seats[seat];
                self.ready.push(Reverse(Ready {
                    distance: self.limit - credit,
                    pace,
                    seat,
                    stamp,
                }));
            }
        }
        while let Some(Reverse(first)) = self.ready.peek() {
            let Ready { seat, stamp, .. } = *first;
            let stale = self.is_stale(seat, stamp);
            if !stale && self.lag(seat) <= self.limit {
                break;
            }
            self.ready.pop();
            if !stale {
                self.late.push(Late { seat, stamp });
            }
        }
    }

    fn most_late(&mut self) -> Option<usize> {
        let (seats, clock) = (&self.seats, self.clock);
        self.late
            .retain(|late| seats[late.seat].stamp == late.stamp);
        let most = (0..self.late.len()).max_by_key(|&position| {
            let seat = self.late[position].seat;
            (seats[seat].credit + clock * seats[seat].pace, Reverse(seat))
        })?;
        Some(self.late.swap_remove(most).seat)
    }

    fn earliest_deadline(&mut self) -> Option<usize> {
        while let Some(Reverse(Ready { seat, stamp, .. })) = self.ready.pop() {
            if self.is_stale(seat, stamp) {
                continue;
            }
            if self.lag(seat) >= self.start {
                return Some(seat);
            }
            // A turn was taken back since: it is early again.
            self.wait(seat);
        }
        None
    }

    fn settle_aside(&mut self, before: i128) {
        while let Some((seat, standing)) = self.aside.pop() {
            let lost = match standing {
                // What time moved on for others is not owed to it.
                Standing::Excluded => ((self.clock - before - 1) * self.seats[seat].pace)
                    .max(self.lag(seat) - self.limit),
                Standing::Full | Standing::Free => {
                    ((self.lag(seat) - self.start) / self.turn + 1) * self.turn
                }
            };
            self.seats[seat].credit -= lost;
            self.wait(seat);
        }
    }

    fn wait(&mut self, seat: usize) {
        let start = self.start;
        let Seat { credit, pace, .. } = self.seats[seat];
        let stamp = self.seats[seat].stamp.wrapping_add(1);
        self.seats[seat].stamp = stamp;
        self.waiting.push(Reverse(Waiting {
            from: ceiling(start - credit, pace),
            seat,
            stamp,
        }));
    }

    fn is_stale(&self, seat: usize, stamp: u64) -> bool {
        self.seats[seat].stamp != stamp
    }

    fn lag(&self, seat: usize) -> i128 {
        let Seat { credit, pace, .. } = self.seats[seat];
        credit + self.clock * pace
    }

    fn rebase(&mut self) {
        for seat in &mut self.seats {
            seat.credit += self.clock * seat.pace;
        }
        self.clock = 0;
        self.reseat_all();
    }

    fn reseat_all(&mut self) {
        self.waiting.clear();
        self.ready.clear();
        self.late.clear();
        for seat in 0..self.seats.len() {
            self.wait(seat);
        }
    }

    fn carry_over(&mut self, former: &Self) {
        let lags: HashMap<u64, i128> = (0..former.seats.len())
            .map(|seat| (former.seats[seat].identity, former.lag(seat)))
            .collect();
        for seat in &mut self.seats {
            let lag = lags.get(&seat.identity).copied().unwrap_or(0);
            seat.credit = lag * self.turn / former.turn.max(1);
        }
        balance(&mut self.seats);
    }
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    index: usize,
    identity: u64,
    weight: i128,
    /// What its lag grows by in a turn.
    pace: i128,
    /// Its lag when the clock stood at 0, less the turns that it has had since.
    credit: i128,
    /// That of its one true entry in a heap; others are stale.
    stamp: u64,
}

impl Seat {
    fn new(entrant: Entrant) -> Self {
        Self {
            index: entrant.index,
            identity: entrant.identity,
            weight: i128::from(entrant.weight),
            pace: 0,
            credit: 0,
            stamp: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    from: i128,
    seat: usize,
    stamp: u64,
}

/// Ordered by `distance / pace`: the time at which the lag passes the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ready {
    distance: i128,
    pace: i128,
    seat: usize,
    stamp: u64,
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.distance * other.pace)
            .cmp(&(other.distance * self.pace))
            .then_with(|| self.seat.cmp(&other.seat))
            .then_with(|| self.stamp.cmp(&other.stamp))
    }
}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Copy, Debug)]
struct Late {
    seat: usize,
    stamp: u64,
}

/// Shrinks the debts or the credits, whichever are more, until they cancel.
///
/// What rounding leaves over goes to the largest first, and among equals to those whose place in
/// the order it confirms: so no two seats change places, and none moves further from 0.
fn balance(seats: &mut [Seat]) {
    let side = |sign: i128| -> i128 { seats.iter().map(|s| (s.credit * sign).max(0)).sum() };
    let (debts, credits) = (side(1), side(-1));
    let kept = debts.min(credits);
    let whole = debts.max(credits);
    let sign = if debts > credits { 1 } else { -1 };
    let mut larger: Vec<&mut Seat> = seats
        .iter_mut()
        .filter(|seat| seat.credit * sign > 0)
        .collect();
    if sign < 0 {
        larger.reverse();
    }
    larger.sort_by_key(|seat| Reverse(seat.credit * sign));
    let mut left = kept;
    for seat in &mut larger {
        seat.credit = seat.credit * kept / whole;
        left -= seat.credit * sign;
    }
    for seat in larger {
        if left == 0 {
            break;
        }
        seat.credit += sign;
        left -= 1;
    }
}

fn ceiling(number: i128, divisor: i128) -> i128 {
    -(-number).div_euclid(divisor)
}

#[cfg(test)]
mod tests;
