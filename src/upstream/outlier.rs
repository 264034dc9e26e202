//! Passive health: what the requests themselves say of a backend.
//!
//! A backend is ejected when so many of its requests failed within so long, and these were at least half of all it was given since the
//! first of them. The second half of the rule keeps a busy backend that fails one request in a thousand; both halves hold at once for
//! failures in a row. Only failures cost anything: a request that went well leaves no trace here.
//!
//! Each ejection lasts twice as long as the one before, up to [`LONGEST`] times the first; a backend that then serves for as long as the
//! longest has its past forgotten. So in any time t a backend is ejected at most 5 + t / (5 × `eject`) times, however it flaps. A check
//! that finds a backend down counts as an ejection too, so that flapping between checks is damped in the same way; but the first
//! ejection ends as soon as the checks find the backend healthy again, as a restart is no flapping.
//!
//! Envoy's outlier detection is the model of the growing time, nginx's `max_fails` that of the counting.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::config::Outlier;

/// The longest ejection, in lengths of the first.
const LONGEST: u32 = 10;

/// What requests and checks have lately said of one backend.
#[derive(Debug, Default)]
pub(super) struct Conduct {
    /// The last failures: when, and how many requests the backend had been given by then.
    failures: VecDeque<(Instant, u64)>,
    /// Ejections that are not forgotten.
    ejections: u32,
    until: Option<Instant>,
    back_since: Option<Instant>,
}

impl Conduct {
    /// Notes a failed request, the backend having been given `requests` by now; whether it is to be ejected for that.
    pub(super) fn fail(&mut self, rule: &Outlier, now: Instant, requests: u64) -> bool {
        if self.is_ejected() {
            return false;
        }
        let most = rule.failures as usize;
        self.failures.push_back((now, requests));
        while self.failures.len() > most {
            self.failures.pop_front();
        }
        let Some(&(first, requests_then)) = self.failures.front() else {
            return false;
        };
        let given_since = requests.saturating_sub(requests_then) + 1;
        self.failures.len() == most
            && now.saturating_duration_since(first) <= rule.within
            && given_since <= 2 * u64::from(rule.failures)
    }

    /// Forgets the failures so far, which were not to lead to an ejection.
    pub(super) fn forgive(&mut self) {
        self.failures.clear();
    }

    /// Ejects the backend; for how long.
    pub(super) fn eject(&mut self, rule: &Outlier, now: Instant) -> Duration {
        let longest = rule.eject.saturating_mul(LONGEST);
        let is_forgotten = |back: Instant| now.saturating_duration_since(back) >= longest;
        if self.back_since.is_some_and(is_forgotten) {
            self.ejections = 0;
        }
        let hold = rule
            .eject
            .saturating_mul(1 << self.ejections.min(LONGEST))
            .min(longest);
        self.ejections = self.ejections.saturating_add(1);
        self.failures.clear();
        self.back_since = None;
        self.until = now.checked_add(hold);
        hold
    }

    pub(super) fn is_ejected(&self) -> bool {
        self.until.is_some()
    }

    /// When its ejection ends.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Ends an ejection whose time is over; whether there was one.
    pub(super) fn return_by(&mut self, now: Instant) -> bool {
        let over = self.until.filter(|until| *until <= now);
        if over.is_some() {
            self.until = None;
            self.back_since = over;
        }
        over.is_some()
    }

    /// The checks have found the backend healthy again, which ends its first ejection; how long a later one still lasts.
    pub(super) fn recover(&mut self, now: Instant) -> Option<Duration> {
        let until = self.until?;
        if self.ejections > 1 && until > now {
            return Some(until - now);
        }
        self.until = None;
        self.back_since = Some(now);
        None
    }
}

#[cfg(test)]
mod tests;
