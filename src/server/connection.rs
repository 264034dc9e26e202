//! One client connection, as Pingora sees it.
//!
//! Pingora drives any type that implements its `IO` traits, so the socket is wrapped in a type of ours. That buys three things its own
//! stream does not give: an idle connection holds no buffer at all, small writes leave as one segment, and Pingora is handed exactly the
//! bytes of the current message. What a pipelining client has sent beyond it waits here for the next request, so no byte is read twice
//! and none is mistaken for a body (RFC 9112 §9.3.2).
//!
//! It does not parse: [`super::http1`] reads heads and says how long the message is.

use std::any::Any;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

pub(super) use self::farewell::LINGER;

use self::farewell::Farewell;
use super::clients::Counted;
use super::socket::Socket;
use crate::proxy::connection::{BodyMalformed, ConnectionFacts, NothingTaken};
use crate::semantics::framing::RequestBody;

/// Writes are gathered up to this many bytes before they go out without a flush.
const WRITE_BUFFER: usize = 16 * 1024;

/// What a client may send ahead of the answer it is waiting for, in bytes. More makes the connection wait unread.
const MAX_PIPELINED: usize = 64 * 1024;

/// A client's socket with what was read ahead and what is waiting to be written.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    socket: S,
    facts: Arc<ConnectionFacts>,
    /// Read from the socket, not yet handed to anybody.
    unread: BytesMut,
    /// How much of the stream belongs to the current message.
    message: RequestBody,
    /// Nobody here knows of messages: all that comes is handed out.
    is_handed_over: bool,
    outgoing: BytesMut,
    /// What was written may still wait in TLS.
    is_unflushed: bool,
    peer_has_closed: bool,
    /// Goes off when the client has taken nothing for too long; there as long as it takes nothing.
    write_alarm: Option<Pin<Box<Sleep>>>,
    /// There once the client gets nothing more.
    farewell: Option<Farewell>,
    abort: fn(&S) -> io::Result<()>,
    /// Gives back its client's seat.
    _counted: Option<Counted>,
}

impl<S: Socket> Connection<S> {
    pub(super) fn new(socket: S, facts: Arc<ConnectionFacts>, counted: Option<Counted>) -> Self {
        Self {
            socket,
            facts,
            unread: BytesMut::new(),
            message: RequestBody::None,
            is_handed_over: false,
            outgoing: BytesMut::new(),
            is_unflushed: false,
            peer_has_closed: false,
            write_alarm: None,
            farewell: None,
            abort: S::abort_on_drop,
            _counted: counted,
        }
    }

    /// Another descriptor of the socket of a connection of this type; what [`ConnectionFacts::descriptor`] is.
    pub(crate) fn descriptor(connection: &dyn Any) -> Option<io::Result<OwnedFd>> {
        let connection = connection.downcast_ref::<Self>()?;
        Some(connection.socket.duplicate())
    }

    /// What is known of this connection for its whole life.
    pub(crate) fn facts(&self) -> &Arc<ConnectionFacts> {
        &self.facts
    }

    /// Bytes that were read but belong to no message yet.
    pub(crate) fn unread(&mut self) -> &mut BytesMut {
        &mut self.unread
    }

    /// Starts a message: from now on reads hand out `body` and then nothing.
    pub(crate) fn start_message(&mut self, head_bytes: usize, body: RequestBody) {
        self.message = body;
        self.facts
            .bytes_read
            .store(head_bytes as u64, Ordering::Relaxed);
        self.facts.bytes_written.store(0, Ordering::Relaxed);
    }

    /// Leaves it to the reader where messages begin and end: from now on reads hand out all that comes.
    pub(crate) fn hand_over(&mut self) {
        self.is_handed_over = true;
        self.facts.carried.get_or_init(Arc::default);
    }

    /// Waits for more bytes and appends them to [`Self::unread`]; `Ok(false)` when the client has closed.
    ///
    /// The buffer is made inside the poll and dropped when nothing came: a waiting connection holds none.
    pub(crate) async fn read_more(&mut self) -> io::Result<bool> {
        std::future::poll_fn(|context| self.poll_fill(context)).await
    }

    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.peer_has_closed {
            return Poll::Ready(Ok(false));
        }
        // Not filled with zeros first: it is done three times for each request, and took an eighth of all instructions.
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut read = ReadBuf::uninit(&mut buffer);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut read))?;
        if read.filled().is_empty() {
            self.peer_has_closed = true;
            return Poll::Ready(Ok(false));
        }
        self.unread.put_slice(read.filled());
        Poll::Ready(Ok(true))
    }

    fn poll_write_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = Pin::new(&mut self.socket).poll_write(context, &self.outgoing);
            let written = ready!(self.poll_taken(context, written))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(written);
            self.is_unflushed = true;
        }
        // Freed, not cleared: an idle connection keeps no buffer.
        self.outgoing = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// The same, and what TLS has taken and the client has not. Between two pieces of an answer nobody waits for that.
    fn poll_flush_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_out(context))?;
        if self.is_unflushed {
            let flushed = Pin::new(&mut self.socket).poll_flush(context);
            ready!(self.poll_taken(context, flushed))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Holds the client to its deadline for taking what is `written`.
    fn poll_taken<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_alarm = None;
            return written;
        }
        let limit = self.facts.settings.timeouts.write;
        let alarm = self
            .write_alarm
            .get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(alarm.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, NothingTaken)))
    }

    /// Nothing of the current message is left: keep what the client sends for the next request, and watch for it going away.
    ///
    /// A client that has only said that it will send no more still gets its answer (RFC 9112 §9.6); one that is gone altogether shows when
    /// it is written to.
    fn poll_between_messages(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.unread.len() >= MAX_PIPELINED {
                return Poll::Pending;
            }
            match ready!(self.poll_fill(context)) {
                Ok(true) => continue,
                Ok(false) => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Carries what client and backend say on a connection that was switched to another protocol. To the reader it is over when they are
    /// done; `None` for any other connection.
    fn poll_tunnel(&mut self, context: &mut Context<'_>) -> Option<Poll<io::Result<()>>> {
        let tunnel = self.facts.tunnel.get()?;
        let mut tunnel = tunnel.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = (&self.facts.bytes_read, &self.facts.bytes_written);
        let carried = tunnel.poll(context, &mut self.socket, &mut self.unread, counts);
        Some(carried.map(Ok))
    }

    /// What was read ahead, and then what comes.
    fn poll_read_any(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        let count = buffer.remaining().min(self.unread.len());
        buffer.put_slice(&self.unread.split_to(count));
        if self.unread.is_empty() {
            // Freed, not cleared.
            self.unread = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Hands out what was read ahead, as far as it belongs to the message.
    fn hand_out(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
        let most = buffer.remaining().min(self.unread.len());
        let count = self.message.take(&self.unread[..most]);
        if self.message == RequestBody::Malformed {
            return Err(io::Error::new(io::ErrorKind::InvalidData, BodyMalformed));
        }
        buffer.put_slice(&self.unread.split_to(count));
        self.count_read(count);
        Ok(())
    }

    fn count_read(&self, count: usize) {
        let read = &self.facts.bytes_read;
        read.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl<S: Socket> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Whoever waits for the client has nothing more to write for now: nothing of an answer is held back while it goes on slowly.
        let written = this.poll_flush_out(context);
        if let Poll::Ready(Err(error)) = written {
            return Poll::Ready(Err(error));
        }
        if written.is_ready()
            && let Some(carried) = this.poll_tunnel(context)
        {
            return carried;
        }
        if this.is_handed_over {
            let before = buffer.filled().len();
            ready!(this.poll_read_any(context, buffer))?;
            return Poll::Ready(flood::check(&this.facts, buffer.filled().len() - before));
        }
        if this.message == RequestBody::None {
            return this.poll_between_messages(context);
        }
        if this.unread.is_empty() && this.message.covers(buffer.remaining()) {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.socket).poll_read(context, buffer))?;
            let read = &buffer.filled()[before..];
            this.message.take(read);
            this.count_read(read.len());
            return Poll::Ready(Ok(()));
        }
        if this.unread.is_empty() && !ready!(this.poll_fill(context))? {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(this.hand_out(buffer))
    }
}

impl<S: Socket> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.outgoing.len() + data.len() > WRITE_BUFFER {
            ready!(this.poll_write_out(context))?;
        }
        let accepted = if data.len() > WRITE_BUFFER {
            let written = Pin::new(&mut this.socket).poll_write(context, data);
            let written = ready!(this.poll_taken(context, written))?;
            this.is_unflushed = true;
            written
        } else {
            this.outgoing.put_slice(data);
            data.len()
        };
        this.facts
            .bytes_written
            .fetch_add(accepted as u64, Ordering::Relaxed);
        Poll::Ready(Ok(accepted))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush_out(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.facts.must_abort.load(Ordering::Relaxed) {
            // An end in order is what it must not have.
            return Poll::Ready(Ok(()));
        }
        if self.farewell.is_none() {
            ready!(self.poll_write_out(context))?;
            ready!(Pin::new(&mut self.socket).poll_shutdown(context))?;
        }
        if self.is_handed_over {
            // Over HTTP/2 a client may have sent requests before it read that no more are taken.
            let this = &mut *self;
            let farewell = this.farewell.get_or_insert_default();
            ready!(farewell.poll(context, &mut this.socket));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        if self.facts.must_abort.load(Ordering::Relaxed) {
            let _ = (self.abort)(&self.socket);
        }
    }
}

mod engine;
mod farewell;
mod flood;

#[cfg(test)]
mod tests;
