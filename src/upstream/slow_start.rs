//! How the weight of a backend that has come back grows.
//!
//! A process that has just started has cold caches and no connections; its full share at once can take it down again. So its weight goes
//! up in twentieths, from one to all of them, in equal steps over the time that `slow_start` says, as in nginx Plus and HAProxy. It never
//! goes down on the way. Backends that were there when the program started begin with their full weight: nothing is known of them, and
//! they share the load from the first request.

use std::time::Duration;

/// The whole weight.
pub(super) const STEPS: u32 = 20;

/// How many of the [`STEPS`] a backend has that came back so long ago; 1 to all.
pub(super) fn steps(elapsed: Duration, ramp: Duration) -> u32 {
    let elapsed = elapsed.as_nanos().saturating_mul(u128::from(STEPS));
    let steps = elapsed.checked_div(ramp.as_nanos()).unwrap_or(u128::MAX);
    u32::try_from(steps).unwrap_or(STEPS).clamp(1, STEPS)
}

/// How long after its return a backend gets the step after `steps`.
pub(super) fn next_step(steps: u32, ramp: Duration) -> Duration {
    // Rounded up, so that the step has come when its time has.
    let nanoseconds = (ramp.as_nanos() * u128::from(steps + 1)).div_ceil(u128::from(STEPS));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// So many steps of a weight; at least 1.
pub(super) fn weight(full: u32, steps: u32) -> u32 {
    let weight = u64::from(full) * u64::from(steps) / u64::from(STEPS);
    u32::try_from(weight).unwrap_or(full).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_weight_grows_from_a_twentieth_to_the_whole() {
        let ramp = Duration::from_secs(20);
        let at = |seconds| weight(1_000, steps(Duration::from_secs(seconds), ramp));
        assert_eq!(at(0), 50);
        assert_eq!(at(10), 500);
        assert_eq!(at(20), 1_000);
        assert_eq!(at(1_000), 1_000);
    }

    proptest! {
        /// Seen failing with `steps` from 0, and with `next_step` rounded down.
        #[test]
        fn a_weight_never_shrinks_on_its_way_to_the_whole(
            full in 1..=1_000_000_u32, ramp in 1_000_000..=86_400_000_000_000_u64,
            moments in prop::collection::vec(0..=86_400_000_000_000_u64, 1..50)
        ) {
            let ramp = Duration::from_nanos(ramp);
            let mut moments: Vec<_> = moments.into_iter().map(Duration::from_nanos).collect();
            moments.sort_unstable();
            let mut before = 1;
            for moment in moments {
                let steps = steps(moment, ramp);
                let now = weight(full, steps);
                prop_assert!((before..=full).contains(&now));
                prop_assert!(moment < ramp || now == full);
                if steps < STEPS {
                    let next = next_step(steps, ramp);
                    prop_assert!(next > moment && super::steps(next, ramp) == steps + 1);
                }
                before = now;
            }
        }
    }
}
