//! One address of an upstream and its live state.
//!
//! The state is a handful of atomics: written by the requests in flight and by the health checks, read by the policies at every pick.
//! Nothing here is locked, and every number is a plain count that is allowed to be a moment old. What a policy needs to see of it is the
//! backend's [`Member`], which it shares with the policies.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_load_balancing::Backend as Listed;

use super::address::{Address, UNIX_HOST, label};
use super::balance::{FULL_WEIGHT, Member};
use super::discovery::listed;
use super::recovery::History;
use crate::config::{self, State};

/// One address that requests can be sent to.
#[derive(Debug)]
pub struct Backend {
    address: Address,
    label: Arc<str>,
    /// What the operator wrote: an address, or a name that stands for this one.
    written: String,
    member: Arc<Member>,
    state: State,
    max_requests: Option<u32>,
    /// In thousandths; its member may have less for a while.
    full_weight: AtomicU32,
    health: AtomicU8,
    history: Mutex<History>,
    has_joined_late: AtomicBool,
    requests: AtomicU64,
    failures: AtomicU64,
    peer: HttpPeer,
    /// It has refused to be spoken to over HTTP/2.
    wants_http1: AtomicBool,
    /// Tells backends apart that have been at this address, one after the other.
    edition: usize,
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
    pub(super) fn new(address: Address, config: &config::Backend, peer: HttpPeer) -> Self {
        let label: Arc<str> = label(&address).into();
        let member = Arc::new(member(&label, config));
        Self {
            address,
            written: config.address.to_string(),
            full_weight: AtomicU32::new(member.weight()),
            member,
            label,
            state: config.state,
            max_requests: config.max_requests,
            health: AtomicU8::new(Health::Unknown as u8),
            history: Mutex::default(),
            has_joined_late: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            peer,
            wants_http1: AtomicBool::new(false),
            edition: 1,
        }
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Where it is, as text.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// What the operator wrote: an address, or a name that stands for this one.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// What a policy sees of it.
    pub fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// What the operator says: whether it gets requests at all.
    pub fn state(&self) -> State {
        self.state
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

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        // A panic under the lock can at worst have left a failure uncounted.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it was found while others were serving already.
    pub(super) fn has_joined_late(&self) -> bool {
        self.has_joined_late.load(Ordering::Relaxed)
    }

    pub(super) fn join_late(&self) {
        self.has_joined_late.store(true, Ordering::Relaxed);
    }

    /// The weight that it has when nothing speaks against it, in thousandths.
    pub(super) fn full_weight(&self) -> u32 {
        self.full_weight.load(Ordering::Relaxed)
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

    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it was made for this entry of the file. Weight and rank do not matter, they may change.
    pub(super) fn stands_for(&self, config: &config::Backend) -> bool {
        self.written == config.address.to_string()
    }

    /// Whether it can go on under this entry of the file, which may be that of another file.
    pub(super) fn goes_on_as(&self, config: &config::Backend) -> bool {
        self.stands_for(config)
            && self.state == config.state
            && self.max_requests == config.max_requests
    }

    /// Sets [`Self::full_weight`].
    pub(super) fn set_full_weight(&self, thousandths: u32) {
        self.full_weight.store(thousandths, Ordering::Relaxed);
    }

    /// The same in place of `former`, which is at the same address: as healthy, but not the same to Pingora.
    pub(super) fn in_place_of(self, former: &Self) -> Self {
        self.set_health(former.health());
        Self {
            edition: former.edition.wrapping_add(1),
            ..self
        }
    }

    /// How Pingora lists it.
    pub(super) fn listed(&self) -> Listed {
        Listed {
            weight: self.edition,
            ..listed(self.address.clone())
        }
    }

    /// What it is called in `Host`, when it is not to see the client's: the name or address that the operator wrote, or for a Unix socket
    /// what nginx has in `$proxy_host` there.
    pub fn host(&self) -> Option<HeaderValue> {
        match self.address {
            Address::Inet(_) => HeaderValue::from_str(&self.written).ok(),
            Address::Unix(_) => Some(HeaderValue::from_static(UNIX_HOST)),
        }
    }

    /// Whether it has refused to be spoken to over HTTP/2, which it had agreed to in TLS.
    pub(super) fn wants_http1(&self) -> bool {
        self.wants_http1.load(Ordering::Relaxed)
    }

    /// It has refused a request over HTTP/2 (`HTTP_1_1_REQUIRED`, RFC 9113 §7): the next ones go over HTTP/1.
    pub(crate) fn note_wants_http1(&self) {
        self.wants_http1.store(true, Ordering::Relaxed);
    }

    /// How Pingora is to connect to it.
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

fn member(label: &str, config: &config::Backend) -> Member {
    let mut member = Member::new(identity(label), full_weight(config));
    if let Some(limit) = config.max_requests {
        member = member.limited(limit);
    }
    if config.backup {
        member = member.backup();
    }
    member
}

fn full_weight(config: &config::Backend) -> u32 {
    config.weight.saturating_mul(FULL_WEIGHT)
}

/// FNV-1a (Fowler, Noll and Vo; RFC 9923) of the address as text: every build of every Evenkeel must place a backend alike, which the
/// standard library's hasher does not promise.
fn identity(label: &str) -> u64 {
    label
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        })
}

#[cfg(test)]
mod tests {
    use super::identity;

    #[test]
    fn a_backend_has_the_same_identity_in_every_build() {
        // The first two are known values of the 64-bit FNV-1a. Seen failing with DefaultHasher.
        assert_eq!(identity(""), 0xCBF2_9CE4_8422_2325);
        assert_eq!(identity("foobar"), 0x8594_4171_F739_67E8);
        assert_ne!(identity("127.0.0.1:8001"), identity("127.0.0.1:8002"));
    }
}
