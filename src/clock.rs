//! Where time comes from.
//!
//! Everything that decides by time (health states, rate-limited log lines, timelines of a request)
//! takes a [`Clock`] as an argument, so that a test moves time by hand instead of sleeping, and so
//! that a decision can be run again with the time at which it was made. There are two kinds of
//! time, and mixing them up is a classic fault: [`Clock::now`] never goes back and measures
//! intervals; [`Clock::wall`] says what a calendar says, may be set back by an operator or by NTP,
//! and is for people who read logs.
//!
//! This is the only file that may ask the system for the time; `clippy.toml` forbids it elsewhere.
//! A [`ManualClock`] does not move tokio's timers: a task that sleeps is tested on tokio's own
//! paused clock.

mod alarm;

pub use alarm::Alarm;

use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A source of time; cheap to ask, and shared by all threads.
pub trait Clock: Debug + Send + Sync {
    /// A moment that never lies before an earlier answer; good for intervals only.
    fn now(&self) -> Instant;

    /// The calendar's time, which may jump in both directions.
    fn wall(&self) -> SystemTime;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the system is asked"
    )]
    fn now(&self) -> Instant {
        Instant::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the system is asked"
    )]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock for tests: it stands still until it is told to [`advance`](ManualClock::advance).
#[derive(Debug)]
pub struct ManualClock {
    began: Instant,
    began_wall: SystemTime,
    elapsed: Mutex<Duration>,
}

impl ManualClock {
    /// A clock that stands at `wall`.
    pub fn at(wall: SystemTime) -> ManualClock {
        ManualClock {
            began: SystemClock.now(),
            began_wall: wall,
            elapsed: Mutex::new(Duration::ZERO),
        }
    }

    /// Moves both kinds of time forward.
    ///
    /// # Panics
    /// The next question panics if the sum of all steps is beyond what the system's time types can
    /// hold.
    pub fn advance(&self, step: Duration) {
        let mut elapsed = self.elapsed.lock().unwrap_or_else(PoisonError::into_inner);
        *elapsed = elapsed.saturating_add(step);
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    /// A clock that stands at the Unix epoch.
    fn default() -> ManualClock {
        ManualClock::at(SystemTime::UNIX_EPOCH)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.began + self.elapsed()
    }

    fn wall(&self) -> SystemTime {
        self.began_wall + self.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_clock_stands_still_until_it_is_advanced() {
        let clock = ManualClock::default();
        let (now, wall) = (clock.now(), clock.wall());
        assert_eq!((clock.now(), clock.wall()), (now, wall));

        clock.advance(Duration::from_secs(3));
        assert_eq!(clock.now() - now, Duration::from_secs(3));
        assert_eq!(clock.wall(), wall + Duration::from_secs(3));
    }

    #[test]
    fn the_manual_clock_starts_at_the_wall_time_it_was_given() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_378_391);
        assert_eq!(ManualClock::at(wall).wall(), wall);
    }

    #[test]
    fn the_system_clock_never_goes_back() {
        let earlier = SystemClock.now();
        assert!(SystemClock.now() >= earlier);
    }

    #[test]
    fn the_system_clock_knows_the_year() {
        let year_2026 = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
        assert!(SystemClock.wall() > year_2026);
    }
}
