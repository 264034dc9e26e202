//! One address of an upstream and its live state.
//!
//! The state is a handful of atomics: written by the requests in flight and by the health checks, read by the policies at every pick.
//! Nothing here is locked, and every number is a plain count that is allowed to be a moment old. What a policy needs to see of it is the
//! backend's [`Member`], which it shares with the policies.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use http::HeaderValue;
use pingora_core::upstreams::peer::HttpPeer;

use super::balance::{FULL_WEIGHT, Member};

/// One address that requests can be sent to.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    label: Arc<str>,
    /// What the operator wrote: an address, or a name that stands for this one.
    written: String,
    member: Arc<Member>,
    health: AtomicU8,
    requests: AtomicU64,
    failures: AtomicU64,
    peer: HttpPeer,
}

/// What is known about whether a backend can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// Checks are configured, and the first one is not done.
    Unknown = 0,
    /// The checks succeed, or there are none.
    Up = 1,
    /// The checks fail.
    Down = 2,
}

impl Backend {
    pub(super) fn new(address: SocketAddr, written: String, weight: u32, peer: HttpPeer) -> Self {
        Self {
            address,
            label: address.to_string().into(),
            written,
            member: Arc::new(Member::new(
                identity(address),
                weight.saturating_mul(FULL_WEIGHT),
            )),
            health: AtomicU8::new(Health::Unknown as u8),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            peer,
        }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is, as text.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// What a policy sees of it.
    pub fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// What the checks say.
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            0 => Health::Unknown,
            1 => Health::Up,
            _ => Health::Down,
        }
    }

    pub(super) fn set_health(&self, health: Health) {
        self.health.store(health as u8, Ordering::Relaxed);
    }

    /// Attempts made at it since it became known.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Attempts at it that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(crate) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// What it is called in `Host`, when it is not to see the client's: the name or address that the operator wrote.
    pub fn host(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.written).ok()
    }

    /// How Pingora is to connect to it, with every timeout set.
    pub(crate) fn peer(&self) -> &HttpPeer {
        &self.peer
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self.written == *self.label {
            formatter.write_str(&self.label)
        } else {
            write!(formatter, "{} ({})", self.written, self.label)
        }
    }
}

fn identity(address: SocketAddr) -> u64 {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    hasher.finish()
}
