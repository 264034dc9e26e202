//! Connections to backends over HTTP/1.
//!
//! Pingora has a client of its own for this, which is not used: it takes answers that two readers could understand differently (lines that
//! are folded or end with a bare LF, a space before a colon, a length beside a transfer coding, a chunk without a size) and makes them clean
//! before anybody can see that they were not; it keeps each unused connection with a task of its own, asks the kernel for its address at
//! each request, and copies each head and piece. The connection itself, with TLS and its timeouts, is made by Pingora.
//!
//! - `connection`: bytes out and bytes in
//! - `request`: the framing of a request's body
//! - `answer`: parts of an answer, out of bytes
//! - `idle`: the connections that wait for their next request

mod answer;
mod connection;
mod idle;
mod request;

use std::fmt;
use std::time::{Duration, Instant};

use pingora_core::connectors::TransportConnector;
use pingora_core::protocols::l4::ext::TcpKeepalive;
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use tokio::time::timeout;

pub use answer::{AnswerReader, Form, Keeps, Part, Passed};
pub use connection::{Alarm, Connection, Event};
pub(super) use idle::Idle;
pub use request::RequestBody;

use super::backend::Backend;
use super::upstream::Upstream;
use crate::config::BackendProtocol;
use crate::semantics::proxy_protocol::{Behalf, write};

/// Makes connections; shared by all requests. Making one reads the system's certificates.
pub struct Connector(TransportConnector);

impl Default for Connector {
    fn default() -> Self {
        Self(TransportConnector::new(None))
    }
}

impl Connector {
    /// Connects to `peer`, in TCP and TLS together within `limit`. The runtime keeps that time: the first of Pingora's own timers begins a
    /// thread that wakes up a hundred times a second for as long as the process lives.
    async fn connect(&self, peer: &mut HttpPeer, limit: Duration) -> Result<Stream> {
        peer.options.connection_timeout = None;
        peer.options.total_connection_timeout = None;
        let connected = timeout(limit, self.0.new_stream(&*peer)).await;
        connected.unwrap_or_else(|_| {
            let what = format!("not connected within timeouts.connect, {limit:?}");
            Error::e_explain(ErrorType::ConnectTimedout, what)
        })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connector").finish_non_exhaustive()
    }
}

/// How the kernel asks a side that says nothing whether it is still there.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    /// So long nothing is said before it is asked.
    pub idle: Duration,
    /// So long it has for an answer before it is asked again.
    pub interval: Duration,
    /// So often it is asked.
    pub probes: u32,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Requests, one after the other.
    Requests,
    /// A request that may switch it to another protocol. It is a new one, on which HTTP/2 is not offered.
    Tunnel(Keepalive),
}

/// A way to a backend.
#[derive(Debug)]
pub enum Reached {
    /// A connection that carries HTTP/1.
    Http1 {
        /// It.
        connection: Box<Connection>,
        /// Whether it has carried requests before.
        is_reused: bool,
    },
    /// The backend wants HTTP/2, which is not spoken here. That was noted; nothing was sent.
    Http2,
}

impl Upstream {
    /// Whether requests to `backend` go over HTTP/1, as far as is known.
    pub fn speaks_http1(&self, backend: &Backend) -> bool {
        match self.config().protocol {
            BackendProtocol::Http1 => true,
            BackendProtocol::Http2 => false,
            BackendProtocol::Auto => self.config().tls.is_none() || !backend.has_chosen_http2(),
        }
    }

    /// A connection to `backend`: one that waits, or a new one. `behalf` is whom it is made for.
    ///
    /// # Errors
    /// Pingora's, where it could not be made.
    pub async fn reach(
        &self,
        backend: &Backend,
        connector: &Connector,
        behalf: impl Fn() -> Behalf,
        purpose: Purpose,
        now: Instant,
    ) -> Result<Reached> {
        let introduction = self.config().proxy_protocol;
        let introduction = introduction.map(|version| write(version, &behalf()));
        let introduction = introduction.unwrap_or_default();
        if let Purpose::Requests = purpose
            && let Some(connection) = self.idle.take(backend, &introduction, now)
        {
            return Ok(Reached::Http1 {
                connection,
                is_reused: true,
            });
        }
        let mut peer = self.peer(backend, behalf);
        if let Purpose::Tunnel(keepalive) = purpose {
            peer.options.alpn = ALPN::H1;
            peer.options.tcp_keepalive = Some(TcpKeepalive {
                idle: keepalive.idle,
                interval: keepalive.interval,
                count: keepalive.probes as usize,
                user_timeout: Duration::ZERO,
            });
        }
        // Boxed, so that a request for which one waits does not hold the space for it.
        let limit = self.config().timeouts.connect;
        let stream = Box::pin(connector.connect(&mut peer, limit)).await?;
        if stream.selected_alpn_proto() == Some(ALPN::H2) {
            backend.choose_http2(true);
            return Ok(Reached::Http2);
        }
        let connection = Connection::new(
            stream,
            backend.address().clone(),
            peer.sni.clone(),
            introduction,
        );
        Ok(Reached::Http1 {
            connection: Box::new(connection),
            is_reused: false,
        })
    }

    /// Keeps `connection` for a later request. `limit` is how long the backend says that it keeps it.
    pub fn keep(&self, connection: Box<Connection>, limit: Option<Duration>, now: Instant) {
        let idle = self.config().connections.idle;
        let until = now + limit.map_or(idle, |limit| limit.min(idle));
        self.idle.put(connection, until);
    }
}
