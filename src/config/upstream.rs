//! `upstreams`: named groups of backends, and how they are spoken to.

use super::backend::{Backend, BackendEntry};
use super::collection::AtLeastOne;
use super::duration::{DAY, MILLISECOND};
use super::health_check::{HealthCheck, HealthCheckEntry};
use super::read::{Show, Word};
use super::schema;
use super::section::section;
use super::shorthand::Short;
use super::spot::Spot;
use super::word::{show_word, word_of};
use std::time::Duration;

/// A named group of backends that answer alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name in routes and logs.
    pub name: String,
    /// Its members, in file order; at least one.
    pub backends: Vec<Backend>,
    /// How a backend is picked for a request.
    pub balance: Balance,
    /// How it is found out which backends are alive; without it all are taken to be.
    pub health_check: Option<HealthCheck>,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// Connections that are kept for the next request.
    pub connections: Connections,
}

section! {
    /// A named group of backends that answer alike.
    pub(super) struct UpstreamEntry {
        /// Its members: `host:port`, or `{ address: host:port, weight: 2 }`.
        pub(super) backends: AtLeastOne<Spot<Short<BackendEntry>>>,
        /// How a backend is picked for a request: `round_robin` takes them in turn, in proportion to weight.
        pub(super) balance: Balance = Balance::RoundRobin,
        /// How it is found out which backends are alive; `off` takes all of them to be.
        pub(super) health_check: Short<Option<Spot<HealthCheckEntry>>>,
        /// How long each step towards a backend may take.
        pub(super) timeouts: Timeouts,
        /// Connections that are kept for the next request, shared by all threads.
        pub(super) connections: Connections,
    }
}

section! {
    /// How long each step towards a backend may take.
    #[derive(PartialEq, Eq)]
    pub struct Timeouts {
        /// To establish a connection.
        pub connect: Duration [MILLISECOND..=DAY] = Duration::from_secs(2),
        /// From the request to the first byte of the answer's header.
        pub response: Duration [MILLISECOND..=DAY] = Duration::from_secs(60),
        /// Between two reads of the answer's body.
        pub read: Duration [MILLISECOND..=DAY] = Duration::from_secs(60),
        /// Between two writes of the request's body.
        pub write: Duration [MILLISECOND..=DAY] = Duration::from_secs(60),
    }
}

section! {
    /// Connections that are kept for the next request.
    #[derive(PartialEq, Eq)]
    pub struct Connections {
        /// How long an unused connection is kept.
        pub idle: Duration [MILLISECOND..=DAY] = Duration::from_secs(60),
        /// How many unused connections are kept at most, over all backends and threads.
        pub keepalive: usize [1..=1_000_000] = 512,
    }
}

/// How a backend is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// In turn, in proportion to weight.
    RoundRobin,
}

const POLICIES: &[(&str, Balance)] = &[("round_robin", Balance::RoundRobin)];

/// Policies of the contract that are not built yet.
const LATER: [&str; 5] = ["least_requests", "peak_ewma", "random", "p2c", "hash"];

impl Word for Balance {
    const EXAMPLE: &'static str = "round_robin";

    fn parse(text: &str) -> Result<Self, String> {
        if LATER.contains(&text) {
            return Err(format!(
                "`{text}` is not built yet in this version; write `round_robin`"
            ));
        }
        word_of(text, POLICIES)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(POLICIES)
    }
}

impl Show for Balance {
    fn show(&self) -> serde_json::Value {
        show_word(self, POLICIES)
    }
}
