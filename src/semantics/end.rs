//! One end of a client's connection.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// One end of a client's connection. On a Unix socket it has no address, and is called as nginx calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// An IP address and port.
    Socket(SocketAddr),
    /// A Unix socket.
    Unix,
}

/// What stands in the place of an address where there is none.
pub const UNIX: &str = "unix:";

impl End {
    /// Its IP address, if it has one.
    pub fn ip(self) -> Option<IpAddr> {
        self.socket().map(|address| address.ip())
    }

    /// Its port, if it has one.
    pub fn port(self) -> Option<u16> {
        self.socket().map(|address| address.port())
    }

    /// Both, if it has any.
    pub fn socket(self) -> Option<SocketAddr> {
        match self {
            Self::Socket(address) => Some(address),
            Self::Unix => None,
        }
    }
}

impl From<SocketAddr> for End {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => write!(out, "{address}"),
            Self::Unix => out.write_str(UNIX),
        }
    }
}
