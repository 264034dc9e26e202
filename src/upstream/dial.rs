//! Connecting where Pingora's own way will not do: to Unix sockets.
//!
//! Pingora can connect to one, but takes a connection from its pool only when the kernel names the path that it has itself. The kernel
//! names what the backend was given, which is another one for a backend that was started with a relative path or that is reached through a
//! symbolic link: none of its connections would ever be used again, with an error in the log for each. So a peer of a Unix socket has no
//! address, of which Pingora does not ask where it leads; the path is part of the pool's key instead.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::connectors::l4::Connect;
use pingora_core::protocols::l4::stream::Stream;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use rustix::io::Errno;
use tokio::net::UnixStream;

use super::address::{Address, UNIX_HOST};

/// The address of a peer that is a path.
pub(super) const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Connects to the Unix socket at this path.
#[derive(Debug)]
pub(super) struct Dial(pub(super) Arc<Path>);

#[async_trait]
impl Connect for Dial {
    async fn connect(&self, _nowhere: &Address) -> Result<Stream> {
        let connected = UnixStream::connect(&self.0).await;
        connected.map(Stream::from).map_err(|error| {
            let context = format!("cannot connect to unix:{}", self.0.display());
            Error::because(kind(&error), context, error)
        })
    }
}

/// A socket that is not there, on which nobody listens, that this user may not write to, or whose queue is full: each says of the backend
/// what a refused connection does. Only what this process lacks does not.
fn kind(error: &io::Error) -> ErrorType {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
            ErrorType::InternalError
        }
        _ => ErrorType::ConnectRefused,
    }
}

/// What the backend of this peer is called in `Host`, when nothing else is said.
pub(super) fn host_of(peer: &HttpPeer) -> String {
    match &peer._address {
        Address::Inet(address) if *address == NOWHERE => UNIX_HOST.to_owned(),
        address => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_socket_lacks_is_the_backend_s_fault_and_what_this_process_lacks_is_not() {
        let kind = |errno: Errno| kind(&io::Error::from_raw_os_error(errno.raw_os_error()));
        for refused in [
            Errno::NOENT,
            Errno::CONNREFUSED,
            Errno::ACCESS,
            Errno::AGAIN,
            Errno::NOTDIR,
        ] {
            assert_eq!(kind(refused), ErrorType::ConnectRefused);
        }
        for ours in [Errno::MFILE, Errno::NFILE] {
            assert_eq!(kind(ours), ErrorType::InternalError);
        }
    }
}
