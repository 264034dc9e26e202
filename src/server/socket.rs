//! Sockets of clients, and those that they connect to: of TCP or on a path.

use std::fmt::Debug;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::bind::{Bound, SocketFile};
use crate::semantics::end::End;

/// What a connection can be made of.
pub(crate) trait Socket:
    AsyncRead + AsyncWrite + Debug + Unpin + Send + Sync + 'static
{
    /// Makes the end of the connection, when it is dropped, one that no client can take for the end of an answer.
    ///
    /// # Errors
    /// The connection is gone already.
    fn abort_on_drop(&self) -> io::Result<()>;

    /// Another descriptor of the socket, to be told of the connection's end.
    ///
    /// # Errors
    /// The limit of open files is reached.
    fn duplicate(&self) -> io::Result<OwnedFd>;
}

/// What clients connect to.
#[derive(Debug)]
pub(super) enum Listening {
    Tcp(TcpListener),
    /// The file is removed with it.
    Unix(UnixListener, SocketFile),
}

impl Listening {
    /// One that was bound. Called within the runtime that will accept.
    ///
    /// # Errors
    /// The runtime cannot watch it.
    pub(super) fn new(bound: Bound) -> io::Result<Self> {
        Ok(match bound {
            Bound::Tcp(socket) => Self::Tcp(TcpListener::from_std(socket)?),
            Bound::Unix(socket, file) => Self::Unix(UnixListener::from_std(socket)?, file),
        })
    }

    /// The next client, and its end of the connection.
    ///
    /// # Errors
    /// There is none to be had now.
    pub(super) async fn accept(&self) -> io::Result<(ClientSocket, End)> {
        match self {
            Self::Tcp(socket) => {
                let (client, peer) = socket.accept().await?;
                Ok((ClientSocket::Tcp(client), peer.into()))
            }
            Self::Unix(socket, _) => {
                let (client, _) = socket.accept().await?;
                Ok((ClientSocket::Unix(client), End::Unix))
            }
        }
    }

    /// Where it is, as the log has it.
    ///
    /// # Errors
    /// The system does not say.
    pub(super) fn place(&self) -> io::Result<String> {
        match self {
            Self::Tcp(socket) => socket.local_addr().map(|address| address.to_string()),
            Self::Unix(_, file) => Ok(file.to_string()),
        }
    }

    /// The file of a socket on a path.
    pub(super) fn file(&self) -> Option<&SocketFile> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(_, file) => Some(file),
        }
    }
}

/// The socket of a client.
#[derive(Debug)]
pub(crate) enum ClientSocket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl ClientSocket {
    /// Its end here, once small pieces are no longer held back.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) fn begin(&self) -> io::Result<End> {
        match self {
            Self::Tcp(socket) => {
                socket.set_nodelay(true)?;
                socket.local_addr().map(End::from)
            }
            Self::Unix(_) => Ok(End::Unix),
        }
    }

    /// Waits for bytes, and leaves them where they are.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) async fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.peek(buffer).await,
            Self::Unix(socket) => {
                let mut look = || {
                    let (count, _) = recv(socket, &mut *buffer, RecvFlags::PEEK)?;
                    Ok(count)
                };
                socket.async_io(Interest::READABLE, &mut look).await
            }
        }
    }
}

impl Socket for ClientSocket {
    /// A Unix socket has no such end: what is missing of an answer shows in its length or in its last chunk only.
    fn abort_on_drop(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_zero_linger(),
            Self::Unix(_) => Ok(()),
        }
    }

    fn duplicate(&self) -> io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }
}

impl AsFd for ClientSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

impl AsRawFd for ClientSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Unix(socket) => Pin::new(socket).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(context, data),
            Self::Unix(socket) => Pin::new(socket).poll_write(context, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(context),
            Self::Unix(socket) => Pin::new(socket).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(context, data),
            Self::Unix(socket) => Pin::new(socket).poll_write_vectored(context, data),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
