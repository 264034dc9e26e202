//! Requests and facts out of nothing: to try a filter in a test.

use super::Facts;
use crate::clock::{Clock, ManualClock};
use crate::observe::record::Record;
use crate::semantics::path::decode_for_matching;
use http::Version;
use pingora_http::RequestHeader;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

/// A request with `Host: example.com` and these headers.
///
/// # Panics
/// One of these is nothing that a request can hold.
#[expect(
    clippy::unwrap_used,
    reason = "for tests, which may stop at the first surprise"
)]
pub fn request(method: &str, target: &str, headers: &[(&'static str, &str)]) -> RequestHeader {
    let mut request = RequestHeader::build(method, target.as_bytes(), None).unwrap();
    request.insert_header("Host", "example.com").unwrap();
    for (name, value) in headers {
        request.append_header(*name, *value).unwrap();
    }
    request
}

/// Gives `see` the facts of a request that 192.0.2.1 has sent to the listener `public`, and that the route `example`
/// takes.
pub fn with_facts<T>(request: &RequestHeader, see: impl FnOnce(&Facts<'_>) -> T) -> T {
    with_facts_of(request, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), see)
}

/// The same for a request of `client`.
pub fn with_facts_of<T>(
    request: &RequestHeader,
    client: IpAddr,
    see: impl FnOnce(&Facts<'_>) -> T,
) -> T {
    let path = decode_for_matching(request.uri.path());
    let record = record(request, &path, client);
    see(&Facts::new(&record, ManualClock::default().now()))
}

pub(super) fn record<'a>(request: &'a RequestHeader, path: &'a str, client: IpAddr) -> Record<'a> {
    Record {
        started: SystemTime::UNIX_EPOCH,
        duration: Duration::ZERO,
        hostname: "here",
        listener: "public",
        server_port: Some(80),
        tls: None,
        peer: Some(client),
        client: Some(client),
        client_port: Some(50_000),
        request_id: "0190-example",
        method: Some(&request.method),
        target: request.raw_path(),
        host: "example.com",
        path,
        path_regex: None,
        version: Some(Version::HTTP_11),
        request_headers: &request.headers,
        request_length: 0,
        route: Some("example"),
        upstream: None,
        attempts: &[],
        upstream_headers: None,
        status: None,
        response_headers: None,
        bytes_sent: 0,
        body_bytes_sent: 0,
        error: None,
    }
}
