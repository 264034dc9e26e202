//! Whom to ask when, and what the answers have made of each.
//!
//! At the start everybody is due at once. Each backend's second check comes at a random moment of the interval that follows, and each later
//! one at most 10 % before the interval is over, so that checks are spread from the beginning and those that fell together part again. A
//! backend whose last answer spoke against its health is asked again after a tenth of the interval (50 ms at least, the interval at most)
//! until that is settled. No period is ever longer than the interval, and nobody is asked twice at a time, so with
//!
//! ```text
//! I = interval   t = timeout   n = unhealthy_after   b = a tenth of I, as above
//! ```
//!
//! a backend that died just after a good check is found down after at most
//!
//! ```text
//! refusing   I + (n - 1) * b                defaults: 5 s + 2 * 0.5 s = 6 s, within I + t = 7 s
//! hanging    I + (n - 1) * max(b, t) + t    defaults: 5 s + 2 * 2 s + 2 s = 11 s
//! ```
//!
//! Pure: time is what has passed since the watch began, and comes in as an argument, as chance does. It does not know what a check is.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::Streak;
use crate::config;
use crate::upstream::Health;
use crate::upstream::address::Address;

/// The backends of one upstream, each with the time of its next check.
pub(crate) struct Schedule {
    interval: Duration,
    healthy_after: u32,
    unhealthy_after: u32,
    turns: HashMap<Address, Turn>,
    /// Those that wait for a check, the next one first.
    waiting: BTreeSet<(Duration, Address)>,
}

struct Turn {
    streak: Streak,
    /// When it is asked next; `None` while it is being asked.
    due: Option<Duration>,
    /// It has not answered yet.
    is_new: bool,
    /// It left while it was being asked.
    is_gone: bool,
}

impl Schedule {
    pub(crate) fn new(check: &config::HealthCheck) -> Self {
        Self {
            interval: check.interval,
            healthy_after: check.healthy_after,
            unhealthy_after: check.unhealthy_after,
            turns: HashMap::new(),
            waiting: BTreeSet::new(),
        }
    }

    /// These are the backends now. New ones are due at once, and so is one that took another's address: its health is not known. Those that
    /// are not among them are forgotten.
    pub(crate) fn follow(&mut self, backends: &[(Address, Health)], now: Duration) {
        for turn in self.turns.values_mut() {
            turn.is_gone = true;
        }
        for (address, health) in backends {
            self.expect(address, *health, now);
        }
        let waiting = &mut self.waiting;
        self.turns.retain(|address, turn| match turn.due {
            Some(due) if turn.is_gone => !waiting.remove(&(due, address.clone())),
            _ => true,
        });
    }

    fn expect(&mut self, address: &Address, health: Health, now: Duration) {
        let fresh = Turn {
            streak: Streak::of(health),
            due: Some(now),
            is_new: true,
            is_gone: false,
        };
        let Some(turn) = self.turns.get_mut(address) else {
            self.turns.insert(address.clone(), fresh);
            self.waiting.insert((now, address.clone()));
            return;
        };
        turn.is_gone = false;
        if turn.streak.health() == health || health != Health::Unknown {
            return;
        }
        let Some(due) = turn.due else {
            // The answer that is on its way will do for it.
            *turn = Turn { due: None, ..fresh };
            return;
        };
        *turn = fresh;
        self.waiting.remove(&(due, address.clone()));
        self.waiting.insert((now, address.clone()));
    }

    /// The next one whose time has come by `now`, if any: it is being asked from here on.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<Address> {
        self.waiting.first().filter(|(due, _)| *due <= now)?;
        let (_, address) = self.waiting.pop_first()?;
        self.turns.get_mut(&address)?.due = None;
        Some(address)
    }

    /// When somebody is due next.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// The check that began at `asked` ended now: what is to be thought of the backend, unless it is gone.
    pub(crate) fn answered(
        &mut self,
        address: &Address,
        asked: Duration,
        success: bool,
        now: Duration,
        random: u64,
    ) -> Option<Health> {
        let (healthy_after, unhealthy_after) = (self.healthy_after, self.unhealthy_after);
        let turn = self.present(address)?;
        let streak = turn.streak.after(success, healthy_after, unhealthy_after);
        let was_new = std::mem::replace(&mut turn.is_new, false);
        turn.streak = streak;
        let pause = if was_new && !streak.is_changing() {
            phase(self.interval, random)
        } else {
            period(self.interval, streak.is_changing(), random)
        };
        self.wait(address, (asked + pause).max(now));
        Some(streak.health())
    }

    /// The check that was to begin at `asked` could not be made; it is tried again soon.
    pub(crate) fn hindered(&mut self, address: &Address, asked: Duration, random: u64) {
        if self.present(address).is_some() {
            self.wait(address, asked + period(self.interval, true, random));
        }
    }

    /// Whoever was being asked, unless it is gone: it is forgotten then.
    fn present(&mut self, address: &Address) -> Option<&mut Turn> {
        if self.turns.get(address)?.is_gone {
            self.turns.remove(address);
        }
        self.turns.get_mut(address)
    }

    fn wait(&mut self, address: &Address, due: Duration) {
        if let Some(turn) = self.turns.get_mut(address) {
            turn.due = Some(due);
            self.waiting.insert((due, address.clone()));
        }
    }
}

/// A backend that is changing is asked this many times as often.
const BRISKNESS: u32 = 10;

/// But not more often than this.
const BRISKEST: Duration = Duration::from_millis(50);

/// The largest part of a period that chance takes away.
const JITTER: f64 = 0.1;

/// From the start of one check to the start of the next.
fn period(interval: Duration, is_changing: bool, random: u64) -> Duration {
    let whole = if is_changing {
        (interval / BRISKNESS).max(BRISKEST).min(interval)
    } else {
        interval
    };
    whole - whole.mul_f64(JITTER * fraction(random))
}

/// From the start of the first check to the start of the second.
fn phase(interval: Duration, random: u64) -> Duration {
    interval.mul_f64(fraction(random))
}

/// From all numbers to those from 0 to just below 1. A double holds 53 bits exactly.
fn fraction(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
