//! Unused connections to backends over HTTP/2: how many of them Pingora keeps.
//!
//! Its pool is made once for all upstreams. How many each may keep is decided when a connection is opened; the pool only has to be large
//! enough, also for a configuration that is loaded later. Those over HTTP/1 each upstream keeps itself (`upstream::http1`).

use crate::config::{BackendProtocol, Config};

/// There is room for so many, however few are wanted at the start.
const AT_LEAST: usize = 4_096;

/// How many the process can keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity(pub(super) usize);

impl Capacity {
    /// That of a process which starts with this configuration.
    pub(super) fn for_a_start_with(config: &Config) -> Self {
        Self(kept(config).max(AT_LEAST))
    }
}

/// How many unused connections all upstreams together keep over HTTP/2.
pub(super) fn kept(config: &Config) -> usize {
    let upstreams = config.upstreams.iter();
    upstreams
        .filter(|upstream| match upstream.protocol {
            BackendProtocol::Http1 => false,
            BackendProtocol::Http2 => true,
            // In the clear that is HTTP/1.
            BackendProtocol::Auto => upstream.tls.is_some(),
        })
        .map(|upstream| upstream.connections.keepalive)
        .sum()
}
