//! The connections of one upstream over HTTP/2, and the requests that have a seat on them.
//!
//! A request gets a seat on the first connection that has one left, so that those which are not needed fall idle; those are closed in time.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use pingora_core::protocols::Stream;
use pingora_core::{Error, ErrorType, Result};

use super::super::address::{Address, ByAddress};
use super::super::backend::Backend;
use crate::clock::{Alarm, Clock};
use crate::semantics::answer::MOST_HEAD;

/// How often the connections are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What a backend may send of an answer before the client has read it, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;

/// What a backend is told that a frame may have, in bytes: large answers come in fewer.
const MOST_FRAME: u32 = 64 * 1024;

/// How the operator wants the connections to be.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Terms {
    /// Requests that one carries at once.
    pub streams: usize,
    /// So many may be unused, …
    pub most_idle: usize,
    /// … and for so long.
    pub idle: Duration,
}

/// The connections.
#[derive(Debug)]
pub(in crate::upstream) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    terms: Terms,
    clock: Arc<dyn Clock>,
    connections: Mutex<Connections>,
    /// No more than so many are unused.
    most_unused: AtomicUsize,
}

#[derive(Debug, Default)]
struct Connections {
    by_address: ByAddress<Vec<Arc<Connection>>>,
    is_looked_after: bool,
}

/// One connection.
struct Connection {
    address: Address,
    /// The name that the backend was asked for in TLS, or nothing.
    name: String,
    /// What it began with: the header of the PROXY protocol, or nothing.
    introduction: Vec<u8>,
    requests: SendRequest<Bytes>,
    occupied: Mutex<Occupied>,
}

/// What of a connection is in use.
#[derive(Debug)]
struct Occupied {
    seats: usize,
    idle_since: Instant,
    /// It gets no more requests.
    is_leaving: bool,
    /// For those who wait for the backend.
    alarms: Vec<Alarm>,
}

/// The right to make one request on a connection.
#[derive(Debug)]
pub struct Seat {
    connection: Arc<Connection>,
    pool: Weak<Shared>,
    alarm: Alarm,
}

impl Pool {
    pub(in crate::upstream) fn new(terms: Terms, clock: &Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            terms,
            clock: Arc::clone(clock),
            connections: Mutex::default(),
            most_unused: AtomicUsize::new(0),
        }))
    }

    /// A seat on a connection to `backend` that began with `introduction`, if one is left.
    pub(in crate::upstream) fn take(
        &self,
        backend: &Backend,
        introduction: &[u8],
        now: Instant,
    ) -> Option<Seat> {
        let shared = &self.0;
        let connections = shared.connections();
        let here = connections.by_address.get(backend.address())?;
        let mut fitting = here.iter().filter(|connection| {
            connection.introduction == introduction && connection.name == backend.peer().sni
        });
        fitting.find_map(|connection| Seat::take(connection, shared, now))
    }

    /// Makes a connection of `stream`, and takes the first seat on it.
    ///
    /// # Errors
    /// Nothing could be written on it.
    pub(in crate::upstream) async fn connect(
        &self,
        stream: Stream,
        backend: &Backend,
        name: String,
        introduction: Vec<u8>,
    ) -> Result<Seat> {
        let shared = &self.0;
        let streams = shared.terms.streams;
        let all_windows = u32::try_from(streams).unwrap_or(u32::MAX);
        // All requests together may have what each of them may: a client that reads slowly holds up no other.
        let all_windows = all_windows.saturating_mul(STREAM_WINDOW);
        let (requests, driver) = Builder::new()
            .enable_push(false)
            .initial_max_send_streams(streams)
            .max_frame_size(MOST_FRAME)
            .max_header_list_size(MOST_HEAD as u32)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(all_windows.min(i32::MAX as u32))
            .handshake(stream)
            .await
            .map_err(|error| {
                Error::because(ErrorType::HandshakeError, "HTTP/2", error).into_up()
            })?;
        let now = shared.clock.now();
        let connection = Arc::new(Connection {
            address: backend.address().clone(),
            name,
            introduction,
            requests,
            occupied: Mutex::new(Occupied {
                seats: 1,
                idle_since: now,
                is_leaving: false,
                alarms: Vec::new(),
            }),
        });
        let driven = Arc::downgrade(&connection);
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                log::debug!("a connection over HTTP/2 ended: {error}");
            }
            if let Some(connection) = driven.upgrade() {
                connection.leave();
            }
        });
        shared.add(Arc::clone(&connection));
        Ok(Seat {
            connection,
            pool: Arc::downgrade(shared),
            alarm: Alarm::default(),
        })
    }
}

impl Seat {
    fn take(connection: &Arc<Connection>, shared: &Arc<Shared>, now: Instant) -> Option<Self> {
        let mut occupied = connection.occupied();
        let is_old = occupied.seats == 0
            && now.saturating_duration_since(occupied.idle_since) >= shared.terms.idle;
        let most = connection.requests.current_max_send_streams();
        if occupied.is_leaving || is_old || occupied.seats >= most.min(shared.terms.streams) {
            return None;
        }
        occupied.seats += 1;
        let alarm = occupied.alarms.pop().unwrap_or_default();
        drop(occupied);
        Some(Self {
            connection: Arc::clone(connection),
            pool: Arc::downgrade(shared),
            alarm,
        })
    }

    /// Where to send the request's head. A handle of its own: one that is shared waits for those before it.
    pub(super) fn requests(&self) -> SendRequest<Bytes> {
        self.connection.requests.clone()
    }

    /// Nobody else gets a seat on this connection.
    pub(super) fn close_to_others(&self) {
        self.connection.leave();
    }

    pub(in crate::upstream) fn take_alarm(&mut self) -> Alarm {
        std::mem::take(&mut self.alarm)
    }

    pub(in crate::upstream) fn keep_alarm(&mut self, alarm: Alarm) {
        self.alarm = alarm;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let pool = self.pool.upgrade();
        let mut occupied = self.connection.occupied();
        occupied.seats -= 1;
        occupied.alarms.push(std::mem::take(&mut self.alarm));
        let Some(pool) = pool.filter(|_| occupied.seats == 0) else {
            return;
        };
        occupied.idle_since = pool.clock.now();
        drop(occupied);
        // All are gone through only when there may be too many.
        if pool.most_unused.fetch_add(1, Ordering::Relaxed) >= pool.terms.most_idle {
            pool.thin_out();
        }
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn add(self: &Arc<Self>, connection: Arc<Connection>) {
        let mut connections = self.connections();
        match connections.by_address.get_mut(&connection.address) {
            Some(others) => others.push(connection),
            None => {
                let address = connection.address.clone();
                connections.by_address.insert(address, vec![connection]);
            }
        }
        if !std::mem::replace(&mut connections.is_looked_after, true) {
            tokio::spawn(look_after(Arc::downgrade(self)));
        }
    }

    /// Lets go of those that are unused and too many, and of those that get no more requests.
    fn thin_out(&self) {
        let now = self.clock.now();
        let mut unused = 0;
        let mut gone = Vec::new();
        let mut connections = self.connections();
        connections.by_address.retain(|_, here| {
            gone.extend(here.extract_if(.., |connection| {
                let occupied = connection.occupied();
                let is_unused = occupied.seats == 0;
                let age = now.saturating_duration_since(occupied.idle_since);
                let is_too_much = age >= self.terms.idle || unused >= self.terms.most_idle;
                let goes = occupied.is_leaving || (is_unused && is_too_much);
                unused += usize::from(is_unused && !goes);
                goes
            }));
            !here.is_empty()
        });
        self.most_unused.store(unused, Ordering::Relaxed);
        // They are closed when nothing is locked.
        drop(connections);
        drop(gone);
    }
}

/// Closes those that are not needed any more, as long as there are any.
async fn look_after(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        shared.thin_out();
        let mut connections = shared.connections();
        connections.is_looked_after = !connections.by_address.is_empty();
        if !connections.is_looked_after {
            return;
        }
    }
}

impl Connection {
    fn occupied(&self) -> MutexGuard<'_, Occupied> {
        self.occupied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self) {
        self.occupied().is_leaving = true;
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connection")
            .field("address", &self.address)
            .field("occupied", &self.occupied)
            .finish_non_exhaustive()
    }
}
