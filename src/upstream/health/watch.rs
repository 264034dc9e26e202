//! Asks those that are due, and tells what came of it.
//!
//! One task for each upstream, which holds all of its checks under way at once. Each change of health is logged once, with the reason; a
//! failed check that changes nothing is only logged for whoever asks for it (level `debug`).

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep_until};

use super::{Answer, Connector, Permit, Probe, Reason, Schedule};
use crate::config;
use crate::upstream::address::Address;
use crate::upstream::roster::{Lineup, Roster};
use crate::upstream::{Backend, Health, Upstream};

/// That checks cannot be made is logged again after this long.
const REMINDER: Duration = Duration::from_secs(60);

/// Watches over the backends of one upstream.
pub struct Watch {
    upstream: Arc<Upstream>,
    roster: Arc<Roster>,
    /// The one that the schedule follows.
    lineup: Arc<Lineup>,
    check: config::HealthCheck,
    probe: Arc<Probe>,
    schedule: Schedule,
    /// The schedule counts time from here.
    began: Instant,
    asked: FuturesUnordered<BoxFuture<'static, Asked>>,
    /// When it was last logged that checks cannot be made.
    reminded: Option<Duration>,
}

/// A check that has ended.
struct Asked {
    address: Address,
    at: Duration,
    answer: Answer,
}

impl Watch {
    /// A watch over the backends in `roster`; nothing is asked yet.
    pub(in crate::upstream) fn new(
        upstream: Arc<Upstream>,
        roster: Arc<Roster>,
        check: config::HealthCheck,
        connector: Arc<Connector>,
    ) -> Self {
        let mut watch = Self {
            upstream,
            lineup: roster.lineup(),
            roster,
            probe: Arc::new(Probe::new(check.clone(), connector)),
            schedule: Schedule::new(&check),
            check,
            began: Instant::now(),
            asked: FuturesUnordered::new(),
            reminded: None,
        };
        watch.enlist();
        watch
    }

    /// Asks every backend once, all at the same time. A verdict holds from the moment of its answer: a backend that is slow to answer does
    /// not hold up what the others say.
    pub async fn ask_everybody(&mut self) {
        let start = self.now();
        loop {
            // Not those that become due again meanwhile.
            let is_anybody_left = self.schedule.next_due().is_some_and(|due| due <= start);
            tokio::select! {
                permit = self.probe.permit(), if is_anybody_left => self.ask_next(start, permit),
                Some(asked) = self.asked.next() => self.hear(asked),
                else => return,
            }
        }
    }

    /// Asks each backend whenever it is due, without end.
    pub async fn keep_asking(&mut self) {
        loop {
            self.follow();
            let now = self.now();
            while self.schedule.next_due().is_some_and(|due| due <= now) {
                self.ask_next(now, None);
            }
            let next = self.schedule.next_due().map(|due| self.began + due);
            tokio::select! {
                Some(asked) = self.asked.next() => self.hear(asked),
                () = self.roster.changed() => {}
                () = sleep_until(next.unwrap_or(self.began)), if next.is_some() => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Takes in what discovery may have changed.
    fn follow(&mut self) {
        let current = self.roster.lineup();
        if !Arc::ptr_eq(&self.lineup, &current) {
            self.lineup = current;
            self.enlist();
        }
    }

    fn enlist(&mut self) {
        let backends = self.lineup.backends.iter();
        let backends: Vec<_> = backends
            .map(|backend| (backend.address().clone(), backend.health()))
            .collect();
        self.schedule.follow(&backends, self.now());
    }

    /// Begins to ask the next one that is due by `by`, and keeps the `permit` until it has answered.
    fn ask_next(&mut self, by: Duration, permit: Option<Permit>) {
        let next = self.schedule.take_due(by);
        // The schedule knows those of this lineup, and no others.
        let Some(backend) = next.and_then(|address| self.lineup.find(&address).cloned()) else {
            return;
        };
        let (probe, at) = (Arc::clone(&self.probe), self.now());
        self.asked.push(Box::pin(async move {
            let answer = probe.ask(backend.peer()).await;
            drop(permit);
            Asked {
                address: backend.address().clone(),
                at,
                answer,
            }
        }));
    }

    fn hear(&mut self, asked: Asked) {
        // Verdicts go to the backends that are there now.
        self.follow();
        let Asked {
            address,
            at,
            answer,
        } = asked;
        let (now, random) = (self.now(), fastrand::u64(..));
        let failure = match answer {
            Answer::Good => None,
            Answer::Bad(reason) => Some(reason),
            Answer::Hindered(why) => {
                self.schedule.hindered(&address, at, random);
                return self.log_hindrance(&address, &why);
            }
        };
        let verdict = self
            .schedule
            .answered(&address, at, failure.is_none(), now, random);
        let (Some(health), Some(backend)) = (verdict, self.lineup.find(&address)) else {
            return;
        };
        let before = backend.health();
        if health != before {
            self.log_change(backend, before, failure.as_ref());
            self.roster.tell_health(&address, health);
            self.upstream.publish_health(backend, health);
        } else if let Some(reason) = failure {
            let name = self.upstream.name();
            log::debug!("upstream {name}: a check of backend {backend} failed: {reason}");
        }
    }

    fn log_change(&self, backend: &Backend, before: Health, failure: Option<&Reason>) {
        let name = self.upstream.name();
        let in_a_row = match (before, failure) {
            (Health::Unknown, _) => String::new(),
            (_, Some(_)) => in_a_row(self.check.unhealthy_after),
            (_, None) => in_a_row(self.check.healthy_after),
        };
        match failure {
            Some(reason) => {
                log::warn!("upstream {name}: backend {backend} is down: {reason}{in_a_row}");
            }
            None if before == Health::Unknown => {
                log::info!("upstream {name}: backend {backend} is up");
            }
            None => log::info!("upstream {name}: backend {backend} is up again{in_a_row}"),
        }
    }

    fn log_hindrance(&mut self, address: &Address, why: &str) {
        let now = self.now();
        if self.reminded.is_some_and(|last| now < last + REMINDER) {
            return;
        }
        if let Some(backend) = self.lineup.find(address) {
            self.reminded = Some(now);
            log::warn!(
                "upstream {}: backend {backend} cannot be checked: {why}; what is known of its health stands until it can",
                self.upstream.name()
            );
        }
    }
}

fn in_a_row(checks: u32) -> String {
    match checks {
        1 => String::new(),
        _ => format!(" ({checks} checks in a row)"),
    }
}

#[cfg(test)]
mod tests;
