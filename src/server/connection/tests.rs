//! What a slow client is to a connection. The rest is seen through the front door.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{sleep, timeout};

use super::*;
use crate::config;
use crate::proxy::connection::ListenerSettings;

impl Socket for DuplexStream {
    fn abort_on_drop(&self) -> io::Result<()> {
        Ok(())
    }

    fn duplicate(&self) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The listener's `timeouts.write`, at its default.
const WRITE: Duration = Duration::from_secs(60);

fn connection<S: Socket>(socket: S) -> Connection<S> {
    let file = "listeners: [{ address: 127.0.0.1:0 }]\nroutes: [{ respond: { status: 204 } }]";
    let config = config::parse("test.yaml", file, &|_| None).unwrap();
    let nobody = SocketAddr::from(([127, 0, 0, 1], 0));
    let facts = ConnectionFacts {
        listener: "test".into(),
        settings: Arc::new(ListenerSettings {
            last: OnceLock::new(),
            timeouts: config.listeners[0].timeouts,
            limits: config.listeners[0].limits,
            leaving: tokio::sync::watch::channel(false).1,
        }),
        local: nobody.into(),
        peer: nobody.into(),
        tls: None,
        descriptor: Connection::<S>::descriptor,
        must_abort: AtomicBool::new(false),
        tunnel: OnceLock::new(),
        bytes_read: AtomicU64::new(0),
        bytes_written: AtomicU64::new(0),
        carried: OnceLock::new(),
    };
    Connection::new(socket, Arc::new(facts), None)
}

async fn write<S: Socket>(connection: &mut Connection<S>, bytes: &[u8]) -> io::Result<()> {
    connection.write_all(bytes).await?;
    connection.flush().await
}

/// Takes what it is given, and sends it with a flush: what TLS does with what the client does not take at once.
#[derive(Debug)]
struct HoldsBack {
    socket: DuplexStream,
    held: BytesMut,
}

impl AsyncRead for HoldsBack {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for HoldsBack {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.held.put_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.held.is_empty() {
            let sent = ready!(Pin::new(&mut this.socket).poll_write(context, &this.held))?;
            this.held.advance(sent);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl Socket for HoldsBack {
    fn abort_on_drop(&self) -> io::Result<()> {
        Ok(())
    }

    fn duplicate(&self) -> io::Result<OwnedFd> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Seen failing with a flush that stops at what was gathered here, in both sizes: the end of an answer stayed in TLS until the connection was
/// closed, half a minute or more later.
#[tokio::test(start_paused = true)]
async fn what_tls_holds_back_of_an_answer_is_sent_before_it_counts_as_written() {
    for size in [64, 4 * WRITE_BUFFER] {
        let (socket, mut client) = tokio::io::duplex(16);
        let held = BytesMut::new();
        let mut connection = connection(HoldsBack { socket, held });
        let bytes = vec![b'x'; size];
        let mut answer = vec![0; size];
        let (written, read) = tokio::join!(
            write(&mut connection, &bytes),
            timeout(Duration::from_secs(1), client.read_exact(&mut answer)),
        );
        assert!(written.is_ok(), "{written:?}");
        assert!(matches!(read, Ok(Ok(_))), "{size} bytes: {read:?}");
    }
}

/// Seen failing without the limit.
#[tokio::test(start_paused = true)]
async fn a_client_that_sends_far_ahead_is_not_read_on() {
    let (ours, mut client) = tokio::io::duplex(1024);
    let mut connection = connection(ours);
    connection.start_message(0, RequestBody::None);
    let ahead = tokio::spawn(async move { client.write_all(&[b'x'; 1024 * 1024]).await });
    let waits = timeout(Duration::from_secs(1), connection.read(&mut [0; 16])).await;
    assert!(
        waits.is_err(),
        "nothing is there for the request: {waits:?}"
    );
    let kept = connection.unread().len();
    assert!(
        (MAX_PIPELINED..MAX_PIPELINED + 4096).contains(&kept),
        "{kept}"
    );
    assert!(!ahead.is_finished());
}

/// Seen failing with the alarm left running when some bytes were taken.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_a_little_now_and_then_is_never_cut() {
    let (ours, mut client) = tokio::io::duplex(16);
    let mut connection = connection(ours);
    let reading = async {
        let mut piece = [0; 16];
        for _ in 0..20 {
            sleep(WRITE - Duration::from_millis(1)).await;
            client.read_exact(&mut piece).await?;
        }
        Ok(())
    };
    tokio::try_join!(write(&mut connection, &[b'x'; 320]), reading).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_for_too_long_is_cut() {
    let (ours, _client) = tokio::io::duplex(16);
    let mut connection = connection(ours);
    let begun = tokio::time::Instant::now();
    let error = write(&mut connection, &[b'x'; 320]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(begun.elapsed(), WRITE);
}
