//! The client's address, behind proxies that are trusted.
//!
//! A list of addresses in a header is a claim: each proxy wrote down whom it saw, and only what a trusted proxy wrote
//! counts. So the list is walked from the right, from the peer outwards, past trusted hops, and the first hop that is
//! not trusted is the client: everything left of it was written by that client. When all hops are trusted, the
//! leftmost is the client. An entry that is no address (`unknown`, `_hidden`, an IPv6 zone, rubbish) ends the walk,
//! and the last good hop counts: what stands behind a hole is nobody's word. Empty entries are passed over (RFC 9110
//! §5.6.1.2).
//!
//! `X-Forwarded-For` goes before `Forwarded`, which is read only where the first is missing or empty. A trusted proxy
//! that speaks only `Forwarded` must therefore remove a client's `X-Forwarded-For`. An IPv4 address in IPv6 clothes
//! (`::ffff:192.0.2.1`) is the IPv4 address everywhere. Work is bounded by [`MAX_ENTRIES`]. Source: RFC 7239 §5.2,
//! §6, §8.1.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::rfc7239;

/// So many entries are looked at, empty ones included; the walk then ends as if the list did. Real chains have fewer
/// than ten.
pub const MAX_ENTRIES: usize = 32;

/// The networks whose word about the client is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

impl TrustedProxies {
    /// Networks in any order. One of IPv4-mapped IPv6 addresses (`::ffff:10.0.0.0/104`) means the IPv4 network.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self {
            networks: networks.into_iter().map(as_ipv4_if_mapped).collect(),
            unix: false,
        }
    }

    /// The same, and those on Unix sockets, who have no address.
    #[must_use]
    pub fn and_unix(self) -> Self {
        Self { unix: true, ..self }
    }

    /// Whether the address lies in one of the networks; without one, whether those on Unix sockets are trusted. `::/0` is all of IPv6, and
    /// not IPv4.
    pub fn contains(&self, address: impl Into<Option<IpAddr>>) -> bool {
        let Some(address) = address.into() else {
            return self.unix;
        };
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }
}

/// Who asks: the peer, or, when the peer is trusted, the hop that the lines lead to; none where the one who asks is on a Unix socket.
/// Lines come in the order of the request.
pub fn find<'a>(
    peer: Option<IpAddr>,
    x_forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    forwarded: impl DoubleEndedIterator<Item = &'a [u8]>,
    trusted: &TrustedProxies,
) -> Option<IpAddr> {
    let peer = peer.map(|peer| peer.to_canonical());
    if !trusted.contains(peer) {
        return peer;
    }
    let mut entries = x_forwarded_for
        .rev()
        .flat_map(|line| line.rsplit(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .take(MAX_ENTRIES)
        .filter(|entry| !entry.is_empty())
        .peekable();
    if entries.peek().is_some() {
        return walk(peer, entries.map(parse_node), trusted);
    }
    let elements = forwarded
        .rev()
        .flat_map(rfc7239::elements_from_right)
        .take(MAX_ENTRIES)
        .filter(|element| !element.is_empty());
    walk(peer, elements.map(node_of_element), trusted)
}

/// An address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:80`. The port is checked and dropped; RFC 7239 §6.3 also allows a made-up one (`_x`). None for
/// anything else, a zone included.
pub fn parse_node(node: &[u8]) -> Option<IpAddr> {
    let node = std::str::from_utf8(node).ok()?;
    let address = if let Some(rest) = node.strip_prefix('[') {
        let (literal, after) = rest.split_once(']')?;
        let address = literal.parse::<Ipv6Addr>().ok()?;
        (after.is_empty() || after.strip_prefix(':').is_some_and(is_port))
            .then_some(IpAddr::V6(address))
    } else {
        match node.split_once(':') {
            Some((address, port)) if is_port(port) && address.contains('.') => {
                address.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
            }
            _ => node.parse().ok(),
        }
    };
    address.map(|address| address.to_canonical())
}

/// From the right; none stands for an entry that is no address.
fn walk(
    peer: Option<IpAddr>,
    hops: impl Iterator<Item = Option<IpAddr>>,
    trusted: &TrustedProxies,
) -> Option<IpAddr> {
    let mut client = peer;
    for hop in hops {
        let Some(address) = hop else { break };
        client = Some(address);
        if !trusted.contains(address) {
            break;
        }
    }
    client
}

fn node_of_element(element: &[u8]) -> Option<IpAddr> {
    let node = rfc7239::Element::parse(element)?.node?;
    // RFC 7239 §6: an IPv6 address stands in brackets here; a bare one cannot be told from one with a port.
    let bare_ipv6 =
        !node.starts_with(b"[") && node.iter().filter(|byte| **byte == b':').count() > 1;
    (!bare_ipv6).then(|| parse_node(node)).flatten()
}

fn is_port(port: &str) -> bool {
    let (made_up, rest) = match port.strip_prefix('_') {
        Some(rest) => (true, rest),
        None => (false, port),
    };
    let allowed = |byte: u8| match made_up {
        true => byte.is_ascii_alphanumeric() || b"._-".contains(&byte),
        false => byte.is_ascii_digit(),
    };
    !rest.is_empty() && rest.bytes().all(allowed) && (made_up || rest.len() <= 5)
}

fn as_ipv4_if_mapped(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let mapped = v6.network().to_ipv4_mapped();
    let length = v6.prefix_len().checked_sub(96);
    match mapped.zip(length) {
        Some((address, length)) => Ipv4Net::new(address, length).map_or(network, IpNet::V4),
        None => network,
    }
}

#[cfg(test)]
mod tests;
