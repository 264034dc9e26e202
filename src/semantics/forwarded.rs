//! What a backend is told about the client: `X-Real-IP`, `X-Forwarded-*`, `Forwarded`.
//!
//! The rule is nginx's recipe, made safe by default. A peer that is not trusted can say nothing about itself: what it
//! sent is overwritten, or removed where the key is off; only its `X-Forwarded-For` stays, with its true address as
//! the last entry. A trusted peer is a proxy that saw more than we did: its `-Proto`, `-Host` and `-Port` stay, and
//! `X-Real-IP` is the client found behind it.
//!
//! Several `X-Forwarded-For` lines go out as one, joined in order (RFC 9110 §5.3). A `Forwarded` that breaks its
//! grammar is dropped and not extended, since an unclosed quote would swallow our element (RFC 7239 §4, §8.1). Names
//! that become ours where `_` and `-` are the same (CGI, WSGI, PHP: `X_Real_IP`) are removed. A value that cannot be
//! made leaves its header out; the client's never stays in its place. `host: upstream` is not done here: only the
//! proxy knows the backend.
//!
//! A client on a Unix socket has no address. It is `unknown` in a list (RFC 7239 §6.2, and Squid's `X-Forwarded-For`), where it must have a
//! place, and has no `X-Real-IP`.

use std::net::IpAddr;

use http::{HeaderName, HeaderValue};

use super::headers::{
    FIELDS, FORWARDED, Field, Headers, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT,
    X_FORWARDED_PROTO, X_REAL_IP,
};
use super::rfc7239;
use value::{
    EMPTY_BUFFER, UNKNOWN, address_value, forwarded_element, host_value, joined, lines, node_text,
};

mod value;

/// Which headers a backend is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What happens to `X-Forwarded-For`. Default: append.
    pub x_forwarded_for: XForwardedFor,
    /// Whether `X-Forwarded-Proto` is sent. Default: true.
    pub x_forwarded_proto: bool,
    /// Whether `X-Forwarded-Host` is sent. Default: true.
    pub x_forwarded_host: bool,
    /// Whether `X-Forwarded-Port` is sent. Default: true.
    pub x_forwarded_port: bool,
    /// Whether `X-Real-IP` is sent. Default: true.
    pub x_real_ip: bool,
    /// Whether `Forwarded` is sent or extended. Default: false.
    pub rfc7239: bool,
    /// Which `Host` the backend sees; applied by the proxy. Default: preserve.
    pub host: HostHeader,
}

/// What happens to `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XForwardedFor {
    /// The peer is put behind what came.
    Append,
    /// The client's address alone, as `$remote_addr` in nginx.
    Replace,
    /// Nothing is sent; a trusted peer's own header passes.
    Off,
}

/// Which `Host` the backend sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostHeader {
    /// As the client sent it.
    Preserve,
    /// The backend's own address.
    Upstream,
}

/// The scheme of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// Over TLS.
    Https,
}

/// What is known about one request.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The other end of the connection; none on a Unix socket.
    pub peer: Option<IpAddr>,
    /// Whether the peer is one of the trusted proxies.
    pub peer_is_trusted: bool,
    /// What [`super::client_ip::find`] found; not looked at when the peer is not trusted.
    pub client: Option<IpAddr>,
    /// How the client reached this listener.
    pub scheme: Scheme,
    /// `Host` or `:authority` as sent, port included; empty when there was none.
    pub host: &'a str,
    /// The listener's port; none on a Unix socket.
    pub port: Option<u16>,
}

/// Makes the headers true. At most one line of each name goes out, but for those that a trusted peer sent and that
/// are kept.
pub fn apply(policy: &Policy, facts: &Facts<'_>, headers: &mut impl Headers) {
    remove_lookalikes(headers);
    apply_x_forwarded_for(policy.x_forwarded_for, facts, headers);
    if policy.x_real_ip {
        let client = facts.believed_client().and_then(address_value);
        set_or_remove(&X_REAL_IP, client, headers);
    } else {
        turn_off(&X_REAL_IP, facts, headers);
    }
    keep_or_set(
        &X_FORWARDED_PROTO,
        policy.x_forwarded_proto,
        facts,
        headers,
        || Some(HeaderValue::from_static(facts.scheme.as_str())),
    );
    keep_or_set(
        &X_FORWARDED_HOST,
        policy.x_forwarded_host,
        facts,
        headers,
        || host_value(facts.host),
    );
    keep_or_set(
        &X_FORWARDED_PORT,
        policy.x_forwarded_port,
        facts,
        headers,
        || facts.port.map(HeaderValue::from),
    );
    if policy.rfc7239 {
        extend_forwarded(facts, headers);
    } else {
        turn_off(&FORWARDED, facts, headers);
    }
}

/// Whether a name turns into one of ours where `_` is read as `-`.
pub fn is_lookalike(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.contains('_')
        && FIELDS
            .iter()
            .any(|field| is_same_but_for_underscores(name, field))
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            x_forwarded_for: XForwardedFor::Append,
            x_forwarded_proto: true,
            x_forwarded_host: true,
            x_forwarded_port: true,
            x_real_ip: true,
            rfc7239: false,
            host: HostHeader::Preserve,
        }
    }
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

impl Facts<'_> {
    fn believed_client(&self) -> Option<IpAddr> {
        if self.peer_is_trusted {
            self.client
        } else {
            self.peer
        }
    }
}

fn apply_x_forwarded_for(mode: XForwardedFor, facts: &Facts<'_>, headers: &mut impl Headers) {
    let value = match mode {
        XForwardedFor::Append => {
            let mut buffer = EMPTY_BUFFER;
            joined(
                headers,
                &X_FORWARDED_FOR.name,
                node_text(facts.peer, &mut buffer),
            )
        }
        XForwardedFor::Replace => match facts.believed_client() {
            Some(client) => address_value(client),
            None => Some(HeaderValue::from_static(UNKNOWN)),
        },
        XForwardedFor::Off => return turn_off(&X_FORWARDED_FOR, facts, headers),
    };
    set_or_remove(&X_FORWARDED_FOR, value, headers);
}

fn keep_or_set(
    field: &Field,
    on: bool,
    facts: &Facts<'_>,
    headers: &mut impl Headers,
    value: impl FnOnce() -> Option<HeaderValue>,
) {
    if !on {
        turn_off(field, facts, headers);
    } else if !(facts.peer_is_trusted && lines(headers, &field.name).next().is_some()) {
        set_or_remove(field, value(), headers);
    }
}

/// A header that we do not write must not be written by a client either.
fn turn_off(field: &Field, facts: &Facts<'_>, headers: &mut impl Headers) {
    if !facts.peer_is_trusted {
        headers.remove(&field.name);
    }
}

fn set_or_remove(field: &Field, value: Option<HeaderValue>, headers: &mut impl Headers) {
    match value {
        Some(value) => headers.set(field, value),
        None => headers.remove(&field.name),
    }
}

fn extend_forwarded(facts: &Facts<'_>, headers: &mut impl Headers) {
    let element = forwarded_element(facts);
    let readable = lines(headers, &FORWARDED.name).all(rfc7239::is_well_formed);
    let value = if readable {
        joined(headers, &FORWARDED.name, &element)
    } else {
        HeaderValue::from_bytes(&element).ok()
    };
    set_or_remove(&FORWARDED, value, headers);
}

fn remove_lookalikes(headers: &mut impl Headers) {
    let lookalikes: Vec<HeaderName> = headers
        .names()
        .filter(|name| is_lookalike(name))
        .cloned()
        .collect();
    for name in &lookalikes {
        headers.remove(name);
    }
}

fn is_same_but_for_underscores(name: &str, field: &Field) -> bool {
    let ours = field.name.as_str();
    let same = |(theirs, ours): (u8, u8)| theirs == ours || (theirs == b'_' && ours == b'-');
    name.len() == ours.len() && name.bytes().zip(ours.bytes()).all(same)
}

#[cfg(test)]
mod tests;
