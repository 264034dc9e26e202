//! The connection that a request came in on, as far as the proxy needs to know it.
//!
//! The connection layer makes the facts when it accepts, and hands them along with every request through Pingora's connection context,
//! the one thing that Pingora carries from there to here.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use pingora_core::server::ShutdownWatch;
use pingora_proxy::Session;

use super::Ctx;
use super::tunnel::Tunnel;
use super::turned_away::Origin;
use crate::config::{ListenerLimits, ListenerTimeouts};
use crate::observe::record::Tls;
use crate::runtime::Snapshot;
use crate::semantics::end::End;
use crate::semantics::forwarded::Scheme;
use crate::semantics::proxy_protocol::{Behalf, Endpoints};
use crate::tls::Chooser;

/// What is known of a connection for its whole life.
#[derive(Debug)]
pub struct ConnectionFacts {
    /// The listener's name.
    pub listener: Arc<str>,
    /// What the listener has written for its clients.
    pub settings: Arc<ListenerSettings>,
    /// Address and port the client connected to.
    pub local: End,
    /// Address and port of the other end of the connection.
    pub peer: End,
    /// Its TLS; none in the clear.
    pub tls: Option<Arc<TlsFacts>>,
    /// From the connection, as Pingora holds it, to another descriptor of its socket; `None` for a connection of another type.
    pub descriptor: fn(&dyn Any) -> Option<io::Result<OwnedFd>>,
    /// The answer broke off: the connection is not to end as a complete one would.
    pub must_abort: AtomicBool,
    /// The way to the backend, when the connection was switched to another protocol.
    pub tunnel: OnceLock<Box<Mutex<Tunnel>>>,
    /// Bytes read from the client since the current request began, heads included.
    pub bytes_read: AtomicU64,
    /// Bytes written to the client since the current request began, heads included.
    pub bytes_written: AtomicU64,
    /// On HTTP/2, what its requests and answers have come to together, in bytes.
    pub carried: OnceLock<Arc<AtomicU64>>,
}

/// What a listener has written for its clients, as far as it concerns what they send and get.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// How long they are waited for.
    pub timeouts: ListenerTimeouts,
    /// How much they may send, and how many of them there may be.
    pub limits: ListenerLimits,
    /// Turns true when the listener is no more what it is: from then on every answer is the last one on its connection.
    pub leaving: ShutdownWatch,
    /// What served the listener's requests when the file had it for the last time: they go on being served by it. Set before it goes.
    pub last: OnceLock<Arc<Snapshot>>,
}

/// What is known of a connection's TLS.
#[derive(Debug)]
pub struct TlsFacts {
    /// As the log has it.
    pub session: Tls,
    /// The certificates that there were in the handshake.
    pub chooser: Arc<Chooser>,
}

impl ConnectionFacts {
    /// Those of one request among several at once: what is of the connection is shared, and what is of a request its own.
    pub fn of_stream(&self) -> Self {
        Self {
            listener: Arc::clone(&self.listener),
            settings: Arc::clone(&self.settings),
            local: self.local,
            peer: self.peer,
            tls: self.tls.clone(),
            descriptor: self.descriptor,
            must_abort: AtomicBool::new(false),
            tunnel: OnceLock::new(),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            carried: self.carried.clone(),
        }
    }

    /// So much of a request has come.
    pub fn count_read(&self, bytes: usize) {
        self.count(&self.bytes_read, bytes);
    }

    /// So much of an answer has gone.
    pub fn count_written(&self, bytes: usize) {
        self.count(&self.bytes_written, bytes);
    }

    fn count(&self, counter: &AtomicU64, bytes: usize) {
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
        if let Some(carried) = self.carried.get() {
            carried.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// Whose connection it is, for the record of a request that the engine does not see.
    pub(crate) fn origin(&self) -> Origin<'_> {
        Origin {
            listener: &self.listener,
            local: self.local,
            peer: self.peer,
            tls: self.tls.as_ref().map(|tls| &tls.session),
        }
    }

    /// Whom a connection to a backend is made for, in the words of the PROXY protocol.
    pub fn behalf(&self) -> Behalf {
        let Some(source) = self.peer.socket() else {
            return Behalf::Unknown;
        };
        // Of a client that was introduced on a Unix socket, it is not known what it connected to.
        let nowhere = match source.ip() {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let destination = self.local.socket();
        Behalf::Client(Endpoints {
            source,
            destination: destination.unwrap_or(SocketAddr::new(nowhere, 0)),
        })
    }

    /// How the client has reached the listener.
    pub fn scheme(&self) -> Scheme {
        match self.tls {
            None => Scheme::Http,
            Some(_) => Scheme::Https,
        }
    }

    /// Whether a request for this host may come over the connection: it would be shown the same certificate (RFC 9110 §7.4). A client that
    /// has asked for no name knows of none.
    pub fn serves(&self, host: &str) -> bool {
        let tls = self.tls.as_ref();
        let connected = tls.and_then(|tls| Some((tls, tls.session.server_name.as_deref()?)));
        connected.is_none_or(|(tls, name)| tls.chooser.covers(name, host))
    }
}

/// The client takes nothing of its answer for `timeouts.write`; what the connection's error holds then.
#[derive(Debug)]
pub struct NothingTaken;

impl fmt::Display for NothingTaken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the client takes nothing of its answer")
    }
}

impl std::error::Error for NothingTaken {}

/// The body of a request cannot be read in one way only; what the connection's error holds then.
#[derive(Debug)]
pub struct BodyMalformed;

impl fmt::Display for BodyMalformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the chunks of the request's body are malformed")
    }
}

impl std::error::Error for BodyMalformed {}

/// Makes the answer that is about to begin the last one of its connection, where the client is to leave.
pub(super) fn say_farewell(session: &mut Session, ctx: &Ctx) {
    let connection = ctx.connection.as_ref();
    if connection.is_some_and(|connection| *connection.settings.leaving.borrow()) {
        session.set_keepalive(None);
    }
}

/// Whether an error that the connection holds, of this kind, is what `error` comes from.
pub(super) fn is_behind<E: std::error::Error + 'static>(error: &pingora_core::Error) -> bool {
    let io = error.root_cause().downcast_ref::<io::Error>();
    let held = io.and_then(io::Error::get_ref);
    held.is_some_and(|held| held.is::<E>())
}

/// Takes up the facts that came with a request on HTTP/2, where Pingora carries nothing along: they are in the request itself.
pub(super) fn recall_stream(session: &mut Session, ctx: &mut Ctx) {
    if ctx.connection.is_none() {
        let extensions = session.req_header_mut().extensions_mut();
        ctx.connection = extensions.remove::<Arc<ConnectionFacts>>();
    }
}

/// Takes up the facts that came with the request.
pub(super) fn recall(ctx: &mut Ctx, carried: Box<dyn Any + Send + Sync>) {
    if let Ok(facts) = carried.downcast::<Arc<ConnectionFacts>>() {
        ctx.connection = Some(*facts);
    }
}
