//! A connection that the backend has switched to another protocol: what either side says goes to the other, until both have ended.
//!
//! Pingora has a tunnel of its own, which is not used. In 0.9.1 it ends at once when the backend's 101 overtakes the end of the request,
//! which has no body (its issue 946, `proxy_h1.rs`); it ends with the first side that has nothing more to say, whatever the other still
//! sends; and the timeouts of an exchange go on in it. So the exchange of heads is ours (`proxy::exchange`), and Pingora regards the request
//! as over with the 101. The tunnel begins then, and the request is reported when it ends.
//!
//! It is driven by whoever reads from the client's connection, which is a type of ours and the owner of the client's socket. While nothing
//! is said it holds no buffer and no timer. That a side is gone without a word, its keepalive tells.

mod way;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use pingora_core::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::upstream::reach::Keepalive;
use way::{Stopped, Way};

/// How a side that says nothing is asked whether it is still there.
pub(super) const KEEPALIVE: Keepalive = Keepalive {
    idle: Duration::from_secs(60),
    interval: Duration::from_secs(15),
    probes: 4,
};

/// Both ways between a client and a backend.
#[derive(Debug)]
pub struct Tunnel {
    backend: Stream,
    to_backend: Way,
    to_client: Way,
    /// Bytes that the client has been given.
    sent: u64,
    is_over: bool,
    broken: Option<Broken>,
}

/// Who has broken off in the middle, and how it showed.
#[derive(Debug)]
pub(super) enum Broken {
    Client(io::Error),
    Backend(io::Error),
}

impl Tunnel {
    /// A tunnel to a backend that has said `welcome` behind its 101.
    pub(super) fn new(backend: Stream, welcome: BytesMut) -> Self {
        Self {
            backend,
            to_backend: Way::default(),
            to_client: Way::beginning_with(welcome),
            sent: 0,
            is_over: false,
            broken: None,
        }
    }

    /// Carries what there is to be carried. Ready when it is over.
    ///
    /// `early` is what was read from the client before; `read` and `written` count what is read from and written to it.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        client: &mut (impl AsyncRead + AsyncWrite + Unpin),
        early: &mut BytesMut,
        (read, written): (&AtomicU64, &AtomicU64),
    ) -> Poll<()> {
        if self.is_over {
            return Poll::Ready(());
        }
        if !early.is_empty() {
            read.fetch_add(early.len() as u64, Ordering::Relaxed);
            self.to_backend.begin_with(std::mem::take(early));
        }
        let there = self.to_backend.poll(context, client, &mut self.backend);
        read.fetch_add(self.to_backend.take_count().read, Ordering::Relaxed);
        let back = self.to_client.poll(context, &mut self.backend, client);
        let count = self.to_client.take_count().written;
        written.fetch_add(count, Ordering::Relaxed);
        self.sent += count;
        let broken = match (there, back) {
            (Poll::Ready(Err(Stopped::Reading(error))), _)
            | (_, Poll::Ready(Err(Stopped::Writing(error)))) => Some(Broken::Client(error)),
            (Poll::Ready(Err(Stopped::Writing(error))), _)
            | (_, Poll::Ready(Err(Stopped::Reading(error)))) => Some(Broken::Backend(error)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => None,
            _ => return Poll::Pending,
        };
        self.is_over = true;
        // A side that has said its last may be gone before it has read the other's.
        let has_parted = self.to_backend.has_ended() || self.to_client.has_ended();
        self.broken = broken.filter(|_| !has_parted);
        Poll::Ready(())
    }

    /// Bytes that the client was given.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether one of the two has broken off.
    pub(super) fn take_broken(&mut self) -> Option<Broken> {
        self.broken.take()
    }
}
