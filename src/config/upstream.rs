//! `upstreams`: named groups of backends, and how they are spoken to.

use super::backend::{Backend, BackendEntry};
use super::backend_protocol::BackendProtocol;
use super::backend_tls::{Tls, TlsEntry};
use super::balance::Balance;
use super::collection::AtLeastOne;
use super::duration::{DAY, MILLISECOND};
use super::health_check::{HealthCheck, HealthCheckEntry};
use super::introduction::Introduction;
use super::outlier::Outlier;
use super::queue::Queue;
use super::retry::{Retry, RetryEntry};
use super::section::section;
use super::shorthand::{OnUnlessOff, Short};
use super::slow_start::SlowStart;
use super::spot::Spot;
use super::sticky::{Sticky, StickyEntry};
use crate::semantics::proxy_protocol::Version;
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
    /// The cookie that keeps a client on its backend, if there is one.
    pub sticky: Option<Sticky>,
    /// How it is found out which backends are alive; without it all are taken to be.
    pub health_check: Option<HealthCheck>,
    /// When failed requests take a backend out; without it they never do.
    pub outlier: Option<Outlier>,
    /// How long a backend that has come back is spared.
    pub slow_start: SlowStart,
    /// Which failed attempts are made again; without it none is.
    pub retry: Option<Retry>,
    /// How long each step may take.
    pub timeouts: Timeouts,
    /// Connections that are kept for the next request.
    pub connections: Connections,
    /// The version of HTTP that it is spoken to in.
    pub protocol: BackendProtocol,
    /// The header of the PROXY protocol that its connections begin with, if any.
    pub proxy_protocol: Option<Version>,
    /// How it is spoken to over TLS; without it, in the clear.
    pub tls: Option<Tls>,
    /// Requests that wait while every backend is full, if they may.
    pub queue: Option<Queue>,
}

impl Upstream {
    /// What is no fault, and yet is not what was probably meant. What a name resolves to is not known here.
    pub(super) fn warnings(&self) -> Vec<String> {
        if !self.backends.iter().all(|one| one.address.is_fixed()) {
            return Vec::new();
        }
        let (name, count) = (&self.name, self.backends.len());
        let mut warnings = Vec::new();
        if let Some(outlier) = &self.outlier
            && count > 1
            && outlier.max_ejected.of(count as u64) == 0
        {
            warnings.push(format!(
                "upstreams.{name}.outlier.max_ejected: {}% of {count} backends, rounded down, is none, so none is ever ejected; \
write at least {}%, or `outlier: off`",
                outlier.max_ejected.0,
                100_usize.div_ceil(count)
            ));
        }
        if let Some(retry) = &self.retry
            && count == 1
            && *retry != Retry::default()
        {
            warnings.push(format!(
                "upstreams.{name}.retry: attempts are made again at another backend, and there is no other, so nothing is tried again"
            ));
        }
        warnings
    }
}

section! {
    /// A named group of backends that answer alike.
    pub(super) struct UpstreamEntry {
        /// Its members: `host:port` or `unix:PATH`, or `{ address: host:port, weight: 2 }`.
        pub(super) backends: AtLeastOne<Spot<Short<BackendEntry>>>,
        /// How a backend is picked for a request: the name of a policy, or `hash: { key: $remote_addr }`.
        pub(super) balance: Balance = Balance::RoundRobin,
        /// The cookie that keeps a client on its backend; `off` gives none.
        pub(super) sticky: Short<Option<Spot<StickyEntry>>>,
        /// How it is found out which backends are alive; `off` takes all of them to be.
        pub(super) health_check: Short<Option<Spot<HealthCheckEntry>>>,
        /// When failed requests eject a backend, and for how long; `off` for never.
        pub(super) outlier: OnUnlessOff<Outlier>,
        /// The time in which the weight of a backend that has come back grows from a twentieth to the whole; `off` for at once.
        pub(super) slow_start: Spot<SlowStart> = Spot::default_value(SlowStart(None)),
        /// Which failed attempts are made again, at another backend; `off` for none.
        pub(super) retry: OnUnlessOff<RetryEntry>,
        /// How long each step towards a backend may take.
        pub(super) timeouts: Timeouts,
        /// Connections that are kept for the next request, shared by all threads.
        pub(super) connections: ConnectionsEntry,
        /// The version of HTTP: `http1`, `http2`, or `auto` for what the handshake of TLS comes to. Without `tls`, `http2` is spoken without asking.
        pub(super) protocol: Spot<BackendProtocol> = Spot::default_value(BackendProtocol::Http1),
        /// Whether each connection begins with a header of the PROXY protocol, version 1 or 2, that says who the client is; no two clients share a connection then.
        pub(super) proxy_protocol: Spot<Introduction> = Spot::default_value(Introduction(None)),
        /// TLS towards the backends; `{}` switches it on, `off` is in the clear.
        pub(super) tls: Short<Option<Spot<TlsEntry>>>,
        /// Requests that wait while every backend is at its `max_requests`; `off` answers them 503 at once.
        pub(super) queue: Short<Option<Spot<Queue>>>,
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

/// Connections that are kept for the next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connections {
    /// How long an unused connection is kept.
    pub idle: Duration,
    /// How many unused connections are kept at most.
    pub keepalive: usize,
    /// How many requests may be under way on one connection of HTTP/2.
    pub http2_streams: usize,
}

section! {
    /// Connections that are kept for the next request.
    pub(super) struct ConnectionsEntry {
        /// How long an unused connection is kept.
        pub(super) idle: Duration [MILLISECOND..=DAY] = Duration::from_secs(60),
        /// How many unused connections are kept at most, over all backends and threads.
        pub(super) keepalive: usize [1..=1_000_000] = 512,
        /// How many requests may be under way at once on one connection of HTTP/2; the backend may want fewer.
        pub(super) http2_streams: Spot<usize> [1..=10_000] = Spot::default_value(100),
    }
}
