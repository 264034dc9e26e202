//! From a backend to a connection that carries a request to it: one that there is, or a new one.
//!
//! Connections are kept by upstream, in `http1::Idle` and `http2::Pool`. Pingora makes them, with TLS, but keeps none.

use std::fmt;
use std::time::{Duration, Instant};

use pingora_core::connectors::TransportConnector;
use pingora_core::protocols::l4::ext::TcpKeepalive;
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use tokio::time::timeout;

use super::backend::Backend;
use super::http1::Connection;
use super::http2::Seat;
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
    async fn connect(&self, peer: &HttpPeer, limit: Duration) -> Result<Stream> {
        let connected = timeout(limit, self.0.new_stream(peer)).await;
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
    /// A seat on a connection that carries HTTP/2.
    Http2 {
        /// It.
        seat: Seat,
        /// Whether it has carried requests before.
        is_reused: bool,
    },
}

impl Upstream {
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
            && let Some(reached) = self.reach_again(backend, &introduction, now)
        {
            return Ok(reached);
        }
        let mut peer = self.peer(backend, behalf);
        if !self.may_speak_http2(backend) {
            peer.options.alpn = ALPN::H1;
        }
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
        Box::pin(self.connect(backend, connector, peer, introduction)).await
    }

    /// The same, over a connection that there is.
    fn reach_again(&self, backend: &Backend, introduction: &[u8], now: Instant) -> Option<Reached> {
        let is_reused = true;
        if self.may_speak_http2(backend)
            && let Some(seat) = self.http2.take(backend, introduction, now)
        {
            return Some(Reached::Http2 { seat, is_reused });
        }
        let connection = self.idle.take(backend, introduction, now)?;
        Some(Reached::Http1 {
            connection,
            is_reused,
        })
    }

    fn may_speak_http2(&self, backend: &Backend) -> bool {
        match self.config().protocol {
            BackendProtocol::Http1 => false,
            BackendProtocol::Http2 => true,
            BackendProtocol::Auto => !backend.wants_http1(),
        }
    }

    async fn connect(
        &self,
        backend: &Backend,
        connector: &Connector,
        mut peer: Box<HttpPeer>,
        introduction: Vec<u8>,
    ) -> Result<Reached> {
        let limit = self.config().timeouts.connect;
        let stream = connector.connect(&peer, limit).await?;
        let name = std::mem::take(&mut peer.sni);
        let is_reused = false;
        if self.speaks_http2(&stream)? {
            let seat = self
                .http2
                .connect(stream, backend, name, introduction)
                .await?;
            return Ok(Reached::Http2 { seat, is_reused });
        }
        let connection = Connection::new(stream, backend.address().clone(), name, introduction);
        Ok(Reached::Http1 {
            connection: Box::new(connection),
            is_reused,
        })
    }

    /// Whether HTTP/2 is spoken on this new connection: the handshake of TLS says it (ALPN, RFC 7301), or the operator.
    ///
    /// # Errors
    /// The handshake does not say what the operator does.
    fn speaks_http2(&self, stream: &Stream) -> Result<bool> {
        let chosen = stream.selected_alpn_proto();
        let is_asked = self.config().protocol == BackendProtocol::Http2;
        if is_asked && self.config().tls.is_some() && chosen != Some(ALPN::H2) {
            let what = "the handshake of TLS did not come to HTTP/2 (ALPN)";
            return Err(Error::explain(ErrorType::HandshakeError, what).into_up());
        }
        Ok(is_asked || chosen == Some(ALPN::H2))
    }

    /// Keeps `connection` for a later request. `limit` is how long the backend says that it keeps it.
    pub fn keep(&self, connection: Box<Connection>, limit: Option<Duration>, now: Instant) {
        let idle = self.config().connections.idle;
        let until = now + limit.map_or(idle, |limit| limit.min(idle));
        self.idle.put(connection, until);
    }
}

impl Reached {
    /// Whether it is a connection that has carried requests before.
    pub fn is_reused(&self) -> bool {
        match self {
            Self::Http1 { is_reused, .. } | Self::Http2 { is_reused, .. } => *is_reused,
        }
    }
}
