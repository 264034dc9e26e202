//! What can be said to a hello service before it starts. Every field has a default, so that a test names
//! only what it is about: `Options::default().name("app1")`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How a hello service is to run; [`Options::default`] is a free port on 127.0.0.1 and the machine's host name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Where to listen; port 0 takes a free one. Default: `127.0.0.1:0`. Not read by [`serve`](crate::serve).
    pub address: SocketAddr,
    /// What `GET /` says as `hostname`. Default: the host name.
    pub name: String,
    /// How long an answer is held back, `/health` excepted. Default: not at all.
    pub delay: Duration,
    /// How long [`Hello::stop`](crate::Hello::stop) waits for requests in flight. Default: 5 s.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            name: gethostname::gethostname().to_string_lossy().into_owned(),
            delay: Duration::ZERO,
            grace: Duration::from_secs(5),
        }
    }
}

impl Options {
    /// Listens on `address`.
    #[must_use]
    pub fn address(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Answers `GET /` with `name` as the host name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    /// Holds every answer but that of `/health` back for `delay`: a slow backend.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Waits at most `grace` for requests in flight when it is stopped.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }
}
