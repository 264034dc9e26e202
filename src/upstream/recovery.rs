//! What becomes of a backend that fails: ejection, return, and the way back to its full weight.
//!
//! The rules are pure and stand in [`outlier`](super::outlier) and [`slow_start`](super::slow_start); here they are applied to the
//! backends of one upstream, and the policies are told. Nothing waits for the end of an ejection or for the next step of a ramp: the
//! roster knows when the next of them is due, and the first pick after that moment takes it. A pick without anything due pays one atomic
//! load.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::address::Address;
use super::backend::{Backend, Health};
use super::outlier::Conduct;
use super::roster::{Lineup, Roster};
use super::slow_start;
use crate::config::Outlier;

/// Nothing is due.
pub(super) const NEVER: u64 = u64::MAX;

/// What one backend has been through lately.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) conduct: Conduct,
    /// Since when its weight has been growing.
    ramp_since: Option<Instant>,
}

impl Roster {
    /// A request to `backend` has failed; `cause` is what with.
    pub(super) fn note_failure(&self, backend: &Backend, cause: &dyn std::fmt::Display) {
        let Some(rule) = &self.rules.outlier else {
            return;
        };
        let now = self.clock.now();
        let requests = backend.requests();
        if !backend.history().conduct.fail(rule, now, requests) {
            return;
        }
        let _alone = self.lock();
        let lineup = self.lineup();
        let Some(index) = lineup.index(backend.address()) else {
            return;
        };
        let mut history = backend.history();
        if history.conduct.is_ejected() {
            return;
        }
        if !has_room(&lineup, rule) {
            history.conduct.forgive();
            log::debug!(
                "upstream {}: backend {backend} fails, but outlier.max_ejected backends are ejected already",
                self.rules.upstream
            );
            return;
        }
        let hold = history.conduct.eject(rule, now);
        drop(history);
        log::warn!(
            "upstream {}: backend {backend} is ejected for {hold:?}: {} requests failed, the last one with {cause}",
            self.rules.upstream,
            rule.failures
        );
        self.settle(&lineup, index, backend, now);
        self.wake();
    }

    /// The checks have come to a verdict on the backend at `address`. Those who wait are asked by whoever tells Pingora as well.
    pub(super) fn tell_health(&self, address: &Address, health: Health) {
        let _alone = self.lock();
        let lineup = self.lineup();
        let Some((index, backend)) = lineup.entry(address) else {
            return;
        };
        let now = self.clock.now();
        let before = backend.health();
        lineup.set_health(index, health);
        let mut history = backend.history();
        match health {
            Health::Up if before != Health::Up => {
                if let Some(left) = history.conduct.recover(now) {
                    log::info!(
                        "upstream {}: backend {backend} stays ejected for {left:.0?}: it has failed again and again",
                        self.rules.upstream
                    );
                } else if before == Health::Down || backend.has_joined_late() {
                    history.ramp_since = Some(now);
                }
            }
            Health::Down if before == Health::Up => {
                if let Some(rule) = self.rules.outlier.as_ref()
                    && !history.conduct.is_ejected()
                {
                    history.conduct.eject(rule, now);
                }
            }
            _ => {}
        }
        drop(history);
        self.settle(&lineup, index, backend, now);
    }

    /// The backend at `index` has this weight and rank from now on; one whose weight is growing goes on to grow.
    pub(super) fn rank(&self, lineup: &Lineup, index: usize, thousandths: u32, backup: bool) {
        let Some(backend) = lineup.backends.get(index) else {
            return;
        };
        let _alone = self.lock();
        backend.set_full_weight(thousandths);
        lineup.members.set_backup(index, backup);
        self.settle(lineup, index, backend, self.clock.now());
    }

    /// A backend that has just been found begins with a small weight.
    pub(super) fn welcome(&self, lineup: &Lineup, index: usize, backend: &Backend) {
        let now = self.clock.now();
        backend.history().ramp_since = Some(now);
        self.settle(lineup, index, backend, now);
    }

    /// Begins to keep up with backends that another roster has kept up with until now: what they wait for is known there only. To be called
    /// by whoever holds the lock, before the lineup is the current one.
    pub(super) fn take_over(&self, lineup: &Lineup) {
        let now = self.clock.now();
        for (index, backend) in lineup.backends.iter().enumerate() {
            self.settle(lineup, index, backend, now);
        }
    }

    /// Takes the steps that are due by now, if there are any.
    pub(super) fn keep_up(&self) {
        let due = self.due.load(Ordering::Relaxed);
        if due == NEVER {
            return;
        }
        let now = self.clock.now();
        if now < self.moment(due) {
            return;
        }
        // Whoever has the lock is doing this, or something that comes before it.
        let Ok(_alone) = self.changing.try_lock() else {
            return;
        };
        self.due.store(NEVER, Ordering::Relaxed);
        let lineup = self.lineup();
        for (index, backend) in lineup.backends.iter().enumerate() {
            self.settle(&lineup, index, backend, now);
        }
        self.wake();
    }

    /// Brings one backend to where it should be by now, tells the policies, and remembers when to look again.
    fn settle(&self, lineup: &Lineup, index: usize, backend: &Backend, now: Instant) {
        let mut history = backend.history();
        if history.conduct.return_by(now) {
            history.ramp_since = Some(now);
            if backend.health() == Health::Up {
                log::info!(
                    "upstream {}: backend {backend} is back from its ejection",
                    self.rules.upstream
                );
            }
        }
        let next_step = self.ramp(lineup, index, backend, &mut history, now);
        let next = [history.conduct.until(), next_step]
            .into_iter()
            .flatten()
            .min();
        lineup
            .members
            .set_ejected(index, history.conduct.is_ejected());
        drop(history);
        if let Some(next) = next {
            let due = next.saturating_duration_since(self.epoch).as_nanos();
            let due = u64::try_from(due).unwrap_or(NEVER);
            self.due.fetch_min(due, Ordering::Relaxed);
        }
    }

    /// Gives a backend the weight it should have by now; when it gets more.
    fn ramp(
        &self,
        lineup: &Lineup,
        index: usize,
        backend: &Backend,
        history: &mut History,
        now: Instant,
    ) -> Option<Instant> {
        let growing = self.rules.slow_start.zip(history.ramp_since);
        let steps = growing.map_or(slow_start::STEPS, |(ramp, since)| {
            slow_start::steps(now.saturating_duration_since(since), ramp)
        });
        let weight = slow_start::weight(backend.full_weight(), steps);
        lineup.members.set_weight(index, weight);
        if steps == slow_start::STEPS {
            history.ramp_since = None;
            return None;
        }
        let (ramp, since) = growing?;
        since.checked_add(slow_start::next_step(steps, ramp))
    }

    fn moment(&self, due: u64) -> Instant {
        let since = Duration::from_nanos(due);
        self.epoch.checked_add(since).unwrap_or(self.epoch)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ()> {
        // What is guarded is that changes come one after the other; a panic leaves at worst one of them out.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether one more backend may be ejected. Those that the checks found down are out for that, and are not counted.
fn has_room(lineup: &Lineup, rule: &Outlier) -> bool {
    let all = lineup.backends.iter();
    let ejected =
        all.filter(|backend| backend.health() == Health::Up && backend.member().is_ejected());
    let most = rule.max_ejected.of(lineup.backends.len() as u64);
    (ejected.count() as u64) < most
}

#[cfg(test)]
mod tests;
