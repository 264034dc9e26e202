//! Clients of every kind, who ask at a moderate rate and look at every byte that they get.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::body::{Errand, Kind};
use super::exchange::{Outcome, over, through_tunnel};
use super::http2::{Http2, is_untouched};
use super::wire::Wire;

/// A request that takes so long has met a bug: the proxy's own limits are far shorter.
const TOO_LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Client {
    /// HTTP/1 on one connection, as long as that is allowed.
    Keeps,
    /// HTTP/1 on a connection for each request.
    Closes,
    /// The same over the listener that comes and goes.
    Side,
    /// Three requests at a time on one connection of HTTP/2.
    Http2,
    /// A WebSocket for each errand.
    Tunnels,
    /// HTTP/1, and gone in the middle.
    Vanishes,
    /// HTTP/2, and requests are given up in the middle.
    Resets,
}

const CROWD: [Client; 11] = [
    Client::Keeps,
    Client::Keeps,
    Client::Keeps,
    Client::Closes,
    Client::Closes,
    Client::Side,
    Client::Http2,
    Client::Http2,
    Client::Tunnels,
    Client::Vanishes,
    Client::Resets,
];

#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Right, answered with another status, visibly broken: by client and upstream.
    pub(super) counts: BTreeMap<(Client, &'static str), [u64; 3]>,
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Requests of HTTP/2 that were not looked at, since their connection was at its end.
    pub(super) farewells: u64,
    pub(super) wrong: Vec<String>,
    /// Requests that met no fault and were not answered 200.
    pub(super) unfair: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Place {
    pub(super) main: SocketAddr,
    pub(super) side: PathBuf,
}

pub(super) struct Crowd {
    is_over: watch::Sender<bool>,
    tasks: JoinSet<()>,
    tally: Arc<Mutex<Tally>>,
}

impl Crowd {
    pub(super) fn start(place: &Place, seed: u64) -> Self {
        let mut crowd = Self {
            is_over: watch::Sender::new(false),
            tasks: JoinSet::new(),
            tally: Arc::default(),
        };
        for (index, kind) in (0..).zip(CROWD) {
            let caller = Caller::new(kind, place, seed.wrapping_add(index), &crowd.tally);
            crowd.tasks.spawn(caller.until(crowd.is_over.subscribe()));
        }
        crowd
    }

    /// Lets everybody finish, and closes all connections.
    pub(super) async fn stop(mut self) -> Tally {
        self.is_over.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.tally.lock().unwrap())
    }
}

/// One round of each kind of client that sees its requests through.
pub(super) async fn all_around(place: &Place, seed: u64) -> Tally {
    let tally = Arc::default();
    for kind in [
        Client::Keeps,
        Client::Closes,
        Client::Http2,
        Client::Tunnels,
    ] {
        let mut caller = Caller::new(kind, place, seed, &tally);
        for _ in 0..20 {
            caller.call().await;
        }
    }
    std::mem::take(&mut *tally.lock().unwrap())
}

struct Caller {
    kind: Client,
    place: Place,
    random: fastrand::Rng,
    tally: Arc<Mutex<Tally>>,
    wire: Option<Wire>,
    http2: Option<Http2>,
}

impl Caller {
    fn new(kind: Client, place: &Place, seed: u64, tally: &Arc<Mutex<Tally>>) -> Self {
        Self {
            kind,
            place: place.clone(),
            random: fastrand::Rng::with_seed(seed),
            tally: Arc::clone(tally),
            wire: None,
            http2: None,
        }
    }

    async fn until(mut self, is_over: watch::Receiver<bool>) {
        while !*is_over.borrow() {
            self.call().await;
            sleep(Duration::from_millis(self.random.u64(5..60))).await;
        }
    }

    fn errand(&mut self) -> Errand {
        let kind = match (self.kind, self.random.bool()) {
            (Client::Tunnels, _) => Kind::Tunnel,
            (_, true) => Kind::Download,
            (_, false) => Kind::Upload,
        };
        Errand::random(&mut self.random, kind)
    }

    async fn call(&mut self) {
        let errand = self.errand();
        match self.kind {
            Client::Keeps | Client::Closes => self.call_http1(&errand).await,
            Client::Http2 => self.call_http2(errand).await,
            Client::Side => self.call_aside(&errand).await,
            Client::Tunnels => {
                let mut wire = self.connect().await;
                let outcome = timeout(TOO_LONG, through_tunnel(&mut wire, &errand)).await;
                self.note(&errand, of(outcome.map_err(|_| too_late())));
            }
            Client::Vanishes => {
                let moment = Duration::from_millis(self.random.u64(..30));
                let mut wire = self.connect().await;
                if let Ok(Ok((outcome, _))) = timeout(moment, over(&mut wire, &errand)).await {
                    self.note_if_wrong(&errand, outcome);
                }
                if self.random.bool() {
                    wire.ends_hard();
                }
            }
            Client::Resets => {
                let moment = Duration::from_millis(self.random.u64(..30));
                let connection = self.http2().await;
                if let Ok(Ok(outcome)) = timeout(moment, connection.ask_one(errand)).await {
                    self.note_if_wrong(&errand, outcome);
                }
                if self.random.u8(..8) == 0 {
                    self.http2 = None;
                }
            }
        }
    }

    async fn call_http2(&mut self, errand: Errand) {
        let errands = [errand, self.errand(), self.errand()];
        let connection = self.http2().await;
        let outcomes = timeout(TOO_LONG, connection.ask(errands)).await;
        let outcomes = outcomes.unwrap_or_else(|_| [(); 3].map(late).into());
        for (errand, outcome) in errands.iter().zip(outcomes) {
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(error) => {
                    self.http2 = None;
                    match is_untouched(&error) {
                        true => self.once_more(errand).await,
                        false => Outcome::Broken(error.to_string()),
                    }
                }
            };
            self.note(errand, outcome);
        }
    }

    /// Where the listener is gone, or goes before it has accepted, nobody is asked.
    async fn call_aside(&self, errand: &Errand) {
        let Ok(stream) = UnixStream::connect(&self.place.side).await else {
            return;
        };
        let mut wire = Wire::over(stream);
        let done = timeout(TOO_LONG, over(&mut wire, errand)).await;
        let done = done.map(|done| done.map(first));
        let outcome = of(done.map_err(|_| too_late()));
        if !(matches!(outcome, Outcome::Broken(_)) && wire.is_silent()) {
            self.note(errand, outcome);
        }
    }

    async fn call_http1(&mut self, errand: &Errand) {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => self.connect().await,
        };
        let done = timeout(TOO_LONG, over(&mut wire, errand)).await;
        if let Ok(Ok((_, true))) = done
            && self.kind == Client::Keeps
        {
            self.wire = Some(wire);
        }
        let done = done.map(|done| done.map(first));
        self.note(errand, of(done.map_err(|_| too_late())));
    }

    async fn once_more(&mut self, errand: &Errand) -> Outcome {
        self.tally.lock().unwrap().farewells += 1;
        let connection = self.http2().await;
        let outcome = timeout(TOO_LONG, connection.ask_one(*errand)).await;
        let outcome = outcome.unwrap_or_else(|_| late(()));
        outcome.unwrap_or_else(|error| Outcome::Broken(error.to_string()))
    }

    async fn connect(&self) -> Wire {
        let stream = TcpStream::connect(self.place.main).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Wire::over(stream)
    }

    /// The connection of HTTP/2, a new one where the last one takes no more.
    async fn http2(&mut self) -> &mut Http2 {
        let mut kept = self.http2.take();
        if let Some(connection) = &mut kept
            && !connection.is_ready().await
        {
            kept = None;
        }
        let connection = match kept {
            Some(kept) => kept,
            None => Http2::connect(self.place.main).await,
        };
        self.http2.insert(connection)
    }

    fn note(&self, errand: &Errand, outcome: Outcome) {
        let mut tally = self.tally.lock().unwrap();
        let counts = tally
            .counts
            .entry((self.kind, errand.upstream))
            .or_default();
        counts[match outcome {
            Outcome::Right => 0,
            Outcome::Answered(_) => 1,
            Outcome::Broken(_) | Outcome::Wrong(_) => 2,
        }] += 1;
        if let Outcome::Answered(status) = outcome {
            *tally.statuses.entry(status).or_default() += 1;
        }
        let complaint = format!("{:?} {errand}: {outcome:?}", self.kind);
        match outcome {
            Outcome::Right => {}
            Outcome::Wrong(_) => tally.wrong.push(complaint),
            // This is how what failed in the storm may be answered for.
            Outcome::Answered(502..=504) | Outcome::Broken(_) if !errand.is_calm() => {}
            Outcome::Answered(_) | Outcome::Broken(_) => tally.unfair.push(complaint),
        }
    }

    fn note_if_wrong(&self, errand: &Errand, outcome: Outcome) {
        if let Outcome::Wrong(_) = outcome {
            self.note(errand, outcome);
        }
    }
}

fn first((outcome, _): (Outcome, bool)) -> Outcome {
    outcome
}

fn too_late() -> io::Error {
    io::Error::other(format!("nothing for {TOO_LONG:?}"))
}

fn late(_: ()) -> Result<Outcome, h2::Error> {
    Ok(Outcome::Broken(too_late().to_string()))
}

fn of(outcome: io::Result<io::Result<Outcome>>) -> Outcome {
    let outcome = outcome.and_then(|done| done);
    outcome.unwrap_or_else(|error| Outcome::Broken(error.to_string()))
}
