//! The header of the PROXY protocol: a proxy that passes bytes on says, before any of them, between whom they travel.
//!
//! It is written by `write`. Both forms are read, the line of text (version 1) and the binary one (version 2). What the protocol forbids is refused, and never taken
//! for something else: a header that is half understood would give a client another's address. What is said besides the addresses (the
//! TLVs of version 2) is passed over. Where a header tells of no TCP connection (`UNKNOWN`, `LOCAL`, Unix sockets, UDP), the addresses of
//! the connection itself hold. Source: `proxy-protocol.txt` of HAProxy, §2.1 and §2.2.

mod write;

pub use write::{Behalf, Version, write};

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The start of version 1.
const TEXT: &[u8] = b"PROXY ";
/// The longest line of version 1, with its end.
const LONGEST_LINE: usize = 107;
/// The start of version 2, which no other protocol begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, and four bytes that say what follows.
const FIXED: usize = SIGNATURE.len() + 4;

/// A header that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// How many bytes it has.
    pub length: usize,
    /// What it says; nothing where the connection's own addresses hold.
    pub endpoints: Option<Endpoints>,
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Who has connected.
    pub source: SocketAddr,
    /// What they have connected to.
    pub destination: SocketAddr,
}

/// Why there is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// What came begins otherwise.
    Absent,
    /// It begins like one and breaks the rules, with this.
    Malformed(&'static str),
}

/// Reads the header at the start of `bytes`; `None` when more of it is to come.
///
/// # Errors
/// There is none, or none that makes sense; more bytes would not change that.
pub fn read(bytes: &[u8]) -> Result<Option<Header>, Refused> {
    if SIGNATURE.starts_with(bytes) || TEXT.starts_with(bytes) {
        return Ok(None);
    }
    if let Some(rest) = bytes.strip_prefix(SIGNATURE) {
        return binary(rest).map_err(Refused::Malformed);
    }
    match bytes.strip_prefix(TEXT) {
        Some(rest) => text(rest).map_err(Refused::Malformed),
        None => Err(Refused::Absent),
    }
}

/// What follows `PROXY `: `TCP4 192.0.2.1 192.0.2.2 56324 443`, and the end of the line.
fn text(rest: &[u8]) -> Result<Option<Header>, &'static str> {
    let most = LONGEST_LINE - TEXT.len();
    let Some(end) = rest.iter().take(most).position(|byte| *byte == b'\n') else {
        return match rest.len() < most {
            true => Ok(None),
            false => Err("its line is longer than 107 bytes"),
        };
    };
    let line = rest[..end].strip_suffix(b"\r");
    let line = line.and_then(|line| std::str::from_utf8(line).ok());
    let line = line.ok_or("its line does not end with CR and LF, or is no text")?;
    let (protocol, ends) = line.split_once(' ').unwrap_or((line, ""));
    Ok(Some(Header {
        length: TEXT.len() + end + 1,
        endpoints: match protocol {
            "UNKNOWN" => None,
            "TCP4" => Some(ends_of_text::<std::net::Ipv4Addr>(ends)?),
            "TCP6" => Some(ends_of_text::<std::net::Ipv6Addr>(ends)?),
            _ => return Err("its protocol is none of TCP4, TCP6 and UNKNOWN"),
        },
    }))
}

fn ends_of_text<A: FromStr + Into<IpAddr>>(ends: &str) -> Result<Endpoints, &'static str> {
    let words: Vec<&str> = ends.splitn(5, ' ').collect();
    let [from, to, from_port, to_port] = words[..] else {
        return Err("it does not have two addresses and two ports");
    };
    let end = |address: &str, port| -> Result<SocketAddr, &'static str> {
        let address = address.parse::<A>();
        let address = address.map_err(|_| "an address of it is none, or of another kind")?;
        Ok(SocketAddr::new(address.into(), decimal(port)?))
    };
    Ok(Endpoints {
        source: end(from, from_port)?,
        destination: end(to, to_port)?,
    })
}

/// A port; leading zeros could be read as octal, and are not allowed.
fn decimal(port: &str) -> Result<u16, &'static str> {
    let is_plain =
        port.bytes().all(|byte| byte.is_ascii_digit()) && (port == "0" || !port.starts_with('0'));
    let port = port.parse().ok().filter(|_| is_plain);
    port.ok_or("a port of it is none")
}

/// What follows the signature: version and command, family and transport, how much comes, and that.
fn binary(rest: &[u8]) -> Result<Option<Header>, &'static str> {
    let is_proxied = match rest.first() {
        None => return Ok(None),
        Some(0x20) => false,
        Some(0x21) => true,
        Some(_) => return Err("its version is not 2, or its command is unknown"),
    };
    let Some((&[_, kind, high, low], rest)) = rest.split_first_chunk() else {
        return Ok(None);
    };
    if is_proxied && (kind >> 4 > 3 || kind & 0xf > 2) {
        return Err("its address family or its transport is unknown");
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    let needed = match kind {
        0x11 if is_proxied => 4 + 4 + 2 + 2,
        0x21 if is_proxied => 16 + 16 + 2 + 2,
        _ => 0,
    };
    if length < needed {
        return Err("it is too short for its addresses");
    }
    if rest.len() < length {
        return Ok(None);
    }
    Ok(Some(Header {
        length: FIXED + length,
        endpoints: match kind {
            0x11 if is_proxied => ends_of_bytes::<4>(rest),
            0x21 if is_proxied => ends_of_bytes::<16>(rest),
            _ => None,
        },
    }))
}

/// Two addresses of `N` bytes and two ports. There are as many bytes.
fn ends_of_bytes<const N: usize>(bytes: &[u8]) -> Option<Endpoints>
where
    IpAddr: From<[u8; N]>,
{
    let (from, bytes) = bytes.split_first_chunk::<N>()?;
    let (to, bytes) = bytes.split_first_chunk::<N>()?;
    let (from_port, bytes) = bytes.split_first_chunk()?;
    let (to_port, _) = bytes.split_first_chunk()?;
    let end = |address: &[u8; N], port: &[u8; 2]| {
        SocketAddr::new(IpAddr::from(*address), u16::from_be_bytes(*port))
    };
    Some(Endpoints {
        source: end(from, from_port),
        destination: end(to, to_port),
    })
}

#[cfg(test)]
mod tests;
