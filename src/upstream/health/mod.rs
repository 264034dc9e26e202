//! Active health checks: ask every backend, again and again, whether it can serve.
//!
//! - `state`: how many answers make a verdict, as a pure state machine
//! - `schedule`: whom to ask when, as a pure function of time and chance
//! - `probe`: one question to one backend; `http` and `grpc` are what is said once it is connected
//! - `reason`: why a check failed, in words
//! - `watch`: asks those that are due; one task for each upstream, all on the one background service
//!
//! Pingora's own health service knows neither a first check that decides at once, nor a time for each backend, nor a total time limit, so
//! the asking is ours. It connects over Pingora's connectors, and its verdicts are told to Pingora's `LoadBalancer`.

mod grpc;
mod http;
mod probe;
mod reason;
mod schedule;
mod state;
mod watch;

pub use probe::Connector;
use probe::{Answer, Permit, Probe};
use reason::Reason;
use schedule::Schedule;
use state::Streak;
pub use watch::Watch;
