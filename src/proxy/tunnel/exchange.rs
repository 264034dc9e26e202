//! The backend's connection as Pingora sees it while heads are exchanged that may end in a tunnel.
//!
//! Pingora connects through [`Door`] and gets an [`Exchange`]: it reads the backend's heads and what belongs to an answer, byte by byte. Of
//! a connection that was switched it sees the 101 and then the end; all the rest stays here. When Pingora lets go of the connection, what
//! is behind the 101 is left in [`Left`], where the tunnel finds it. It does not matter in which order Pingora sees the 101 and the end of
//! the request: either way its part is over.
//!
//! TLS is below: the connection is made by Pingora's own connector, from the peer that the request would otherwise have had.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use pingora_core::Result;
use pingora_core::connectors::{L4Connect, TransportConnector};
use pingora_core::protocols::l4::ext::TcpKeepalive;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::protocols::l4::stream::Stream as Layer4;
use pingora_core::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora_core::protocols::{ALPN, Stream};
use pingora_core::upstreams::peer::{HttpPeer, Scheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Tunnel;
use crate::semantics::answer_head::{Answer, AnswerHeads};

/// So long nothing is said before a side is asked whether it is still there.
pub(in crate::proxy) const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// So long it has for an answer before it is asked again.
pub(in crate::proxy) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// So often it is asked.
pub(in crate::proxy) const KEEPALIVE_PROBES: u32 = 4;

/// Tells the connections that may become tunnels from all others in Pingora's pool.
const APART: u64 = 1 << 63;

/// Makes these connections; shared by all requests, and made with the first one that needs it.
#[derive(Default)]
pub(in crate::proxy) struct Connector(OnceLock<TransportConnector>);

impl Connector {
    fn get(&self) -> &TransportConnector {
        self.0.get_or_init(|| TransportConnector::new(None))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connector").finish_non_exhaustive()
    }
}

/// Where the backend's connection is left when it was switched.
#[derive(Clone, Debug, Default)]
pub(in crate::proxy) struct Left(Arc<Mutex<Option<Tunnel>>>);

impl Left {
    pub(in crate::proxy) fn take(&self) -> Option<Tunnel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, tunnel: Tunnel) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
    }
}

/// The peer for a request that may end in a tunnel, in the place of `peer`; the connection will be left in `left`.
///
/// It is a connection of its own, which is never pooled.
pub(in crate::proxy) fn peer(
    mut peer: HttpPeer,
    connector: &Arc<Connector>,
    left: &Left,
) -> HttpPeer {
    peer.options.alpn = ALPN::H1;
    let mut below = peer.clone();
    below.options.tcp_keepalive = Some(TcpKeepalive {
        idle: KEEPALIVE_IDLE,
        interval: KEEPALIVE_INTERVAL,
        count: KEEPALIVE_PROBES as usize,
        user_timeout: Duration::ZERO,
    });
    // What is below has its own limits, and its own words for them.
    peer.options.connection_timeout = None;
    peer.options.total_connection_timeout = None;
    peer.scheme = Scheme::HTTP;
    peer.sni = String::new();
    peer.client_cert_key = None;
    peer.group_key ^= APART;
    peer.options.idle_timeout = Some(Duration::ZERO);
    peer.options.custom_l4 = Some(Arc::new(Door {
        peer: below,
        connector: Arc::clone(connector),
        left: left.clone(),
    }));
    peer
}

/// The way in.
#[derive(Debug)]
struct Door {
    peer: HttpPeer,
    connector: Arc<Connector>,
    left: Left,
}

#[async_trait]
impl L4Connect for Door {
    async fn connect(&self, _address: &SocketAddr) -> Result<Layer4> {
        let backend = self.connector.get().new_stream(&self.peer).await?;
        let exchange = Exchange {
            backend: Some(backend),
            heads: AnswerHeads::default(),
            welcome: BytesMut::new(),
            left: self.left.clone(),
        };
        Ok(VirtualSocketStream::new(Box::new(exchange)).into())
    }
}

#[derive(Debug)]
struct Exchange {
    /// There until it is left.
    backend: Option<Stream>,
    heads: AnswerHeads,
    /// What the backend has said behind its 101.
    welcome: BytesMut,
    left: Left,
}

impl Exchange {
    fn is_switched(&self) -> bool {
        self.heads.seen() == Answer::Switched
    }

    fn poll_backend<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut Stream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.backend {
            Some(backend) => poll(Pin::new(backend)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for Exchange {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_switched() {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(this.poll_backend(|backend| backend.poll_read(context, buffer)))?;
        let of_answer = before + this.heads.walk(&buffer.filled()[before..]);
        if this.is_switched() {
            this.welcome
                .extend_from_slice(&buffer.filled()[of_answer..]);
            buffer.set_filled(of_answer);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Exchange {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_backend(|backend| backend.poll_write(context, data))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_backend(|backend| backend.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_switched() {
            // Only Pingora's part is over.
            return Poll::Ready(Ok(()));
        }
        self.poll_backend(|backend| backend.poll_shutdown(context))
    }
}

impl VirtualSocket for Exchange {
    /// The socket below has its options already.
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_switched() {
            return;
        }
        if let Some(backend) = self.backend.take() {
            let welcome = std::mem::take(&mut self.welcome);
            self.left.put(Tunnel::new(backend, welcome));
        }
    }
}
