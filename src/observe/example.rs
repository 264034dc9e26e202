//! A finished request for tests.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use super::record::{Attempt, Record, Tls};

/// 22 November 2026, 20:13:11 UTC, when the example is over.
const ENDED: Duration = Duration::from_millis(1_795_378_391_120);
const LASTED: Duration = Duration::from_millis(1_034);

/// What a record borrows.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) request_headers: HeaderMap,
    pub(super) response_headers: HeaderMap,
    pub(super) upstream_headers: HeaderMap,
    pub(super) attempts: Vec<Attempt>,
    pub(super) tls: Tls,
}

impl Example {
    /// A GET that the second of two backends has answered.
    pub(super) fn new() -> Example {
        Example {
            request_headers: headers(&[
                ("host", "Example.com:8080"),
                ("user-agent", "curl/8.5.0"),
                ("referer", "http://example.com/start"),
                ("x-forwarded-for", "198.51.100.7"),
                ("x-forwarded-for", "198.51.100.8"),
                ("cookie", "theme=dark; session=abc"),
                ("cookie", "late=1"),
            ]),
            response_headers: headers(&[("content-type", "text/plain"), ("server", "ours")]),
            upstream_headers: headers(&[("server", "theirs")]),
            tls: Tls {
                protocol: "TLSv1.3",
                cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
                server_name: Some("example.com".to_owned()),
                has_client_certificate: true,
                client_subject: Some("CN=client,O=Example".to_owned()),
            },
            attempts: vec![
                Attempt {
                    address: "127.0.0.1:8001".into(),
                    status: None,
                    connect_time: None,
                    header_time: None,
                    response_time: Some(Duration::from_millis(2)),
                },
                Attempt {
                    address: "127.0.0.1:8002".into(),
                    status: Some(200),
                    connect_time: Some(Duration::from_millis(1)),
                    header_time: Some(Duration::from_millis(1_030)),
                    response_time: Some(Duration::from_millis(1_031)),
                },
            ],
        }
    }

    pub(super) fn record(&self) -> Record<'_> {
        Record {
            started: SystemTime::UNIX_EPOCH + ENDED - LASTED,
            duration: LASTED,
            hostname: "edge-1",
            listener: "public",
            server_port: Some(8080),
            tls: Some(&self.tls),
            peer: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9))),
            client: Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7))),
            client_port: Some(50_001),
            request_id: "019ab001-0000-7000-8000-000000000001",
            method: Some(&Method::GET),
            target: b"/a%20b/c?q=1&Lang=en&q=2",
            host: "example.com",
            path: "/a b/c",
            path_regex: None,
            version: Some(Version::HTTP_11),
            request_headers: &self.request_headers,
            request_length: 321,
            route: Some("routes[0]"),
            upstream: Some("hello"),
            attempts: &self.attempts,
            upstream_headers: Some(&self.upstream_headers),
            status: Some(200),
            response_headers: Some(&self.response_headers),
            bytes_sent: 210,
            body_bytes_sent: 52,
            error: Some("connection_refused"),
        }
    }

    /// A request that was refused before anything was known about it.
    pub(super) fn refused(&self) -> Record<'_> {
        Record {
            server_port: None,
            tls: None,
            client_port: None,
            target: b"/",
            route: None,
            upstream: None,
            attempts: &[],
            upstream_headers: None,
            status: None,
            response_headers: None,
            error: None,
            ..self.record()
        }
    }
}

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines
        .iter()
        .map(|&(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}
