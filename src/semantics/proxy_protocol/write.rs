//! Writing the header, for a backend that is to know who a connection is made for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{Endpoints, SIGNATURE};

/// The form of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// 1: a line of text.
    Text,
    /// 2: binary.
    Binary,
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Text => "v1",
            Self::Binary => "v2",
        })
    }
}

/// Whom a connection is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behalf {
    /// A client whose connection has these ends.
    Client(Endpoints),
    /// A client without an address.
    Unknown,
    /// Nobody: the proxy itself has something to ask.
    Own,
}

/// The header of a connection that is made for somebody. Version 1 cannot tell an unknown client from nobody.
pub fn write(version: Version, behalf: &Behalf) -> Vec<u8> {
    let ends = match behalf {
        Behalf::Client(ends) => Some(of_one_family(ends)),
        Behalf::Unknown | Behalf::Own => None,
    };
    match version {
        Version::Text => text(ends).into_bytes(),
        Version::Binary => binary(if *behalf == Behalf::Own { 0x20 } else { 0x21 }, ends),
    }
}

/// A header has room for one family: where they differ, that of IPv4 is written as IPv6 (RFC 4291 §2.5.5.2).
fn of_one_family(ends: &Endpoints) -> (SocketAddr, SocketAddr) {
    let Endpoints {
        source,
        destination,
    } = *ends;
    if source.is_ipv4() == destination.is_ipv4() {
        return (source, destination);
    }
    let mapped = |end: SocketAddr| match end.ip() {
        IpAddr::V4(address) => SocketAddr::new(address.to_ipv6_mapped().into(), end.port()),
        IpAddr::V6(_) => end,
    };
    (mapped(source), mapped(destination))
}

fn text(ends: Option<(SocketAddr, SocketAddr)>) -> String {
    let Some((from, to)) = ends else {
        return "PROXY UNKNOWN\r\n".to_owned();
    };
    let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from_port, to_port) = (from.port(), to.port());
    // The address alone: the scope of a link-local one means nothing to anybody else.
    let (from, to) = (from.ip(), to.ip());
    format!("PROXY {family} {from} {to} {from_port} {to_port}\r\n")
}

fn binary(command: u8, ends: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let mut block = Vec::new();
    let family = match ends {
        None => 0x00,
        Some((from, _)) if from.is_ipv4() => 0x11,
        Some(_) => 0x21,
    };
    if let Some((from, to)) = ends {
        for end in [from, to] {
            match end.ip() {
                IpAddr::V4(address) => block.extend_from_slice(&address.octets()),
                IpAddr::V6(address) => block.extend_from_slice(&address.octets()),
            }
        }
        for end in [from, to] {
            block.extend_from_slice(&end.port().to_be_bytes());
        }
    }
    // 36 bytes at the most.
    let length = u8::try_from(block.len()).unwrap_or_default();
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[command, family, 0, length]);
    header.append(&mut block);
    header
}
