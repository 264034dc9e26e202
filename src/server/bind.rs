//! Sockets.
//!
//! They are bound before a thread is started or a backend contacted: an address that cannot be had ends the process at once, with all such
//! addresses named. An IPv6 listener takes IPv6 clients only, as nginx has it, so that `0.0.0.0:80` and `[::]:80` can stand side by side.
//!
//! A Unix socket is a file, which stays behind when a process ends that had no time to remove it. One on which nobody listens is
//! replaced; anything else is left alone.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::config::{ListenAddress, Mode};

/// Connections that may wait to be accepted; the kernel cuts it to its own limit (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// A socket that listens, and does not yet belong to a runtime.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket, which is removed with this.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and number: another process may have put its own in the place of this one.
    identity: (u64, u64),
}

/// A socket that listens on `address`; who may connect to its file, if it is one, is `mode`'s to say.
///
/// # Errors
/// It cannot be had: what happened, and what to do.
pub(super) fn listen(address: &ListenAddress, mode: Option<Mode>) -> Result<Bound, String> {
    match address {
        ListenAddress::Socket(address) => tcp(*address)
            .map(Bound::Tcp)
            .map_err(|error| explain(*address, &error)),
        ListenAddress::Unix(path) => unix(path, mode).map_err(|error| explain_file(path, &error)),
    }
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
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

fn unix(path: &Path, mode: Option<Mode>) -> io::Result<Bound> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let address = SockAddr::unix(path)?;
    match socket.bind(&address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
            fs::remove_file(path)?;
            socket.bind(&address)?;
        }
        bound => bound?,
    }
    let file = SocketFile::at(path)?;
    if let Some(mode) = mode {
        file.permit(mode)?;
    }
    // Only from here on anybody can connect.
    socket.listen(BACKLOG)?;
    Ok(Bound::Unix(socket.into(), file))
}

/// Whether there is a socket on which nobody listens.
fn is_stale(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path)?,
        })
    }

    /// Lets those connect whom `mode` does.
    ///
    /// # Errors
    /// The file is gone, or this user may not.
    pub(super) fn permit(&self, mode: Mode) -> io::Result<()> {
        fs::set_permissions(&self.path, Permissions::from_mode(mode.0))
    }

    /// Takes it away, so that nobody connects to what no longer listens.
    pub(super) fn remove(&self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // It is only a courtesy: the next process replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

impl fmt::Display for SocketFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "unix:{}", self.path.display())
    }
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

fn explain_file(path: &Path, error: &io::Error) -> String {
    let is_socket = || fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let shown = path.display();
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse if is_socket() => format!(
            "another process listens there; stop it (to find it: ss -lxp | grep {shown}) or choose another path"
        ),
        io::ErrorKind::AddrInUse => {
            "there is a file that is no socket; remove it or choose another path".into()
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not write to the folder; choose another or change its permissions".into()
        }
        io::ErrorKind::NotFound => "there is no such folder; make it first".into(),
        _ => "check the path".into(),
    };
    format!("cannot listen on unix:{shown}: {error}; {advice}")
}
