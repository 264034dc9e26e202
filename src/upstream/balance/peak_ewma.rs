//! Latency × load, where a peak counts at once and is forgotten slowly.
//!
//! Source: Finagle's `PeakEwma` (twitter/finagle, "load balancing: peak EWMA"). The latency of a
//! member is a moving average that jumps up to a slower answer at once, and else moves by
//! 1 − e^(−t/10s), t being the time since the answer before. Of two members drawn by weight the one
//! with the lower latency × (in flight ÷ relative weight + 1) goes.
//!
//! Nobody starves: with no answers the average decays towards 0, so that a member whose answer took
//! L is below one that keeps at l after 10 s · ln(L/l), and is tried again: 92 s for 10 s against
//! 1 ms. One that has never answered is tried with one request, and counts as slow until it answers.
//! The averages belong to the members and survive reloads. A pick costs O(log n) and takes no lock.

use super::derived::Derived;
use super::lottery::Lotteries;
use super::{Members, Policy, Request};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// After so long without answers an average is down to 1/e.
const DECAY: Duration = Duration::from_secs(10);

/// What a request at a member that has never answered costs, in nanoseconds: more than any answer.
const UNKNOWN: f64 = 1e15;

/// The policy `peak_ewma`.
#[derive(Debug, Default)]
pub struct PeakEwma {
    lotteries: Derived<Lotteries>,
}

impl Policy for PeakEwma {
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        self.lotteries.read(
            members,
            |members, _| Lotteries::of(members),
            |lotteries| {
                let (first, second) = lotteries.draw_two(members, request)?;
                let (total, count) = lotteries.tier_of(first)?;
                let mean_weight = total as f64 / count as f64;
                let cost = |index| cost(members, index, mean_weight, request.now);
                Some(if cost(second) < cost(first) {
                    second
                } else {
                    first
                })
            },
        )
    }

    fn observe(&self, members: &Members, index: usize, latency: Duration, now: Duration) {
        if let Some(member) = members.member(index) {
            member.latency().observe(latency, now);
        }
    }

    /// Milliseconds that a request there is taken to cost.
    fn score(&self, members: &Members, index: usize, now: Duration) -> Option<f64> {
        let (total, count) = self.lotteries.read(
            members,
            |members, _| Lotteries::of(members),
            |lotteries| lotteries.tier_of(index),
        )?;
        Some(cost(members, index, total as f64 / count as f64, now) / 1e6)
    }

    fn is_by_chance(&self) -> bool {
        true
    }
}

fn cost(members: &Members, index: usize, mean_weight: f64, now: Duration) -> f64 {
    let Some(member) = members.member(index) else {
        return f64::INFINITY;
    };
    let load = f64::from(member.in_flight()) * mean_weight / f64::from(member.weight());
    match member.latency().at(now) {
        Some(latency) => latency * (load + 1.0),
        None if load > 0.0 => UNKNOWN * (load + 1.0),
        None => 0.0,
    }
}

/// The latency of one member, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Latency {
    /// The bits of the average as of `time`; those of 0 before the first answer.
    average: AtomicU64,
    time: AtomicU64,
}

impl Latency {
    fn observe(&self, latency: Duration, now: Duration) {
        let now = nanoseconds(now);
        let weight = decay(now.saturating_sub(self.time.fetch_max(now, Ordering::Relaxed)));
        // Never 0, which stands for no answer.
        let latency = nanoseconds(latency).max(1) as f64;
        let update = |bits| {
            let average = f64::from_bits(bits);
            let next = average * weight + latency * (1.0 - weight);
            Some(if latency > average { latency } else { next }.to_bits())
        };
        // Readers may see the new time with the old average: an estimate between the two.
        let _ = self
            .average
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
    }

    fn at(&self, now: Duration) -> Option<f64> {
        let average = f64::from_bits(self.average.load(Ordering::Relaxed));
        let elapsed = nanoseconds(now).saturating_sub(self.time.load(Ordering::Relaxed));
        (average > 0.0).then(|| average * decay(elapsed))
    }
}

fn decay(elapsed: u64) -> f64 {
    (-(elapsed as f64) / DECAY.as_nanos() as f64).exp()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
