//! The authority of a request: host and port, as in `Host` and `:authority`.
//!
//! The grammar is RFC 3986 §3.2 without userinfo, which RFC 9110 §4.2.4 tells a recipient to treat as an error: it is
//! there to deceive. An empty host is refused as well (§4.2.1); a caller for whom a missing `Host` is fine must not
//! call this. IPv6 zones (`[fe80::1%25eth0]`) and `IPvFuture` are refused, since neither means anything on another
//! machine. Nothing is looked up or decoded, and nothing is allocated: a name is borrowed from the input.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Host and port, borrowed from the text they were read from. `Display` writes them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// A name or an address; never empty.
    pub host: Host<'a>,
    /// The port; none when it was left out, or written as nothing (`host:`).
    pub port: Option<u16>,
}

/// The host part of an [`Authority`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A registered name in the case it was sent in, a trailing dot included.
    Name(&'a str),
    /// Four decimal numbers.
    V4(Ipv4Addr),
    /// An address that stood in brackets.
    V6(Ipv6Addr),
}

/// Why a text is no authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityError {
    /// Nothing stands where the host should.
    EmptyHost,
    /// There is an `@`.
    UserInfo,
    /// A byte that no host may hold, or a `%` without two hexadecimal digits, at this offset.
    BadHost(usize),
    /// The brackets do not hold an IPv6 address.
    BadIpv6,
    /// What follows the host is not `:` and a number up to 65535.
    BadPort,
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:port`, `1.2.3.4:port` or `[v6]:port`.
    ///
    /// # Errors
    /// An [`AuthorityError`] for anything else; the request should be answered 400.
    pub fn parse(text: &'a str) -> Result<Self, AuthorityError> {
        if text.contains('@') {
            return Err(AuthorityError::UserInfo);
        }
        let (host, after) = split_host(text);
        let port = parse_port(after)?;
        let host = parse_host(host)?;
        Ok(Authority { host, port })
    }
}

/// What a route compares: lower case, without the port and without one trailing dot (`Example.COM.:8080` is
/// `example.com`).
///
/// Works on any text, so that it can run on what was never parsed; the result then matches nothing. Borrowed unless
/// there are capitals.
pub fn host_for_matching(authority: &str) -> Cow<'_, str> {
    let (host, _) = split_host(authority);
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// The host with its brackets, and the rest from the colon on.
fn split_host(text: &str) -> (&str, &str) {
    let end = if text.starts_with('[') {
        text.find(']').map(|bracket| bracket + 1)
    } else {
        text.find(':')
    };
    end.and_then(|end| text.split_at_checked(end))
        .unwrap_or((text, ""))
}

fn parse_port(after: &str) -> Result<Option<u16>, AuthorityError> {
    if after.is_empty() {
        return Ok(None);
    }
    let digits = after.strip_prefix(':').ok_or(AuthorityError::BadPort)?;
    if digits.is_empty() {
        return Ok(None);
    }
    // `u16::from_str` would also take "+80".
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AuthorityError::BadPort);
    }
    digits
        .parse()
        .map(Some)
        .map_err(|_| AuthorityError::BadPort)
}

fn parse_host(host: &str) -> Result<Host<'_>, AuthorityError> {
    if host.is_empty() {
        return Err(AuthorityError::EmptyHost);
    }
    if let Some(rest) = host.strip_prefix('[') {
        let literal = rest.strip_suffix(']').ok_or(AuthorityError::BadIpv6)?;
        return literal
            .parse()
            .map(Host::V6)
            .map_err(|_| AuthorityError::BadIpv6);
    }
    match fault_in_name(host) {
        Some(offset) => Err(AuthorityError::BadHost(offset)),
        None => Ok(host.parse().map_or(Host::Name(host), Host::V4)),
    }
}

/// The offset of the first byte that RFC 3986's `reg-name` does not allow.
fn fault_in_name(name: &str) -> Option<usize> {
    let bytes = name.as_bytes();
    bytes
        .iter()
        .enumerate()
        .find_map(|(offset, &byte)| match byte {
            b'%' => {
                let digits = bytes.get(offset + 1..offset + 3);
                let fine = digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
                (!fine).then_some(offset)
            }
            _ => (!is_name_byte(byte)).then_some(offset),
        })
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => write!(f, "{address}"),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

impl fmt::Display for AuthorityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyHost => f.write_str("the host is empty; write a name or an address"),
            Self::UserInfo => f.write_str(
                "user and password do not belong in a host; remove everything up to the @",
            ),
            Self::BadHost(offset) => write!(
                f,
                "the character at offset {offset} cannot stand in a host name; use letters, digits, dots and hyphens"
            ),
            Self::BadIpv6 => {
                f.write_str("the brackets do not hold an IPv6 address; write it like [2001:db8::1]")
            }
            Self::BadPort => f.write_str(
                "what follows the host is not a port; write a colon and a number up to 65535",
            ),
        }
    }
}

impl std::error::Error for AuthorityError {}

#[cfg(test)]
mod tests;
