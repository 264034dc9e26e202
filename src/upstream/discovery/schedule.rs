//! When to ask for a name again.
//!
//! An answer holds for its time to live, but never longer than 10 s: Docker's DNS says 600 s of containers that move within one, and HAProxy
//! (`hold valid`) trusts no answer longer either. Nor shorter than 1 s: a TTL of 0 says that the answer must not be kept (RFC 1035 §3.2.1),
//! not that the server is to be asked without end. After a failure a name is asked for again soon, since it may have been one lost packet,
//! and then less and less often.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);

/// How long an answer with this TTL is trusted.
pub(super) fn after_answer(ttl: Duration) -> Duration {
    ttl.clamp(SHORTEST, LONGEST)
}

/// How long to wait when so many lookups in a row have failed.
pub(super) fn after_failure(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
    SHORTEST.saturating_mul(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_asked_for_again_when_its_time_to_live_is_over() {
        assert_eq!(after_answer(Duration::from_secs(5)), Duration::from_secs(5));
    }

    #[test]
    fn a_long_time_to_live_is_not_believed_beyond_ten_seconds() {
        assert_eq!(
            after_answer(Duration::from_secs(600)),
            Duration::from_secs(10)
        );
    }

    #[test]
    fn a_name_whose_answer_must_not_be_kept_is_asked_for_once_a_second() {
        assert_eq!(after_answer(Duration::ZERO), Duration::from_secs(1));
    }

    #[test]
    fn a_name_that_fails_is_asked_for_less_and_less_often() {
        let pauses = [1, 2, 3, 4, 5, 6].map(|failures| after_failure(failures).as_secs());
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
    }

    proptest! {
        /// Seen failing without `min` in the number of doublings (it overflows) and without the limits.
        #[test]
        fn no_pause_is_shorter_than_a_second_or_longer_than_ten(ttl in any::<u32>(), failures in any::<u32>()) {
            let pauses = [after_answer(Duration::from_secs(ttl.into())), after_failure(failures)];
            prop_assert!(pauses.iter().all(|pause| (SHORTEST..=LONGEST).contains(pause)));
        }

        #[test]
        fn one_more_failure_never_makes_the_pause_shorter(failures in 0..u32::MAX) {
            prop_assert!(after_failure(failures) <= after_failure(failures + 1));
        }
    }
}
