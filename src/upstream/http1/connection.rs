//! One connection to a backend: bytes out and bytes in, both at once.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes, BytesMut};
use pingora_core::protocols::Stream;
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::super::address::Address;
use crate::clock::Alarm;

/// At least so much is read at a time, …
const LEAST_READ: usize = 4 * 1024;
/// … and at most so much, in bytes.
const MOST_READ: usize = 64 * 1024;

/// A connection to a backend.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// Where it leads.
    pub(super) address: Address,
    /// The name that the backend was asked for in TLS, or nothing.
    pub(super) name: String,
    /// What it began with: the header of the PROXY protocol, or nothing.
    pub(super) introduction: Vec<u8>,
    unread: BytesMut,
    /// Room for the next read, where nothing says how much is to come.
    next_read: usize,
    outgoing: Outgoing,
    /// What is written may still wait in TLS.
    is_unflushed: bool,
    /// For whoever waits for the backend.
    alarm: Alarm,
}

/// What is to be written, in this order.
#[derive(Debug, Default)]
struct Outgoing {
    front: BytesMut,
    piece: Bytes,
    back: &'static [u8],
}

/// What has happened on a connection.
#[derive(Debug)]
pub enum Event {
    /// Some of what was to be written is.
    Written,
    /// Nothing more can be written. What was to be is forgotten.
    NotWritten(io::Error),
    /// Bytes have come, and stand in [`Connection::unread`].
    Read,
    /// Nothing more will come.
    Ended,
    /// Nothing more can be read.
    NotRead(io::Error),
}

impl Connection {
    pub(in crate::upstream) fn new(
        stream: Stream,
        address: Address,
        name: String,
        introduction: Vec<u8>,
    ) -> Self {
        Self {
            stream,
            address,
            name,
            introduction,
            unread: BytesMut::new(),
            next_read: LEAST_READ,
            outgoing: Outgoing::default(),
            is_unflushed: false,
            alarm: Alarm::default(),
        }
    }

    /// The alarm of whoever has waited before.
    pub fn take_alarm(&mut self) -> Alarm {
        std::mem::take(&mut self.alarm)
    }

    /// Keeps the alarm for the next one.
    pub fn keep_alarm(&mut self, alarm: Alarm) {
        self.alarm = alarm;
    }

    /// What was read and not taken yet.
    pub fn unread(&mut self) -> &mut BytesMut {
        &mut self.unread
    }

    /// Whether something was read and not taken yet.
    pub(super) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Whether all that was to be written is.
    pub fn has_written(&self) -> bool {
        self.outgoing.is_empty() && !self.is_unflushed
    }

    /// Writes `front`, `piece` and `back`, behind what is still to be written in front of a piece.
    pub(super) fn write(&mut self, front: &[u8], piece: Bytes, back: &'static [u8]) {
        debug_assert!(self.outgoing.piece.is_empty() && self.outgoing.back.is_empty());
        self.outgoing.front.extend_from_slice(front);
        self.outgoing.piece = piece;
        self.outgoing.back = back;
    }

    /// Writes the head of a request.
    pub fn write_head(&mut self, head: BytesMut) {
        self.outgoing.front = head;
    }

    /// Writes what is to be written, and reads what comes; at least `expected` bytes are known to.
    pub fn poll_event(&mut self, context: &mut Context<'_>, expected: u64) -> Poll<Event> {
        if !self.has_written() {
            match self.poll_write_some(context) {
                Poll::Ready(Ok(())) => return Poll::Ready(Event::Written),
                Poll::Ready(Err(error)) => {
                    self.outgoing = Outgoing::default();
                    self.is_unflushed = false;
                    return Poll::Ready(Event::NotWritten(error));
                }
                Poll::Pending => {}
            }
        }
        Poll::Ready(match ready!(self.poll_read(context, expected)) {
            Ok(0) => Event::Ended,
            Ok(_) => Event::Read,
            Err(error) => Event::NotRead(error),
        })
    }

    fn poll_write_some(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outgoing.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.is_unflushed = false;
            return Poll::Ready(Ok(()));
        }
        let stream = Pin::new(&mut self.stream);
        let written = match self.outgoing.slices() {
            [front, piece, back] if piece.is_empty() && back.is_empty() => {
                stream.poll_write(context, &front)
            }
            slices => stream.poll_write_vectored(context, &slices),
        };
        let written = ready!(written)?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.outgoing.advance(written);
        self.is_unflushed = true;
        if self.outgoing.is_empty() {
            // Mostly there is nothing to it, and one turn less.
            self.is_unflushed = Pin::new(&mut self.stream).poll_flush(context)?.is_pending();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, context: &mut Context<'_>, expected: u64) -> Poll<io::Result<usize>> {
        if self.unread.capacity() - self.unread.len() < LEAST_READ {
            let expected = usize::try_from(expected).unwrap_or(MOST_READ);
            let room = expected.clamp(self.next_read, MOST_READ);
            self.unread.reserve(room);
        }
        let room = self.unread.capacity() - self.unread.len();
        let read = ready!(pin!(self.stream.read_buf(&mut self.unread)).poll(context))?;
        if read == room {
            self.next_read = (self.next_read * 2).min(MOST_READ);
        }
        Poll::Ready(Ok(read))
    }

    /// Whether an unused connection can be used: nothing has come, and no end.
    pub(super) fn is_quiet(&mut self) -> bool {
        if !self.unread.is_empty() {
            return false;
        }
        let mut probe = [0];
        let read = self.stream.read(&mut probe);
        let mut context = Context::from_waker(Waker::noop());
        pin!(read).poll(&mut context).is_pending()
    }

    /// The connection itself, and what was read from it and not taken.
    pub fn into_parts(self) -> (Stream, BytesMut) {
        (self.stream, self.unread)
    }

    /// Gives back what an unused connection needs no memory for.
    pub(super) fn rest(&mut self) {
        self.unread = BytesMut::new();
        self.next_read = LEAST_READ;
        self.outgoing = Outgoing::default();
    }
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.front.is_empty() && self.piece.is_empty() && self.back.is_empty()
    }

    fn slices(&self) -> [IoSlice<'_>; 3] {
        [
            IoSlice::new(&self.front),
            IoSlice::new(&self.piece),
            IoSlice::new(self.back),
        ]
    }

    fn advance(&mut self, written: usize) {
        let of_front = written.min(self.front.len());
        self.front.advance(of_front);
        let of_piece = (written - of_front).min(self.piece.len());
        self.piece.advance(of_piece);
        self.back = &self.back[written - of_front - of_piece..];
    }
}
