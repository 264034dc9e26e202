//! The values that [`super::apply`] writes.
//!
//! An address is written into a buffer on the stack, and a list into one allocation of the right size, since this runs
//! on every request. What cannot be a header value is none, and the caller then removes the header.
//! Lists: RFC 9110 §5.3; quoting: RFC 7239 §4 and §6.

use std::io::{self, Cursor, Write};
use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderName, HeaderValue};

use super::super::headers::Headers;
use super::super::rfc7239;
use super::Facts;

/// All lines of this name and one more entry, in one allocation.
pub(super) fn joined(
    headers: &impl Headers,
    name: &HeaderName,
    last: &[u8],
) -> Option<HeaderValue> {
    let length: usize = lines(headers, name).map(|line| line.len() + 2).sum();
    if length == 0 {
        return HeaderValue::from_bytes(last).ok();
    }
    let mut joined = Vec::with_capacity(length + last.len());
    for line in lines(headers, name) {
        joined.extend_from_slice(line);
        joined.extend_from_slice(b", ");
    }
    joined.extend_from_slice(last);
    HeaderValue::try_from(joined).ok()
}

/// The lines that say anything.
pub(super) fn lines<'h, H: Headers>(
    headers: &'h H,
    name: &HeaderName,
) -> impl Iterator<Item = &'h [u8]> + use<'h, H> {
    let lines = headers
        .values(name)
        .map(|value| value.as_bytes().trim_ascii());
    lines.filter(|line| !line.is_empty())
}

/// None when there is no host, or one that no header may hold.
pub(super) fn host_value(host: &str) -> Option<HeaderValue> {
    let value = HeaderValue::from_str(host).ok()?;
    (!host.is_empty()).then_some(value)
}

/// The address alone; an IPv4-mapped one as IPv4.
pub(super) fn address_value(address: IpAddr) -> Option<HeaderValue> {
    let mut buffer = EMPTY_BUFFER;
    HeaderValue::from_bytes(address_text(address, &mut buffer)).ok()
}

/// What a client without an address is called.
pub(super) const UNKNOWN: &str = "unknown";

/// An entry of a list, in the caller's buffer.
pub(super) fn node_text(address: Option<IpAddr>, buffer: &mut AddressBuffer) -> &[u8] {
    match address {
        Some(address) => address_text(address, buffer),
        None => UNKNOWN.as_bytes(),
    }
}

/// An address as text in the caller's buffer.
fn address_text(address: IpAddr, buffer: &mut AddressBuffer) -> &[u8] {
    let mut cursor = Cursor::new(&mut buffer[..]);
    let written = match address.to_canonical() {
        IpAddr::V4(address) => write_octets(&mut cursor, address),
        IpAddr::V6(address) => write!(cursor, "{address}"),
    };
    let length = usize::try_from(cursor.position()).unwrap_or(0);
    match written {
        Ok(()) => buffer.get(..length).unwrap_or_default(),
        Err(_) => &[],
    }
}

/// What formatting would write, at a tenth of its price.
fn write_octets(out: &mut impl Write, address: Ipv4Addr) -> io::Result<()> {
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            out.write_all(b".")?;
        }
        out.write_all(itoa::Buffer::new().format(octet).as_bytes())?;
    }
    Ok(())
}

/// Room for the longest IPv6 text, 45 bytes.
pub(super) type AddressBuffer = [u8; 48];

/// What [`node_text`] is given.
pub(super) const EMPTY_BUFFER: AddressBuffer = [0; 48];

/// `for=…;host=…;proto=…` about the peer.
pub(super) fn forwarded_element(facts: &Facts<'_>) -> Vec<u8> {
    let mut buffer = EMPTY_BUFFER;
    let address = node_text(facts.peer, &mut buffer);
    let mut element = Vec::with_capacity(64 + facts.host.len());
    element.extend_from_slice(b"for=");
    if facts.peer.is_none_or(|peer| peer.to_canonical().is_ipv4()) {
        element.extend_from_slice(address);
    } else {
        element.extend_from_slice(b"\"[");
        element.extend_from_slice(address);
        element.extend_from_slice(b"]\"");
    }
    if let Some(host) = host_value(facts.host) {
        element.extend_from_slice(b";host=");
        push_token_or_quoted(host.as_bytes(), &mut element);
    }
    element.extend_from_slice(b";proto=");
    element.extend_from_slice(facts.scheme.as_str().as_bytes());
    element
}

fn push_token_or_quoted(value: &[u8], out: &mut Vec<u8>) {
    if rfc7239::is_token(value) {
        return out.extend_from_slice(value);
    }
    out.push(b'"');
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}
