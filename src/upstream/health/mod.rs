//! Active health checks: ask every backend, again and again, whether it can serve.
//!
//! - `state`: how many answers make a verdict, as a pure state machine
//! - `probe`: one question to one backend, as Pingora's `HealthCheck`
//! - `watch`: when to ask; one task for each upstream, all on the one background service
//!
//! Pingora's own health service knows neither a first check that decides at once nor a total time limit, so the asking is ours. The verdict
//! is then published to Pingora's `LoadBalancer` through its `HealthCheck` trait ([`Verdicts`]), which is what takes a backend out of the
//! selection.

mod probe;
mod state;
mod watch;

pub use probe::Connectors;
use probe::Probe;
use state::Streak;
pub use watch::Watch;

use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::{Error, ErrorType};
use pingora_load_balancing::Backend as Listed;
use pingora_load_balancing::health_check::HealthCheck;

use super::backend::Health;
use super::roster::Roster;

/// What we know of each backend, told to Pingora's `LoadBalancer`. It asks no backend: that was done before.
pub(super) struct Verdicts(pub(super) Arc<Roster>);

#[async_trait]
impl HealthCheck for Verdicts {
    async fn check(&self, listed: &Listed) -> pingora_core::Result<()> {
        let lineup = self.0.lineup();
        let backend = listed
            .addr
            .as_inet()
            .and_then(|address| lineup.find(*address));
        match backend.map(|backend| backend.health()) {
            Some(Health::Up) => Ok(()),
            _ => Err(Error::new(ErrorType::Custom("NotHealthy"))),
        }
    }

    /// The thresholds were applied by [`Streak`].
    fn health_threshold(&self, _success: bool) -> usize {
        1
    }
}
