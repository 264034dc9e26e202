//! When to ask.
//!
//! All backends of an upstream are asked at once, then again when the interval has passed since the last round began. Each change of health
//! is logged once, with the reason.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
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

    /// Asks every backend once, all at the same time; whether any changed its health. A verdict holds from the moment of its answer: a
    /// backend that is slow to answer does not hold up what the others say.
    pub async fn round(&mut self) -> bool {
        let asked = self.roster.lineup();
        let probe = &self.probe;
        let mut answers: FuturesUnordered<_> = asked
            .backends
            .iter()
            .map(|backend| backend.address())
            .map(|address| async move { (address, probe.check(&listed(address)).await) })
            .collect();

        let mut changed = false;
        while let Some((address, answer)) = answers.next().await {
            let streak = self.streaks.entry(address).or_insert_with(Streak::new);
            *streak = streak.after(
                answer.is_ok(),
                self.check.healthy_after,
                self.check.unhealthy_after,
            );
            // Discovery may have changed the lineup meanwhile: verdicts go to the backends that are there now.
            let lineup = self.roster.lineup();
            if let Some(backend) = lineup.find(address)
                && backend.health() != streak.health()
            {
                log_change(&self.upstream, backend, backend.health(), answer);
                self.roster.tell_health(address, streak.health());
                changed = true;
            }
        }
        let lineup = self.roster.lineup();
        self.streaks
            .retain(|address, _| lineup.index(*address).is_some());
        changed
    }
}

fn log_change(upstream: &str, backend: &Backend, before: Health, answer: pingora_core::Result<()>) {
    match answer {
        Err(error) => log::warn!(
            "upstream {upstream}: backend {backend} is down: {}",
            reason(&error)
        ),
        Ok(()) if before == Health::Unknown => {
            log::info!("upstream {upstream}: backend {backend} is up");
        }
        Ok(()) => log::info!("upstream {upstream}: backend {backend} is up again"),
    }
}

/// What a person is told of a failed check.
fn reason(error: &pingora_core::Error) -> String {
    use pingora_core::ErrorType::{
        ConnectRefused, ConnectTimedout, ConnectionClosed, ReadTimedout,
    };
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
