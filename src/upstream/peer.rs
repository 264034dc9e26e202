//! From an address to how Pingora connects to it.
//!
//! Pingora's own defaults have no timeout at all; here each is set from the upstream's configuration. The template is made once for each
//! backend: a request only copies it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use pingora_core::upstreams::peer::HttpPeer;

use crate::config;

/// The way to `address` under the settings of `upstream`.
pub(super) fn template(upstream: &config::Upstream, address: SocketAddr) -> HttpPeer {
    let mut peer = HttpPeer::new(address, false, String::new());
    // Connections are shared by all requests to one upstream, and by no other upstream.
    peer.group_key = group(&upstream.name);
    let options = &mut peer.options;
    options.connection_timeout = Some(upstream.timeouts.connect);
    options.total_connection_timeout = Some(upstream.timeouts.connect);
    // Pingora has one timeout for all reads. It keeps the longer one; the proxy keeps the shorter one itself.
    options.read_timeout = Some(upstream.timeouts.response.max(upstream.timeouts.read));
    options.write_timeout = Some(upstream.timeouts.write);
    // What a client nominates in `Connection` is taken out by our own rules: Pingora would refuse some of these requests.
    options
        .http_upstream_request_policy
        .strip_connection_nominated = false;
    options.idle_timeout = Some(upstream.connections.idle);
    peer
}

fn group(upstream: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    upstream.hash(&mut hasher);
    hasher.finish()
}
