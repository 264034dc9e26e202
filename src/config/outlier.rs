//! `outlier`: backends that are taken out of the rotation for what requests met there.

use super::duration::{DAY, MILLISECOND};
use super::percent::Percent;
use super::section::section;
use std::time::Duration;

section! {
    /// When failed requests eject a backend, and for how long; `off` for never.
    #[derive(PartialEq, Eq)]
    pub struct Outlier {
        /// So many failed requests eject a backend, when they are at least half of its requests since the first of them.
        pub failures: u32 [1..=1000] = 5,
        /// The failed requests lie within this time.
        pub within: Duration [MILLISECOND..=DAY] = Duration::from_secs(30),
        /// How long the first ejection lasts. Each one that follows lasts twice as long, up to ten times this.
        pub eject: Duration [MILLISECOND..=DAY] = Duration::from_secs(10),
        /// So much of an upstream's backends may be ejected at a time, rounded down.
        pub max_ejected: Percent [0..=100] = Percent(50),
    }
}
