//! A Unix socket in a folder of its own, in front of a backend that listens on a port.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;

/// Passes every connection on to the backend, byte for byte.
pub(crate) struct UnixSocket {
    folder: TempDir,
    connections: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl UnixSocket {
    pub(crate) fn to(backend: SocketAddr) -> Self {
        let socket = Self {
            folder: tempfile::tempdir().unwrap(),
            connections: Arc::default(),
            is_over: Arc::default(),
        };
        let listener = UnixListener::bind(socket.path()).unwrap();
        let (connections, is_over) = (Arc::clone(&socket.connections), Arc::clone(&socket.is_over));
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                connections.fetch_add(1, Ordering::Relaxed);
                if let Ok(backend) = TcpStream::connect(backend) {
                    pass_on(client, backend);
                }
            }
        });
        socket
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder().join("app.sock")
    }

    /// As it stands in the file.
    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.path().display())
    }

    /// How many there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = UnixStream::connect(self.path());
    }
}

/// A port from which every connection is passed on to this Unix socket, for clients that know ports only.
pub(crate) fn port_to(socket: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let socket = socket.to_owned();
    // It ends with the test's process.
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            if let Ok(server) = UnixStream::connect(&socket) {
                pass_on(server, client);
            }
        }
    });
    address
}

/// In both directions, until either side has no more to say.
fn pass_on(unix: UnixStream, tcp: TcpStream) {
    let (mut from, mut to) = (unix.try_clone().unwrap(), tcp.try_clone().unwrap());
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (tcp, unix);
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
