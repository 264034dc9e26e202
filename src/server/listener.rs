//! One listener: it accepts clients, gets to know each of them, and hands it to whoever speaks its protocol.
//!
//! Each connection is a task. What it takes to get to know a client (the PROXY protocol, TLS, the first bytes) is given back when that is
//! done, so that a connection that waits for its next request holds little more than what serves it.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pingora_core::server::ShutdownWatch;
use tokio::time::{Instant, timeout};

use super::clients::{Counted, TooMany};
use super::connection::Connection;
use super::connections::Connections;
use super::introduction::{Introduced, Unknown, introduce};
use super::protocol::{self, Agreed, Serving};
use super::room::{Room, Seat};
use super::socket::{ClientSocket, Listening, Socket};
use super::tls::{self, NoTls, Terminator, TlsStream};
use crate::config::{Protocols, ProxyProtocol};
use crate::proxy::HttpProxy;
use crate::proxy::connection::{ConnectionFacts, ListenerSettings, TlsFacts};
use crate::proxy::turned_away::{Asked, Origin, Reason, Sent};
use crate::runtime::Live;
use crate::semantics::end::End;
use crate::tls::Chooser;

/// After an error that will not go away by itself (no descriptors left), accepting rests this long.
const REST: Duration = Duration::from_millis(100);

/// One listener, shared by its connections.
pub(super) struct Listener {
    pub(super) name: Arc<str>,
    pub(super) settings: Arc<ListenerSettings>,
    pub(super) tls: Option<Arc<Terminator>>,
    pub(super) protocols: Protocols,
    pub(super) proxy_protocol: ProxyProtocol,
    pub(super) room: Arc<Room>,
    pub(super) live: Arc<Live>,
    pub(super) proxy: Arc<HttpProxy>,
    pub(super) connections: Arc<Connections>,
    /// Turns true when clients that have no request under way are to leave.
    pub(super) closing: ShutdownWatch,
}

impl Listener {
    /// Accepts until the listener is no more what it is.
    pub(super) async fn accept_all(self: Arc<Self>, socket: Arc<Listening>) {
        let mut leaving = self.settings.leaving.clone();
        loop {
            let seat = tokio::select! {
                biased;
                _ = leaving.wait_for(|leaving| *leaving) => return,
                seat = self.room.seat() => seat,
            };
            let accepted = tokio::select! {
                biased;
                _ = leaving.wait_for(|leaving| *leaving) => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((client, peer)) => self.welcome(client, peer, seat),
                Err(error) => self.accept_failed(&error).await,
            }
        }
    }

    fn welcome(self: &Arc<Self>, client: ClientSocket, peer: End, seat: Seat) {
        // Counted before the task exists, so that a shutdown does not miss it.
        let open = self.connections.begin();
        let listener = Arc::clone(self);
        tokio::spawn(async move {
            let _open = (open, seat);
            let serving = Box::pin(listener.meet(client, peer)).await;
            drop(listener);
            if let Some(serving) = serving {
                serving.await;
            }
        });
    }

    /// Gets to know a client; what then serves it until one of the two has had enough.
    async fn meet(&self, mut client: ClientSocket, peer: End) -> Option<Serving> {
        // What fails here fails because the client is gone already.
        let local = client.begin().ok()?;
        // Whoever the connection is from, until somebody else is introduced.
        let mut known = peer;
        let met = async {
            let Introduced { peer, unread } = self.introduce(&mut client, peer).await?;
            known = peer;
            let ends = Ends {
                peer,
                local,
                counted: self.count(peer.ip())?,
            };
            match &self.tls {
                None => Ok(self.served_over(client, ends, &unread, None).await),
                Some(terminator) => self.served_by_tls(terminator, client, ends, &unread).await,
            }
        };
        let met: Result<_, Unserved> = met.await;
        match met {
            Ok(serving) => serving,
            Err(unserved) => {
                self.turn_away(unserved, known, local).await;
                None
            }
        }
    }

    /// Tells of a client that was not served, and tells that client what can be told.
    async fn turn_away(&self, unserved: Unserved, peer: End, local: End) {
        unserved.tell(&self.name, peer);
        let origin = Origin {
            listener: &self.name,
            local,
            peer,
            tls: None,
        };
        let reporter = self.proxy.reporter();
        match (unserved.reason(), unserved) {
            (_, Unserved::InTheClear(client)) => tls::refuse_http(reporter, origin, client).await,
            (Some(why), _) => {
                reporter.report(origin, why, &Asked::default(), &Sent::default());
            }
            (None, _) => {}
        }
    }

    /// Learns who the client is where proxies in front say so.
    async fn introduce(
        &self,
        client: &mut ClientSocket,
        peer: End,
    ) -> Result<Introduced, Unserved> {
        if self.proxy_protocol == ProxyProtocol::Off {
            return Ok(Introduced::as_connected(peer));
        }
        let is_trusted = self.live.snapshot().trusted_proxies.contains(peer.ip());
        let mut closing = self.closing.clone();
        tokio::select! {
            introduced = introduce(client, peer, is_trusted, self.proxy_protocol) => {
                introduced.map_err(Unserved::Unknown)
            }
            _ = closing.wait_for(|closing| *closing) => Err(Unserved::Closing),
        }
    }

    /// Counts a connection of this client, where a client may have so many only. Trusted proxies are no clients: many come through them.
    fn count(&self, client: Option<IpAddr>) -> Result<Option<Counted>, Unserved> {
        let most = self.settings.limits.connections_per_client;
        // Those on Unix sockets cannot be told apart.
        let (Some(most), Some(client)) = (most, client) else {
            return Ok(None);
        };
        if self.live.snapshot().trusted_proxies.contains(client) {
            return Ok(None);
        }
        let counted = self.room.clients.begin(client, most, Instant::now());
        counted.map(Some).map_err(Unserved::TooMany)
    }

    async fn served_by_tls(
        &self,
        terminator: &Terminator,
        client: ClientSocket,
        ends: Ends,
        unread: &[u8],
    ) -> Result<Option<Serving>, Unserved> {
        // No record of TLS begins like a header of the PROXY protocol.
        if !unread.is_empty() {
            return Err(Unserved::Unknown(Unknown::Absent));
        }
        let (stream, chooser) = self.shake_hands(terminator, client).await?;
        let facts = Arc::new(tls::session(&stream, chooser));
        let tls = (facts, tls::agreed(&stream));
        Ok(self.served_over(stream, ends, &[], Some(tls)).await)
    }

    async fn shake_hands(
        &self,
        terminator: &Terminator,
        client: ClientSocket,
    ) -> Result<(TlsStream, Arc<Chooser>), Unserved> {
        let mut closing = self.closing.clone();
        let deadline = self.settings.timeouts.tls_handshake;
        tokio::select! {
            shaken = timeout(deadline, terminator.accept(client)) => match shaken {
                Ok(Ok(shaken)) => Ok(shaken),
                Ok(Err(NoTls::Failed(error))) => Err(Unserved::Handshake(error)),
                Ok(Err(NoTls::InTheClear(client))) => Err(Unserved::InTheClear(client)),
                Err(_) => Err(Unserved::TooSlow),
            },
            _ = closing.wait_for(|closing| *closing) => Err(Unserved::Closing),
        }
    }

    async fn served_over<S: Socket>(
        &self,
        socket: S,
        ends: Ends,
        unread: &[u8],
        tls: Option<(Arc<TlsFacts>, Agreed)>,
    ) -> Option<Serving> {
        let (tls, agreed) = tls.unzip();
        let facts = ConnectionFacts {
            listener: Arc::clone(&self.name),
            settings: Arc::clone(&self.settings),
            local: ends.local,
            peer: ends.peer,
            tls,
            descriptor: Connection::<S>::descriptor,
            must_abort: AtomicBool::new(false),
            tunnel: OnceLock::new(),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            carried: OnceLock::new(),
        };
        let mut connection = Box::new(Connection::new(socket, Arc::new(facts), ends.counted));
        connection.unread().extend_from_slice(unread);
        let (proxy, closing) = (Arc::clone(&self.proxy), self.closing.clone());
        protocol::begin(proxy, connection, closing, self.protocols, agreed).await
    }

    async fn accept_failed(&self, error: &io::Error) {
        if is_of_the_client(error) {
            return;
        }
        log::error!(
            "listener {}: cannot accept: {error}; is the limit of open files too low (ulimit -n)?",
            self.name
        );
        tokio::time::sleep(REST).await;
    }
}

/// The two ends of a connection.
struct Ends {
    peer: End,
    local: End,
    counted: Option<Counted>,
}

/// Why a client was not served.
enum Unserved {
    /// It is not known who it is.
    Unknown(Unknown),
    /// It has as many connections as it may.
    TooMany(TooMany),
    /// TLS did not come about.
    Handshake(io::Error),
    /// The client speaks HTTP in the clear where TLS is spoken.
    InTheClear(ClientSocket),
    /// TLS did not come about in time.
    TooSlow,
    /// The listener is closed.
    Closing,
}

impl Unserved {
    /// A client that just goes away, as port scanners do, is only told of to whoever asks for it.
    fn tell(&self, listener: &str, peer: End) {
        match self {
            Self::Unknown(Unknown::Gone) => {
                log::debug!("{listener}: {peer}: no PROXY protocol: it went away");
            }
            Self::Unknown(why) => log::info!("{listener}: {peer}: no PROXY protocol: {why}"),
            Self::TooMany(too_many) => too_many.tell(listener),
            Self::Handshake(error) => match tls::why(error) {
                Some(why) => log::info!("{listener}: {peer}: no TLS: {why}"),
                None => log::debug!("{listener}: {peer}: no TLS: it went away"),
            },
            Self::InTheClear(_) => {
                log::info!("{listener}: {peer}: no TLS: it speaks HTTP in the clear");
            }
            Self::TooSlow => log::info!("{listener}: {peer}: no TLS: the handshake took too long"),
            Self::Closing => log::debug!("{listener}: {peer}: not served: the listener is closed"),
        }
    }

    /// What the access log has of it; nothing of a client that just goes away.
    fn reason(&self) -> Option<Reason> {
        match self {
            Self::Unknown(Unknown::NotTrusted) => Some(Reason::NotTrusted),
            Self::Unknown(Unknown::Absent) => Some(Reason::NotIntroduced),
            Self::Unknown(Unknown::Malformed(_)) => Some(Reason::IntroductionMalformed),
            Self::Unknown(Unknown::TooSlow) => Some(Reason::IntroductionTooSlow),
            Self::Handshake(error) => tls::why(error).map(|_| Reason::NoTls),
            Self::InTheClear(_) => Some(Reason::InTheClear),
            Self::TooSlow => Some(Reason::TlsTooSlow),
            Self::Unknown(Unknown::Gone) | Self::TooMany(_) | Self::Closing => None,
        }
    }
}

/// The client gave up while it waited: nothing is wrong here.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}
