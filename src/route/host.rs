//! Hosts: what a route may ask of one, and how the routes for one are found among many.
//!
//! An exact host is one hash lookup. `*.example.com` stands under its suffix in a second map, which is asked for the suffixes of the
//! host from the longest to the shortest, and only for those whose length some wildcard has: a host of a hundred labels costs no more
//! lookups than there are such lengths. The host of a request is brought to the form of the patterns on the stack, so that a lookup
//! does not allocate: lower case, without port and one trailing dot, and an IPv6 literal in the one spelling of RFC 5952. Whether it is
//! an authority at all is not asked here: that costs more than the lookup, and a request that has none is refused before it is routed.

use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::net::Ipv6Addr;

use super::precedence::HostRank;
use crate::config::HostPattern;

/// A host that a route asks for, in the form that requests are compared in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// This host only.
    Exact(Box<str>),
    /// One or more labels before this suffix, which is kept without `*.`.
    Wildcard(Box<str>),
}

impl Host {
    pub(super) fn new(pattern: &HostPattern) -> Self {
        match pattern {
            HostPattern::Exact(host) => Self::Exact(HostName::new(host).as_str().into()),
            HostPattern::Wildcard(suffix) => Self::Wildcard(HostName::new(suffix).as_str().into()),
        }
    }

    /// Whether a request for `name` may take the route. A request that names no host is for none in particular.
    pub(super) fn accepts(&self, name: &HostName) -> bool {
        let name = name.as_str();
        match self {
            Self::Exact(host) => !name.is_empty() && name == &**host,
            Self::Wildcard(suffix) => name
                .strip_suffix(&**suffix)
                .and_then(|labels| labels.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
        }
    }

    pub(super) fn rank(&self) -> HostRank {
        match self {
            Self::Exact(_) => HostRank::Exact,
            Self::Wildcard(suffix) => HostRank::Wildcard(suffix.len()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => f.write_str(host),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

/// The host of a request, brought to the form of the patterns without allocating.
#[derive(Debug)]
pub(super) struct HostName {
    bytes: [u8; LONGEST],
    length: usize,
}

/// A name in the DNS has at most 253 bytes as text (RFC 1035 §2.3.4); what is longer is no host of ours.
const LONGEST: usize = 253;

impl HostName {
    /// Takes a host as sent, with or without a port. One that is too long becomes the empty name, which no pattern accepts.
    pub(super) fn new(sent: &str) -> Self {
        let mut name = Self {
            bytes: [0; LONGEST],
            length: 0,
        };
        let host = without_port(sent);
        match ipv6(host) {
            Some(address) => name.write_literal(address),
            None => name.write_lower_case(host.strip_suffix('.').unwrap_or(host)),
        }
        name
    }

    pub(super) fn as_str(&self) -> &str {
        let written = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }

    fn write_lower_case(&mut self, host: &str) {
        if let Some(room) = self.bytes.get_mut(..host.len()) {
            room.copy_from_slice(host.as_bytes());
            room.make_ascii_lowercase();
            self.length = host.len();
        }
    }

    fn write_literal(&mut self, address: Ipv6Addr) {
        let mut room = &mut self.bytes[..];
        if write!(room, "[{address}]").is_ok() {
            self.length = LONGEST - room.len();
        }
    }
}

/// A bare `[::1]` keeps its colons: what follows the last one ends in a bracket and is no port.
fn without_port(sent: &str) -> &str {
    match sent.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => sent,
    }
}

fn ipv6(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// Something for each host that is named, and something for any other.
#[derive(Debug)]
pub(super) struct HostIndex<T> {
    exact: HashMap<Box<str>, T>,
    wildcard: HashMap<Box<str>, T>,
    wildcard_lengths: Lengths,
    any: Option<T>,
}

impl<T> HostIndex<T> {
    pub(super) fn new(entries: impl Iterator<Item = (Option<Host>, T)>) -> Self {
        let mut index = Self {
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            wildcard_lengths: Lengths::default(),
            any: None,
        };
        for (host, entry) in entries {
            match host {
                Some(Host::Exact(name)) => drop(index.exact.insert(name, entry)),
                Some(Host::Wildcard(suffix)) => {
                    index.wildcard_lengths.insert(suffix.len());
                    index.wildcard.insert(suffix, entry);
                }
                None => index.any = Some(entry),
            }
        }
        index
    }

    /// What stands for `name`, from the closest to the least close.
    pub(super) fn closest_first<'a>(&'a self, name: &'a HostName) -> impl Iterator<Item = &'a T> {
        let name = name.as_str();
        let exact = self.exact.get(name).filter(|_| !name.is_empty());
        let wildcards = self
            .suffixes(name)
            .filter_map(|suffix| self.wildcard.get(suffix));
        exact.into_iter().chain(wildcards).chain(&self.any)
    }

    fn suffixes<'a>(&self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let searched = if self.wildcard.is_empty() { "" } else { name };
        searched
            .match_indices('.')
            .filter(|(dot, _)| *dot > 0)
            .filter_map(|(dot, _)| name.get(dot + 1..))
            .filter(|suffix| self.wildcard_lengths.contains(suffix.len()))
    }
}

/// A set of lengths up to [`LONGEST`].
#[derive(Debug, Default)]
struct Lengths([u64; 4]);

impl Lengths {
    fn insert(&mut self, length: usize) {
        if let Some(word) = self.0.get_mut(length / 64) {
            *word |= 1 << (length % 64);
        }
    }

    fn contains(&self, length: usize) -> bool {
        self.0
            .get(length / 64)
            .is_some_and(|word| word & (1 << (length % 64)) != 0)
    }
}
