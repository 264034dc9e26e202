//! One way through a tunnel.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So much is read at a time.
const PIECE: usize = 16 * 1024;

/// What goes from one side to the other.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// Read, and not taken by the other side yet.
    waiting: BytesMut,
    /// Something may still be on its way out below.
    is_unflushed: bool,
    has_ended: bool,
    is_closed: bool,
    count: Count,
}

/// Bytes since the last time that somebody asked.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) read: u64,
    pub(super) written: u64,
}

/// Where a way has come to a stop before its end.
#[derive(Debug)]
pub(super) enum Stopped {
    Reading(io::Error),
    Writing(io::Error),
}

impl Way {
    pub(super) fn beginning_with(waiting: BytesMut) -> Self {
        Self {
            waiting,
            ..Self::default()
        }
    }

    /// These come before what is still to be read.
    pub(super) fn begin_with(&mut self, bytes: BytesMut) {
        self.waiting.unsplit(bytes);
    }

    /// Whether the side that speaks has said its last.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub(super) fn take_count(&mut self) -> Count {
        std::mem::take(&mut self.count)
    }

    /// Ready when the end has come and was passed on.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<Result<(), Stopped>> {
        loop {
            ready!(self.poll_write_out(context, to)).map_err(Stopped::Writing)?;
            if self.has_ended {
                return self.poll_close(context, to).map_err(Stopped::Writing);
            }
            match self.poll_read_piece(context, from) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Stopped::Reading(error))),
                Poll::Pending => {
                    let flushed = self.poll_flush(context, to);
                    return match flushed {
                        Poll::Ready(Err(error)) => Poll::Ready(Err(Stopped::Writing(error))),
                        _ => Poll::Pending,
                    };
                }
            }
        }
    }

    fn poll_read_piece(
        &mut self,
        context: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
    ) -> Poll<io::Result<()>> {
        // Neither kept nor filled with zeros: who waits holds no buffer, and is asked often.
        let mut piece = [MaybeUninit::uninit(); PIECE];
        let mut piece = ReadBuf::uninit(&mut piece);
        ready!(Pin::new(from).poll_read(context, &mut piece))?;
        let piece = piece.filled();
        self.has_ended = piece.is_empty();
        self.count.read += piece.len() as u64;
        self.waiting.extend_from_slice(piece);
        Poll::Ready(Ok(()))
    }

    fn poll_write_out(
        &mut self,
        context: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let written = ready!(Pin::new(&mut *to).poll_write(context, &self.waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(written);
            self.count.written += written as u64;
            self.is_unflushed = true;
        }
        self.waiting = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        if self.is_unflushed {
            ready!(Pin::new(to).poll_flush(context))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(
        &mut self,
        context: &mut Context<'_>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        if self.is_closed {
            return Poll::Ready(Ok(()));
        }
        match ready!(Pin::new(to).poll_shutdown(context)) {
            // It is gone already, and needs not be told.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            closed => closed?,
        }
        self.is_closed = true;
        Poll::Ready(Ok(()))
    }
}
