//! Sockets.
//!
//! They are bound before a thread is started or a backend contacted: an address that cannot be had ends the process at once, with all such
//! addresses named. An IPv6 listener takes IPv6 clients only, as nginx has it, so that `0.0.0.0:80` and `[::]:80` can stand side by side.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that may wait to be accepted; the kernel cuts it to its own limit (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// A socket that listens on `address`.
///
/// # Errors
/// It cannot be had: what happened, and what to do.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    bind(address).map_err(|error| explain(address, &error))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restarted process must not wait for connections of the former one to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn explain(address: SocketAddr, error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another process listens there; stop it (to find it: ss -ltnp 'sport = :{}') or choose another port",
            address.port()
        ),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE; choose a higher port or grant it".into()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; use one of its own, or 0.0.0.0 for all".into()
        }
        _ => "check the address".into(),
    };
    format!("cannot listen on {address}: {error}; {advice}")
}
