//! The facts of one finished request.
//!
//! A record borrows: it is built when a request ends, read by whoever reports, and gone. It holds
//! typed facts and no text made for a report; how a fact is printed is the business of its
//! [`Values`](crate::template::Values) and of the reader.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, Version};
use regex::Regex;

/// Everything that is known about a request when it is over.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// When the first byte of the request was read.
    pub started: SystemTime,
    /// From then to the last byte of the answer, or to the failure.
    pub duration: Duration,
    /// Name of this machine.
    pub hostname: &'a str,
    /// Name of the listener.
    pub listener: &'a str,
    /// Port of the listener; none on a Unix socket.
    pub server_port: Option<u16>,
    /// The connection's TLS; none in the clear.
    pub tls: Option<&'a Tls>,
    /// Address of the peer of the connection; none on a Unix socket.
    pub peer: Option<IpAddr>,
    /// Address of the client: the peer, or who is behind it if it is trusted.
    pub client: Option<IpAddr>,
    /// Port of the client; none where only a header told its address.
    pub client_port: Option<u16>,
    /// Kept from a trusted peer, or made here.
    pub request_id: &'a str,
    /// Method of the request; none where its head cannot be read.
    pub method: Option<&'a Method>,
    /// Request target as sent; not checked, and not necessarily UTF-8.
    pub target: &'a [u8],
    /// Host as it was matched: lower case, without port.
    pub host: &'a str,
    /// Path as it was matched: percent-decoded per segment, without the query.
    pub path: &'a str,
    /// What the route asks of the path, when that is an expression with named groups.
    pub path_regex: Option<&'a Regex>,
    /// Protocol of the request; none where its head cannot be read.
    pub version: Option<Version>,
    /// Headers of the request, as received.
    pub request_headers: &'a HeaderMap,
    /// Bytes of the request: line, headers and body.
    pub request_length: u64,
    /// Name or index of the route; none when no route matched.
    pub route: Option<&'a str>,
    /// Name of the upstream; none when the answer is ours.
    pub upstream: Option<&'a str>,
    /// One entry for each backend that was tried, in order.
    pub attempts: &'a [Attempt],
    /// Headers of the last backend's answer.
    pub upstream_headers: Option<&'a HeaderMap>,
    /// Status that the client was sent; none if it was sent nothing.
    pub status: Option<u16>,
    /// Headers that the client was sent.
    pub response_headers: Option<&'a HeaderMap>,
    /// Bytes sent to the client.
    pub bytes_sent: u64,
    /// The same without the header.
    pub body_bytes_sent: u64,
    /// RFC 9209 name of what went wrong, or a word of our own, if anything did.
    pub error: Option<&'a str>,
}

/// What is known of a connection's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: &'static str,
    /// The cipher suite, as the IANA's registry has it.
    pub cipher: String,
    /// The name that the client asked for.
    pub server_name: Option<String>,
    /// Whether the client has shown a certificate, which then was believed.
    pub has_client_certificate: bool,
    /// Whose that is (RFC 4514).
    pub client_subject: Option<String>,
}

impl Record<'_> {
    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        match self.tls {
            None => "http",
            Some(_) => "https",
        }
    }

    /// When the request was over; the moment that nginx's `$time_local`, `$time_iso8601` and
    /// `$msec` print.
    pub fn ended(&self) -> SystemTime {
        self.started
            .checked_add(self.duration)
            .unwrap_or(self.started)
    }
}

/// One try at one backend.
///
/// It lives in the request's context while the request runs, and so owns what it holds. Times are
/// measured from the start of the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Address of the backend.
    pub address: Arc<str>,
    /// Status of its answer; none if it gave none.
    pub status: Option<u16>,
    /// Until the connection stood; zero for a reused one.
    pub connect_time: Option<Duration>,
    /// Until the header of the answer was read.
    pub header_time: Option<Duration>,
    /// Until the answer was over.
    pub response_time: Option<Duration>,
}
