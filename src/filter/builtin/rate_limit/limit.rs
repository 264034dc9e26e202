//! Whether a request is one too many: the generic cell rate algorithm, as a function of a bucket's state and the time.
//!
//! This is the virtual scheduling form of ITU-T I.371. Requests that keep to the rate exactly are due one interval after
//! another. A bucket holds nothing but the moment at which its next request is due; a request may come earlier than
//! that, by the tolerance. With a tolerance of `burst - 1` intervals this admits the same requests as a bucket of
//! `burst` tokens that is filled at the rate: in any time t at most `burst + rate × t`, and every one of a stream that
//! keeps to that (a property test compares both). Unlike a counter for each second, it has no border across which twice
//! as many would pass, and a bucket that is full again says nothing: it can be forgotten.

use crate::config::Rate;
use std::num::NonZeroU32;
use std::time::Duration;

/// A moment, or a span: so many ticks that a nanosecond has as many as the rate has requests. The interval between two
/// requests is then a whole number of ticks, and nothing is ever rounded.
pub(super) type Ticks = u128;

/// How many requests may come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// Of a nanosecond.
    ticks: Ticks,
    /// Between two requests, in the long run.
    interval: Ticks,
    /// How much earlier than it is due a request may come.
    tolerance: Ticks,
}

impl Limit {
    pub(super) fn new(rate: Rate, burst: NonZeroU32) -> Self {
        // A nanosecond has as many ticks as the unit has requests; so an interval has as many as the unit has nanoseconds.
        let interval = rate.per.length().as_nanos();
        Limit {
            ticks: rate.requests.get().into(),
            interval,
            tolerance: Ticks::from(burst.get() - 1) * interval,
        }
    }

    pub(super) fn ticks(&self, span: Duration) -> Ticks {
        span.as_nanos() * self.ticks
    }

    /// When the request after this one is due, if this one is admitted that comes `now` and is due at `due`.
    pub(super) fn admit(&self, due: Ticks, now: Ticks) -> Option<Ticks> {
        (self.wait(due, now) == 0).then(|| due.max(now) + self.interval)
    }

    /// How long after `now` the next request is admitted.
    pub(super) fn wait(&self, due: Ticks, now: Ticks) -> Ticks {
        due.saturating_sub(now + self.tolerance)
    }

    /// How many requests are admitted that come `now`.
    pub(super) fn available(&self, due: Ticks, now: Ticks) -> u128 {
        match (now + self.tolerance).checked_sub(due.max(now)) {
            Some(early) => early / self.interval + 1,
            None => 0,
        }
    }

    /// The time in which the rate has so many requests.
    pub(super) fn time_of(&self, requests: u128) -> Ticks {
        requests * self.interval
    }

    /// In whole seconds, rounded up.
    pub(super) fn seconds(&self, span: Ticks) -> u128 {
        span.div_ceil(Duration::from_secs(1).as_nanos() * self.ticks)
    }
}
