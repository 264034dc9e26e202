//! A backend that makes the bodies, checks what comes up, and falls into whatever mood the plan has for it.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::body::{Errand, Kind, checksum};
use super::wire::{Head, Wire, framed};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mood {
    Well,
    /// Its process is gone: connections are refused, and those that were there are cut.
    Dead,
    /// Takes requests and says nothing.
    Hangs,
    /// Resets the connection somewhere in the answer.
    Resets,
    /// Closes it there.
    Closes,
    /// Sends a little at a time.
    IsSlow,
}

pub(super) struct ChaosBackend {
    address: SocketAddr,
    /// Keeps the port while nobody listens there: another test's backend must not get it.
    _port: Socket,
    running: Mutex<Option<JoinHandle<()>>>,
    state: Arc<State>,
}

struct State {
    mood: watch::Sender<Mood>,
    /// Requests that are held, and whether they still are.
    held: AtomicUsize,
    holds: watch::Sender<bool>,
    /// Uploads that came whole and were not what they should be.
    wrong: Mutex<Vec<String>>,
}

impl ChaosBackend {
    pub(super) fn new() -> Self {
        let port = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
        Self {
            address: port.local_addr().unwrap().as_socket().unwrap(),
            _port: port,
            running: Mutex::default(),
            state: Arc::new(State {
                mood: watch::Sender::new(Mood::Dead),
                held: AtomicUsize::new(0),
                holds: watch::Sender::new(true),
                wrong: Mutex::default(),
            }),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn wrong(&self) -> Vec<String> {
        self.state.wrong.lock().unwrap().clone()
    }

    pub(super) fn held(&self) -> usize {
        self.state.held.load(Ordering::Relaxed)
    }

    /// Answers the requests that it holds.
    pub(super) fn let_go(&self) {
        self.state.holds.send_replace(false);
    }

    /// To be called where the runtime is.
    pub(super) fn is(&self, mood: Mood) {
        self.state.mood.send_replace(mood);
        let mut running = self.running.lock().unwrap();
        match (mood, running.is_some()) {
            (Mood::Dead, true) => running.take().unwrap().abort(),
            (Mood::Dead, false) | (_, true) => {}
            (_, false) => {
                let socket = bound(self.address);
                socket.listen(1024).unwrap();
                socket.set_nonblocking(true).unwrap();
                let listener = TcpListener::from_std(socket.into()).unwrap();
                *running = Some(tokio::spawn(serve(listener, Arc::clone(&self.state))));
            }
        }
    }
}

fn bound(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

/// All connections end with it.
async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let _ = stream.set_nodelay(true);
                connections.spawn(converse(Wire::over(stream), Arc::clone(&state)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(mut wire: Wire, state: Arc<State>) -> io::Result<()> {
    loop {
        let head = wire.head().await?;
        let mut mood = state.mood.subscribe();
        if *mood.borrow() == Mood::Hangs {
            // Then it closes, as one that was killed for it.
            let _ = mood.wait_for(|mood| *mood != Mood::Hangs).await;
            return Ok(());
        }
        match Errand::parse(head.second_word()) {
            Some(errand) if errand.kind == Kind::Tunnel => return tunnel(wire, errand).await,
            Some(errand) => {
                let body = wire.body(&head).await?;
                let answer = answer(&errand, &head, &body, &state);
                if !said(&mut wire, &errand, &answer, &state).await? {
                    return Ok(());
                }
            }
            None => {
                if head.second_word().ends_with("/hold") {
                    hold(&state).await;
                }
                wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    .await?;
            }
        }
    }
}

async fn hold(state: &State) {
    state.held.fetch_add(1, Ordering::Relaxed);
    let _ = state.holds.subscribe().wait_for(|holds| !holds).await;
    state.held.fetch_sub(1, Ordering::Relaxed);
}

fn answer(errand: &Errand, head: &Head, body: &[u8], state: &State) -> Vec<u8> {
    let is_upload = errand.kind == Kind::Upload;
    let wanted = if is_upload { errand.body() } else { Vec::new() };
    if body != wanted {
        let (got, framing) = (body.len(), &head.0);
        let complaint = format!("{errand} came up with {got} bytes, and wrong: {framing}");
        state.wrong.lock().unwrap().push(complaint);
    }
    let body = match errand.kind {
        Kind::Upload => checksum(body).into_bytes(),
        _ => errand.body(),
    };
    let (framing, body) = framed(&body, errand.is_chunked());
    let seed = errand.seed;
    let head = format!("HTTP/1.1 200 OK\r\nX-Seed: {seed}\r\n{framing}\r\n");
    [head.into_bytes(), body].concat()
}

/// Whether all of it was said.
async fn said(wire: &mut Wire, errand: &Errand, answer: &[u8], state: &State) -> io::Result<bool> {
    const PIECE: usize = 16 * 1024;
    const MOMENT: Duration = Duration::from_millis(3);
    let mood = *state.mood.borrow();
    let is_cut = matches!(mood, Mood::Resets | Mood::Closes);
    let length = match is_cut {
        true => usize::try_from(errand.seed % answer.len() as u64).unwrap(),
        false => answer.len(),
    };
    for piece in answer[..length].chunks(PIECE) {
        wire.send(piece).await?;
        if mood == Mood::IsSlow {
            tokio::time::sleep(MOMENT).await;
        }
    }
    if mood == Mood::Resets {
        wire.ends_hard();
    }
    Ok(!is_cut)
}

/// Whatever comes goes back.
async fn tunnel(mut wire: Wire, errand: Errand) -> io::Result<()> {
    let seed = errand.seed;
    let switched = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Seed: {seed}\r\n\r\n"
    );
    wire.send(switched.as_bytes()).await?;
    loop {
        let bytes = wire.some().await?;
        wire.send(&bytes).await?;
    }
}
