//! How many requests may be sent to a second backend.
//!
//! When many backends fail, each request that is tried again is one more request for those that are left, and retries make an outage out
//! of a bad minute. So those that a backend may have seen are tried again only while retries are at most a share of the requests of the
//! last [`WINDOW`] seconds, and a fixed [`RESERVE`], without which an upstream with little traffic could never try again. The idea is
//! Finagle's `RetryBudget`; the window is exact here, a ring of counts for each second.
//!
//! A connection that could not be made is outside of the budget: no backend has seen the request, so it adds no load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::config::Percent;

/// In seconds.
const WINDOW: usize = 10;

/// So many retries in [`WINDOW`] are free.
const RESERVE: u64 = 100;

/// Counts requests and retries of one upstream.
#[derive(Debug)]
pub(super) struct RetryBudget {
    share: Percent,
    requests: [Count; WINDOW],
    retries: Mutex<Retries>,
}

#[derive(Debug, Default)]
struct Retries {
    counts: [Count; WINDOW],
    /// The second in which the budget was last found to be spent.
    spent: Option<u64>,
}

/// What became of a wish to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Withdrawal {
    /// It is granted, and counted.
    Granted,
    /// The budget is spent; `is_news` when that was not so within the window before.
    Refused { is_news: bool },
}

impl RetryBudget {
    pub(super) fn new(share: Percent) -> Self {
        Self {
            share,
            requests: Default::default(),
            retries: Mutex::default(),
        }
    }

    /// Counts a request; `now` is the time since some fixed moment.
    pub(super) fn count_request(&self, now: Duration) {
        add(&self.requests, now.as_secs());
    }

    /// Asks for one retry.
    pub(super) fn withdraw(&self, now: Duration) -> Withdrawal {
        let second = now.as_secs();
        let mut retries = self.retries.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = RESERVE + self.share.of(sum(&self.requests, second));
        if sum(&retries.counts, second) < allowed {
            add(&retries.counts, second);
            return Withdrawal::Granted;
        }
        let is_news = retries
            .spent
            .is_none_or(|spent| second.saturating_sub(spent) > WINDOW as u64);
        retries.spent = Some(second);
        Withdrawal::Refused { is_news }
    }
}

/// The number of a second, and how often something happened in it, in one word: the lower 32 bits are the count.
type Count = AtomicU64;

fn add(counts: &[Count; WINDOW], second: u64) {
    let Some(count) = counts.get(second as usize % WINDOW) else {
        return;
    };
    let stamp = second << 32;
    let add = |found: u64| match found & !u64::from(u32::MAX) {
        // The clock of another thread is ahead: its second counts.
        later if later > stamp => Some(found + 1),
        same if same == stamp => Some(found + 1),
        _ => Some(stamp | 1),
    };
    let _ = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
}

fn sum(counts: &[Count; WINDOW], second: u64) -> u64 {
    let is_recent = |of: u64| second.saturating_sub(of) < WINDOW as u64;
    counts
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .filter(|found| is_recent(found >> 32))
        .map(|found| found & u64::from(u32::MAX))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[test]
    fn an_upstream_with_little_traffic_has_its_reserve() {
        let budget = RetryBudget::new(Percent(20));
        budget.count_request(at(0));
        let granted = (0..200).filter(|_| budget.withdraw(at(0)) == Withdrawal::Granted);
        assert_eq!(granted.count() as u64, RESERVE);
    }

    #[test]
    fn a_spent_budget_is_news_once() {
        let budget = RetryBudget::new(Percent(20));
        let refusals = |second| {
            let asked = (0..300).map(|_| budget.withdraw(at(second)));
            asked
                .filter(|withdrawal| *withdrawal == Withdrawal::Refused { is_news: true })
                .count()
        };
        assert_eq!((refusals(1), refusals(2), refusals(3)), (1, 0, 0));
        assert_eq!(refusals(30), 1);
    }

    proptest! {
        /// Seen failing with a window that forgets its retries early, and with `<=` in place of `<`.
        #[test]
        fn retries_are_never_more_than_their_share_of_the_last_seconds(
            steps in prop::collection::vec((0..4_u64, 0..400_u64, 0..400_u64), 1..40), share in 1..=100_u32
        ) {
            let budget = RetryBudget::new(Percent(share));
            let (mut second, mut history) = (0, Vec::new());
            for (pause, requests, wishes) in steps {
                second += pause;
                (0..requests).for_each(|_| budget.count_request(at(second)));
                let granted = (0..wishes).filter(|_| budget.withdraw(at(second)) == Withdrawal::Granted).count() as u64;
                history.push((second, requests, granted));
                let recent = || history.iter().filter(|(then, ..)| second - then < WINDOW as u64);
                let (requests, retries) = (recent().map(|(_, r, _)| r).sum::<u64>(), recent().map(|(.., g)| g).sum::<u64>());
                let allowed = RESERVE + requests * u64::from(share) / 100;
                // Requests go out of the window as retries do, so what was granted earlier may be more than would be now.
                prop_assert!(granted == 0 || retries <= allowed, "{retries} of {requests}");
                // And none is refused that could be granted.
                prop_assert!(granted == wishes || retries >= allowed);
            }
        }
    }

    #[test]
    fn eight_threads_at_once_are_counted_exactly() {
        let budget = RetryBudget::new(Percent(50));
        let granted = std::thread::scope(|scope| {
            let ask = || {
                (0..1_000).for_each(|_| budget.count_request(at(7)));
                (0..1_000)
                    .filter(|_| budget.withdraw(at(7)) == Withdrawal::Granted)
                    .count()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum::<usize>()
        });
        assert!(granted <= 8_000 / 2 + RESERVE as usize);
        assert_eq!(sum(&budget.requests, 7), 8_000);
        assert_eq!(
            sum(&budget.retries.lock().unwrap().counts, 7),
            granted as u64
        );
    }
}
