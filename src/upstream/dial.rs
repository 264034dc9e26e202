//! Connecting where Pingora's own way will not do: to Unix sockets, and to backends that are told whom a connection is made for.
//!
//! Pingora can connect to a path as well, but does not tell a socket on which nobody listens from a process without descriptors. A peer of a
//! Unix socket has no address for it.
//!
//! The header of the PROXY protocol is the first that a connection carries, before TLS.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::connectors::l4::Connect;
use pingora_core::protocols::l4::ext;
use pingora_core::protocols::l4::stream::Stream;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use rustix::io::Errno;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::address::{Address, UNIX_HOST};

/// The address of a peer that is a path.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// How one backend is connected to.
#[derive(Debug, Default)]
struct Dial {
    /// Where it is, when it is no address.
    path: Option<Arc<Path>>,
    /// What a connection begins with.
    header: Vec<u8>,
}

/// A peer at `address`, without any settings.
pub(super) fn peer(address: &Address, is_tls: bool, name: String) -> HttpPeer {
    HttpPeer::new(address.as_inet().copied().unwrap_or(NOWHERE), is_tls, name)
}

/// Makes connections to this peer, which is at `address`, begin with `header`.
pub(super) fn direct(peer: &mut HttpPeer, address: &Address, header: Vec<u8>) {
    let unix = address.as_unix().and_then(|address| address.as_pathname());
    if unix.is_none() && header.is_empty() {
        return;
    }
    let path = unix.map(Arc::from);
    peer.options.custom_l4 = Some(Arc::new(Dial { path, header }));
}

/// What the backend of this peer is called in `Host`, when nothing else is said.
pub(super) fn host_of(peer: &HttpPeer) -> String {
    match &peer._address {
        Address::Inet(address) if *address == NOWHERE => UNIX_HOST.to_owned(),
        address => address.to_string(),
    }
}

#[async_trait]
impl Connect for Dial {
    async fn connect(&self, address: &Address) -> Result<Stream> {
        let mut stream = match (&self.path, address) {
            (Some(path), _) => to_path(path).await?,
            (None, Address::Inet(address)) => to_port(address).await?,
            (None, Address::Unix(_)) => {
                return Error::e_explain(ErrorType::InternalError, "no such way to a backend");
            }
        };
        let introduced = async {
            stream.write_all(&self.header).await?;
            stream.flush().await
        };
        match introduced.await {
            Ok(()) => Ok(stream),
            Err(error) => Error::e_because(
                ErrorType::ConnectionClosed,
                "it did not take the header of the PROXY protocol",
                error,
            ),
        }
    }
}

/// As Pingora does it.
async fn to_port(address: &SocketAddr) -> Result<Stream> {
    let connected = ext::connect(address, None).await.map(Stream::from);
    connected.map_err(|error| {
        let context = format!("cannot connect to {address}");
        match error.etype() {
            ErrorType::SocketError | ErrorType::BindError => {
                Error::because(ErrorType::InternalError, context, error)
            }
            _ => error.more_context(context),
        }
    })
}

async fn to_path(path: &Path) -> Result<Stream> {
    let connected = UnixStream::connect(path).await.map(Stream::from);
    connected.map_err(|error| {
        let context = format!("cannot connect to unix:{}", path.display());
        Error::because(kind(&error), context, error)
    })
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
