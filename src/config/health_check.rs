//! `health_check`: how it is found out which backends are alive.
//!
//! A probe must have ended before the next one begins, or slow answers would pile up on a backend that is already in
//! trouble; so a timeout longer than the interval is a contradiction, and the default timeout bows to a short interval.

use super::backend::Backend;
use super::backend_address::BackendAddress;
use super::diagnostic::Place;
use super::duration::{DAY, MILLISECOND, format};
use super::host::HostHeader;
use super::read::{Read, Word};
use super::reader::Reader;
use super::section::section;
use super::shorthand::Shorthand;
use super::spot::{Entry, Spot};
use super::status::StatusRanges;
use super::tree::Tree;
use serde_json::json;
use std::time::Duration;

/// A probe that is repeated, and how many results in a row count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is tried.
    pub probe: Probe,
    /// From the start of one probe to the start of the next, at most.
    pub interval: Duration,
    /// How long one probe may take; never longer than the interval.
    pub timeout: Duration,
    /// So many good probes in a row make a backend healthy.
    pub healthy_after: u32,
    /// So many bad probes in a row make a backend unhealthy.
    pub unhealthy_after: u32,
    /// Probe this port; the backend's own when absent.
    pub port: Option<u16>,
}

/// What a health check tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A GET request.
    Http(HttpProbe),
    /// A connection.
    Tcp,
    /// The question of gRPC's health checking protocol.
    Grpc(GrpcProbe),
}

/// The GET request of a health check, and the answer it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    /// Path and query, starting with a slash.
    pub path: String,
    /// The Host header; the backend's address when absent.
    pub host: Option<String>,
    /// Statuses that count as good.
    pub status: StatusRanges,
    /// Text that the body must hold.
    pub body_contains: Option<String>,
}

/// The question of a health check in `grpc.health.v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcProbe {
    /// The service that is asked about; empty for the server as a whole.
    pub service: String,
}

section! {
    /// A probe that is repeated, and how many results in a row count. Exactly one of `http`, `tcp` and `grpc` stands in it.
    pub(super) struct HealthCheckEntry {
        /// Ask with a GET request.
        pub(super) http: Entry<HttpProbeEntry>,
        /// Only connect; written `tcp: {}`.
        pub(super) tcp: Entry<TcpProbe>,
        /// Ask `grpc.health.v1.Health/Check`; `grpc: {}` asks about the server as a whole.
        pub(super) grpc: Entry<GrpcProbeEntry>,
        /// From the start of one probe to the start of the next; up to 10 % less, by chance.
        pub(super) interval: Duration [Duration::from_millis(10)..=DAY] = Duration::from_secs(5),
        /// How long one probe may take; the interval, if that is shorter than the default.
        pub(super) timeout: Spot<Duration> [MILLISECOND..=DAY] = Spot::default_value(Duration::from_secs(2)),
        /// So many good probes in a row make a backend healthy again. The first probe of all decides alone.
        pub(super) healthy_after: u32 [1..=1000] = 2,
        /// So many bad probes in a row make a backend unhealthy.
        pub(super) unhealthy_after: u32 [1..=1000] = 3,
        /// Probe this port; the backend's own by default.
        pub(super) port: Option<Spot<u16>> [1..=65535],
    }
}

section! {
    /// The GET request of a health check, and the answer it wants.
    pub(super) struct HttpProbeEntry {
        /// Path, and query if need be.
        pub(super) path: ProbePath,
        /// The Host header; the backend's address by default.
        pub(super) host: Option<HostHeader>,
        /// Statuses that count as good: `200`, `200-299`, or a list of these.
        pub(super) status: StatusRanges = StatusRanges::successful(),
        /// Text that the body must hold; any body will do by default.
        pub(super) body_contains: Option<Spot<String>>,
    }
}

section! {
    /// The question of a health check in `grpc.health.v1`.
    pub(super) struct GrpcProbeEntry {
        /// The service to ask about; by default the server as a whole.
        pub(super) service: Option<String>,
    }
}

impl Spot<HealthCheckEntry> {
    /// The health check, once its keys are seen to fit together.
    pub(super) fn build(
        self,
        backends: &[Backend],
        reader: &mut Reader<'_>,
    ) -> Option<HealthCheck> {
        let entry = self.value;
        let port = entry.port.map(|port| probed(port, backends, reader));
        let timeout = match &entry.timeout {
            Spot { place: None, value } => (*value).min(entry.interval),
            Spot {
                place: Some(place),
                value,
            } => {
                if *value > entry.interval {
                    let (timeout, interval) = (format(*value), format(entry.interval));
                    reader.fault_at(
                        place,
                        format!(
                            "a probe may take {timeout}, but the next one starts after {interval}; \
make the timeout at most {interval}, or the interval longer"
                        ),
                    );
                }
                *value
            }
        };
        let place = self.place.as_ref()?;
        Some(HealthCheck {
            probe: probe(place, entry.http, entry.tcp, entry.grpc, reader)?,
            interval: entry.interval,
            timeout,
            healthy_after: entry.healthy_after,
            unhealthy_after: entry.unhealthy_after,
            port,
        })
    }
}

fn probe(
    place: &Place,
    http: Entry<HttpProbeEntry>,
    tcp: Entry<TcpProbe>,
    grpc: Entry<GrpcProbeEntry>,
    reader: &mut Reader<'_>,
) -> Option<Probe> {
    one_of(
        place,
        &[
            ("http", http.place()),
            ("tcp", tcp.place()),
            ("grpc", grpc.place()),
        ],
        reader,
    );
    let http = http.value().map(|http| {
        Probe::Http(HttpProbe {
            path: http.path.0,
            host: http.host.map(|host| host.0),
            status: http.status,
            body_contains: http.body_contains.map(|text| wanted(text, reader)),
        })
    });
    let tcp = tcp.value().map(|_| Probe::Tcp);
    let grpc = grpc.value().map(|grpc| {
        Probe::Grpc(GrpcProbe {
            service: grpc.service.unwrap_or_default(),
        })
    });
    http.or(tcp).or(grpc)
}

/// Refuses a port where a backend has none.
fn probed(port: Spot<u16>, backends: &[Backend], reader: &mut Reader<'_>) -> u16 {
    let mut addresses = backends.iter().map(|backend| &backend.address);
    let unix = addresses.find(|address| matches!(address, BackendAddress::Unix(_)));
    if let (Some(place), Some(unix)) = (&port.place, unix) {
        let message = format!(
            "{unix} has no ports; remove this, or move that backend to an upstream of its own"
        );
        reader.fault_at(place, message);
    }
    port.value
}

/// Refuses a text that every body holds.
fn wanted(text: Spot<String>, reader: &mut Reader<'_>) -> String {
    if let Some(place) = &text.place
        && text.value.is_empty()
    {
        let message =
            "an empty text stands in every body; write what a good one holds, or remove this";
        reader.fault_at(place, message);
    }
    text.value
}

/// Notes what is wrong when not exactly one of these keys stands in the health check at `check`.
fn one_of(check: &Place, probes: &[(&str, Option<&Place>)], reader: &mut Reader<'_>) {
    let mut written = probes
        .iter()
        .filter_map(|(key, place)| Some((key, (*place)?)));
    match written.next() {
        None if reader.has_unknown_keys(check) => {}
        None => reader.fault_at(
            check,
            "nothing says what to try; add `http: { path: /health }`, `tcp: {}` or `grpc: {}`",
        ),
        Some((first, _)) => written.for_each(|(_, place)| {
            reader.fault_at(
                place,
                format!("`{first}` stands here already; keep one of them"),
            );
        }),
    }
}

impl Shorthand for Option<Spot<HealthCheckEntry>> {
    const EXAMPLE: &'static str = "{ http: { path: /health } }";

    fn from_word(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(None),
            _ => Err(format!(
                "{text:?} is not understood here; write `{}`, or `off`",
                Self::EXAMPLE
            )),
        }
    }

    fn word_schema() -> serde_json::Value {
        json!({"const": "off"})
    }
}

/// `tcp: {}`: there is nothing to say about it.
#[derive(Clone, Debug)]
pub(super) struct TcpProbe;

impl Read for TcpProbe {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        reader.fields(tree, &[], "{}").map(|_| TcpProbe)
    }

    fn schema() -> serde_json::Value {
        json!({"type": "object", "additionalProperties": false})
    }

    fn example() -> String {
        "{}".to_owned()
    }
}

/// Path and query of a probe.
#[derive(Clone, Debug)]
pub(super) struct ProbePath(String);

impl Word for ProbePath {
    const EXAMPLE: &'static str = "/health";

    fn parse(text: &str) -> Result<Self, String> {
        let is_target = text.parse::<http::uri::PathAndQuery>().is_ok() && !text.contains('#');
        if text.starts_with('/') && is_target {
            return Ok(ProbePath(text.to_owned()));
        }
        Err(format!(
            "{text:?} is no path; \
write one that starts with a slash, such as `/health`, and percent-encode what is unusual"
        ))
    }
}
