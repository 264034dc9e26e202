//! Who sent a request, and what it is called.

use std::net::IpAddr;
use std::time::SystemTime;

use http::{HeaderMap, HeaderValue};

use crate::runtime::Snapshot;
use crate::semantics::client_ip::{self, TrustedProxies};
use crate::semantics::request_id;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The client: the peer of the connection, or who is behind it if it is trusted; none on a Unix socket.
    pub client: Option<IpAddr>,
    /// Whether what the peer says of others is believed.
    pub peer_is_trusted: bool,
}

impl Sender {
    /// Who has sent a request with these headers over a connection of `peer`.
    pub fn of(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let peer_is_trusted = trusted.contains(peer);
        let lines = |name| headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
        let client = if peer_is_trusted {
            client_ip::find(peer, lines("x-forwarded-for"), lines("forwarded"), trusted)
        } else {
            peer
        };
        Self {
            client,
            peer_is_trusted,
        }
    }
}

/// The id that a trusted peer has given the request, if it can be kept.
pub fn kept_request_id<'a>(
    snapshot: &Snapshot,
    headers: &'a HeaderMap,
    peer_is_trusted: bool,
) -> Option<&'a HeaderValue> {
    headers
        .get(&snapshot.request_id.name)
        .filter(|id| peer_is_trusted && request_id::is_acceptable(id.as_bytes()))
}

/// A new id for a request that began at this time. Over HTTP/2 nobody is to keep it in a table of headers (RFC 7541 §7.1.3): none comes
/// twice, and would only push out of there what does.
pub fn make_request_id(now: SystemTime) -> HeaderValue {
    let since_1970 = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let millis = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    let mut text = [0; request_id::LENGTH];
    let text = request_id::make(millis, random).encode(&mut text);
    let mut id = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-"));
    id.set_sensitive(true);
    id
}
