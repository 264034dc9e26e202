//! When to ask.
//!
//! All backends of an upstream are asked at once, then again when the interval has passed since the last round began. Each change of health
//! is logged once, with the reason.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora_load_balancing::health_check::HealthCheck;

use super::{Connectors, Probe, Streak};
use crate::config;
use crate::upstream::discovery::listed;
use crate::upstream::roster::Roster;
use crate::upstream::{Backend, Health};

/// Asks every backend of one upstream, round after round.
pub struct Watch {
    upstream: String,
    check: config::HealthCheck,
    probe: Probe,
    roster: Arc<Roster>,
    streaks: HashMap<SocketAddr, Streak>,
}

impl Watch {
    /// A watch over the backends in `roster`; nothing is asked yet.
    pub(in crate::upstream) fn new(
        upstream: &str,
        check: config::HealthCheck,
        roster: Arc<Roster>,
        connectors: Arc<Connectors>,
    ) -> Self {
        Self {
            upstream: upstream.to_owned(),
            probe: Probe::new(check.clone(), connectors),
            check,
            roster,
            streaks: HashMap::new(),
        }
    }

    /// From the beginning of one round to that of the next.
    pub fn interval(&self) -> Duration {
        self.check.interval
    }

    /// Asks every backend once, all at the same time; whether any changed its health.
    pub async fn round(&mut self) -> bool {
        let asked = self.roster.lineup();
        let addresses = || asked.backends.iter().map(|backend| backend.address());
        let probe = &self.probe;
        let questions =
            addresses().map(|address| async move { probe.check(&listed(address)).await });
        let answers = futures::future::join_all(questions).await;

        // Discovery may have changed the lineup meanwhile: verdicts go to the backends that are there now.
        let lineup = self.roster.lineup();
        let mut changed = false;
        for (address, answer) in addresses().zip(answers) {
            let Some((index, backend)) = lineup.entry(address) else {
                continue;
            };
            let failure = answer.err().map(|error| reason(&error));
            if let Some(health) = self.judge(backend, failure) {
                lineup.set_health(index, health);
                changed = true;
            }
        }
        self.streaks
            .retain(|address, _| lineup.index(*address).is_some());
        changed
    }

    /// The backend's new health, if this answer changes it.
    fn judge(&mut self, backend: &Backend, failure: Option<String>) -> Option<Health> {
        let (healthy_after, unhealthy_after) =
            (self.check.healthy_after, self.check.unhealthy_after);
        let streak = self
            .streaks
            .entry(backend.address())
            .or_insert_with(Streak::new);
        *streak = streak.after(failure.is_none(), healthy_after, unhealthy_after);
        let (before, now) = (backend.health(), streak.health());
        if now == before {
            return None;
        }
        let upstream = &self.upstream;
        match (now, failure) {
            (Health::Down, Some(reason)) => {
                log::warn!("upstream {upstream}: backend {backend} is down: {reason}");
            }
            _ if before == Health::Unknown => {
                log::info!("upstream {upstream}: backend {backend} is up");
            }
            _ => log::info!("upstream {upstream}: backend {backend} is up again"),
        }
        Some(now)
    }
}

/// What a person is told of a failed check.
fn reason(error: &pingora_core::Error) -> String {
    use pingora_core::ErrorType::{ConnectRefused, ConnectTimedout, ConnectionClosed, ReadTimedout};
    let told = match (error.etype(), &error.context, &error.cause) {
        (ConnectRefused, _, _) => "it refused the connection",
        (ConnectTimedout, _, _) => "it did not accept the connection in time",
        (ConnectionClosed, _, _) => "it closed the connection without an answer",
        (ReadTimedout, _, _) => "it did not answer in time",
        (_, Some(context), _) => context.as_str(),
        (_, None, Some(cause)) => return cause.to_string(),
        (other, None, None) => other.as_str(),
    };
    told.to_owned()
}
