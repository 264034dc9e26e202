//! Hosts in the file: names of the DNS, IP addresses, and patterns of them.

use super::read::Word;
use super::schema;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A host, in lower case and without port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This host.
    Exact(String),
    /// Any name with one or more labels before this one: `example.com` stands for `*.example.com`.
    Wildcard(String),
}

impl Word for HostPattern {
    const EXAMPLE: &'static str = "www.example.com";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |advice: &str| Err(format!("{text:?} is no host; {advice}"));
        if text.contains('/') {
            return wrong("write the host alone, without scheme and path");
        }
        if !text.is_ascii() {
            return wrong("write the name as it goes over the wire, in its `xn--` form");
        }
        if text == "*" {
            return wrong("leave `host` out to take any");
        }
        let host = text.to_ascii_lowercase();
        if is_ipv6_literal(&host) {
            return Ok(HostPattern::Exact(host));
        }
        if host.parse::<Ipv6Addr>().is_ok() {
            return wrong(&format!("write IPv6 addresses in brackets: `[{text}]`"));
        }
        if host.contains(':') {
            return wrong("leave out the port; `listener` tells ports apart");
        }
        let host = host.strip_suffix('.').unwrap_or(&host);
        match host.strip_prefix("*.") {
            Some(suffix) if is_host_name(suffix) => Ok(HostPattern::Wildcard(suffix.to_owned())),
            None if is_host_name(host) => Ok(HostPattern::Exact(host.to_owned())),
            _ if host.contains('*') => {
                wrong("a wildcard stands at the start only, such as `*.example.com`")
            }
            _ => wrong("write for example `www.example.com` or `*.example.com`"),
        }
    }

    fn schema() -> serde_json::Value {
        schema::text_like("^[^/*]+$|^\\*\\.[^/*]+$")
    }
}

/// A value for the Host header: a host, and a port if need be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostHeader(pub(super) String);

impl Word for HostHeader {
    const EXAMPLE: &'static str = "www.example.com";

    fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port_is_good = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if port_is_good && (is_host_name(host) || is_ipv6_literal(host)) {
            return Ok(HostHeader(text.to_owned()));
        }
        Err(format!(
            "{text:?} is no value for a Host header; \
write for example `www.example.com` or `www.example.com:8080`"
        ))
    }
}

/// Whether this is a name of the DNS or an IPv4 address (RFC 1123 §2.1), or one with underscores, as containers have.
pub(super) fn is_host_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letter);
    let digits = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let is_address_or_name = match text.rsplit('.').next() {
        Some(last) if digits(last) => text.parse::<Ipv4Addr>().is_ok(),
        _ => true,
    };
    text.len() <= 253 && text.split('.').all(label) && is_address_or_name
}

fn is_ipv6_literal(text: &str) -> bool {
    text.strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}
