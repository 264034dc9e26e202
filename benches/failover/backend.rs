//! A backend that can be made to fail in each of the ways in which backends do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a backend does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Fine,
    /// The process is gone: connections are reset, new ones refused.
    Killed,
    /// It takes requests and does not answer.
    Hanging,
    /// The machine is gone: nothing is answered, and no new connection is accepted.
    CutOff,
    /// It answers 503.
    Sick,
}

impl Mode {
    pub(crate) const FAULTS: [Self; 4] = [Self::Killed, Self::Hanging, Self::CutOff, Self::Sick];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Killed => "killed",
            Self::Hanging => "hanging",
            Self::CutOff => "cut off",
            Self::Sick => "503",
        }
    }
}

pub(crate) struct Backend {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    /// What fills the queue of connections when nobody accepts.
    waiting: Arc<tokio::sync::Mutex<Vec<TcpStream>>>,
}

impl Backend {
    pub(crate) async fn start() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        // A short queue, which is soon full when nobody accepts.
        socket.listen(16).unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(socket.into()).unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Fine);
        tokio::spawn(accept(listener, modes));
        Self {
            address,
            mode,
            waiting: Arc::default(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it does this.
    pub(crate) async fn turn(&self, mode: Mode) {
        self.mode.send_replace(mode);
        if mode == Mode::CutOff {
            let mut waiting = self.waiting.lock().await;
            let wait = Duration::from_millis(100);
            while let Ok(Ok(stream)) =
                tokio::time::timeout(wait, TcpStream::connect(self.address)).await
            {
                waiting.push(stream);
            }
        }
    }
}

async fn accept(listener: TcpListener, mut modes: watch::Receiver<Mode>) {
    loop {
        let accepts = |mode: &Mode| !matches!(mode, Mode::CutOff);
        if modes.wait_for(accepts).await.is_err() || *modes.borrow() == Mode::Killed {
            return;
        }
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(serve(stream, modes.clone()));
                }
            }
            _ = modes.changed() => {}
        }
    }
}

async fn serve(mut stream: TcpStream, mut modes: watch::Receiver<Mode>) {
    let _ = stream.set_nodelay(true);
    let mut request = Vec::new();
    loop {
        tokio::select! {
            read = stream.read_buf(&mut request) => match read {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            _ = modes.wait_for(|mode| *mode == Mode::Killed) => {
                let _ = stream.set_zero_linger();
                return;
            }
        }
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        request.clear();
        let mode = *modes.borrow();
        let status = match mode {
            Mode::Fine => "200 OK",
            Mode::Sick => "503 Sick",
            Mode::Killed | Mode::Hanging | Mode::CutOff => continue,
        };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 8\r\n\r\nanswer\n.");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
