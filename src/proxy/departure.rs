//! Whether a client has gone away while its request waits for a backend.
//!
//! Pingora reads from the client only once a backend is chosen, so until then nobody would notice. Reading here is no way out: what comes
//! may be a body or the next request, and both are for later. So the kernel is asked to tell of the connection's end only, through a second
//! descriptor of the socket with a registration of its own: what is still to be read stays unread, and whoever reads it later is told of it
//! as ever. Only requests that wait have one.
//!
//! A client that says that it will send no more (FIN) counts as gone. It might still be reading, but one that has closed for good looks the
//! same, and a place in the queue is not to be held for it. HAProxy does the same for queued requests under `option abortonclose`.
//!
//! On HTTP/2 the connection says nothing of one request; there a stream that was reset is one whose client has gone.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;

use http::Version;
use pingora_proxy::Session;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::connection::ConnectionFacts;

/// Watches one client for its going away.
pub(super) enum Departure<'a> {
    /// By the end of its connection; none where that cannot be watched, and the client's going away then shows when it is answered.
    OfConnection(Option<TcpStream>),
    /// By the end of its stream, on a connection of HTTP/2.
    OfStream(&'a mut Session),
}

impl<'a> Departure<'a> {
    pub(super) fn of(session: &'a mut Session, facts: Option<&ConnectionFacts>) -> Self {
        if session.req_header().version == Version::HTTP_2 {
            return Self::OfStream(session);
        }
        let descriptor = session
            .stream()
            .zip(facts)
            .and_then(|(stream, facts)| (facts.descriptor)(stream.as_ref().as_any()));
        let watched = descriptor.map(|descriptor| register(descriptor?));
        if let Some(Err(error)) = &watched {
            log::debug!("a waiting client is not watched: {error}");
        }
        Self::OfConnection(watched.and_then(Result::ok))
    }

    /// Returns when the client has closed or reset the connection, or the stream.
    pub(super) async fn seen(&mut self) {
        let watched = match self {
            Self::OfConnection(Some(watched)) => watched,
            Self::OfConnection(None) => return pending().await,
            Self::OfStream(session) => {
                // To expect no body is to read none of it.
                let gone = session.as_mut().read_body_or_idle(true).await;
                return if gone.is_ok() {
                    pending().await
                };
            }
        };
        loop {
            let Ok(ready) = watched.ready(Interest::READABLE).await else {
                // The process is ending.
                return pending().await;
            };
            if ready.is_read_closed() {
                return;
            }
            // There is something to read, which is not for here. To claim that there is not makes the next call wait for what comes
            // after it.
            let claim = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
            let _ = watched.try_io(Interest::READABLE, claim);
        }
    }
}

fn register(descriptor: OwnedFd) -> io::Result<TcpStream> {
    TcpStream::from_std(descriptor.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::os::fd::AsFd;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        (client.unwrap(), accepted.unwrap().0)
    }

    /// A watch on `socket` in a task of its own, and how often it was polled.
    fn watch(socket: &TcpStream) -> (JoinHandle<()>, Arc<AtomicUsize>) {
        let descriptor = socket.as_fd().try_clone_to_owned().unwrap();
        let mut departure = Departure::OfConnection(Some(register(descriptor).unwrap()));
        let polls = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&polls);
        let task = tokio::spawn(async move {
            let mut seen = pin!(departure.seen());
            std::future::poll_fn(|context| {
                counted.fetch_add(1, Ordering::Relaxed);
                seen.as_mut().poll(context)
            })
            .await;
        });
        (task, polls)
    }

    /// Turns the reactor often enough for every event to have come.
    async fn let_time_pass() {
        let (mut left, mut right) = connected().await;
        for _ in 0..100 {
            left.write_all(b"x").await.unwrap();
            right.read_exact(&mut [0]).await.unwrap();
        }
    }

    async fn has_seen(watch: JoinHandle<()>) -> bool {
        let deadline = Duration::from_secs(30);
        tokio::time::timeout(deadline, watch).await.is_ok()
    }

    #[tokio::test]
    async fn what_waits_to_be_read_is_left_alone_and_keeps_nobody_busy() {
        // Seen to go round for ever without the claim that there is nothing to read.
        let (mut client, mut server) = connected().await;
        client.write_all(b"early").await.unwrap();
        let (watch, polls) = watch(&server);
        let_time_pass().await;
        client.write_all(b" late").await.unwrap();
        let_time_pass().await;
        let polls = polls.load(Ordering::Relaxed);
        assert!((1..=4).contains(&polls), "{polls} polls");
        let mut read = [0; 10];
        server.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"early late");
        client.write_all(b"more").await.unwrap();
        server.read_exact(&mut read[..4]).await.unwrap();
        assert_eq!(&read[..4], b"more");
        assert!(!watch.is_finished());
        drop(client);
        assert!(has_seen(watch).await);
    }

    #[tokio::test]
    async fn an_end_is_seen_behind_what_waits_to_be_read_and_when_it_came_before_the_watch() {
        let (mut client, server) = connected().await;
        client.write_all(b"unread").await.unwrap();
        client.shutdown().await.unwrap();
        assert!(has_seen(watch(&server).0).await);
        let (client, server) = connected().await;
        let (watch, _) = watch(&server);
        client.set_zero_linger().unwrap();
        drop(client);
        assert!(has_seen(watch).await);
    }
}
