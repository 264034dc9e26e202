//! Where a backend is: an IP address and port, or a Unix socket.
//!
//! Pingora has a type for the two, and its load balancer lists backends by it. It is ours as well, so that what was picked is found again
//! without a conversion. A path that it cannot hold is refused with the file.

use std::collections::HashMap;
use std::os::unix::net::SocketAddr as UnixAddress;
use std::path::Path;

pub(crate) use pingora_core::protocols::l4::socket::SocketAddr as Address;

/// What is known of each address. The addresses are the operator's, so that nobody can choose them to collide; the standard library's hasher,
/// which is made for those that somebody can, takes several times as long.
pub(super) type ByAddress<T> = HashMap<Address, T, foldhash::fast::RandomState>;

/// What a backend on a Unix socket is called in `Host`, when nothing else is said: what nginx has in `$proxy_host` there.
pub(super) const UNIX_HOST: &str = "localhost";

/// The socket at `path`; `None` where no socket can be.
pub(super) fn unix(path: &Path) -> Option<Address> {
    UnixAddress::from_pathname(path).ok().map(Address::Unix)
}

/// As it stands in logs and in `$upstream_addr`, and what a backend's identity is made of.
pub(super) fn label(address: &Address) -> String {
    match address {
        Address::Inet(address) => address.to_string(),
        Address::Unix(_) => format!("unix:{address}"),
    }
}
