//! The last moments of a connection whose client gets nothing more, and may not know it yet.
//!
//! Closing while the client still sends would reset the connection, and the reset could take from the client what it was told last
//! (RFC 9112 §9.6): over HTTP/2 which of its requests nobody has seen, so that it may send them elsewhere (RFC 9113 §6.8).

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a client that gets nothing more is still listened to.
pub(in crate::server) const LINGER: Duration = Duration::from_secs(2);

/// So much may come meanwhile, in bytes: twice what a client may send over HTTP/2 before somebody reads it.
const MOST: usize = 2 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Farewell {
    limit: Pin<Box<Sleep>>,
    read: usize,
}

impl Default for Farewell {
    fn default() -> Self {
        Self {
            limit: Box::pin(sleep(LINGER)),
            read: 0,
        }
    }
}

impl Farewell {
    /// Reads what still comes and forgets it, until the client closes as well, [`LINGER`] is over, or too much has come.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut socket: impl AsyncRead + Unpin,
    ) -> Poll<()> {
        if self.limit.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        while self.read < MOST {
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut read = ReadBuf::uninit(&mut buffer);
            let came = ready!(Pin::new(&mut socket).poll_read(context, &mut read));
            if came.is_err() || read.filled().is_empty() {
                break;
            }
            self.read += read.filled().len();
        }
        Poll::Ready(())
    }
}
