//! Addresses where no connection is to be had.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Refuses every connection. The port is bound, so that nobody else gets it, but nobody listens on it.
pub(crate) struct RefusingBackend {
    socket: Socket,
}

impl RefusingBackend {
    pub(crate) fn new() -> Self {
        Self { socket: bound() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        address(&self.socket)
    }
}

/// Neither accepts nor refuses: its queue of waiting connections is full, so the kernel drops what comes.
pub(crate) struct FullBackend {
    socket: Socket,
    _waiting: Vec<TcpStream>,
}

impl FullBackend {
    pub(crate) fn new() -> Self {
        let socket = bound();
        socket.listen(0).unwrap();
        let address = address(&socket);
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        // The first that is left waiting says that the queue is full.
        let waiting: Vec<_> = std::iter::from_fn(connect).take(1024).collect();
        assert!(waiting.len() < 1024, "the queue of {address} has no end");
        Self {
            socket,
            _waiting: waiting,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        address(&self.socket)
    }
}

fn bound() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket
}

fn address(socket: &Socket) -> SocketAddr {
    socket.local_addr().unwrap().as_socket().unwrap()
}
