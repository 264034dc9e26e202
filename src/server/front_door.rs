//! Accepts clients: one task for each listener, one for each connection.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::protocols::SocketDigest;
use pingora_core::protocols::l4::socket::SocketAddr as PingoraAddress;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::{ServiceReadyNotifier, ServiceWithDependents};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::bind::Bound;
use super::connection::{Connection, Socket};
use super::connections::Connections;
use super::introduction::{Introduced, Unknown, introduce};
use super::protocol::{self, Agreed};
use super::room::{Room, Seat, Seats};
use super::tls::{self, Terminator, TlsStream};
use crate::config::{Protocols, ProxyProtocol};
use crate::proxy::HttpProxy;
use crate::proxy::connection::{ConnectionFacts, ListenerSettings, Stall, TlsFacts};
use crate::runtime::Live;
use crate::tls::Chooser;

/// After an error that will not go away by itself (no descriptors left), accepting rests this long.
const REST: Duration = Duration::from_millis(100);

/// Pingora's service for all listeners.
pub(super) struct FrontDoor {
    listeners: Vec<Bound>,
    proxy: Arc<HttpProxy>,
    live: Arc<Live>,
    connections: Arc<Connections>,
    seats: Arc<Seats>,
    stopping: ShutdownWatch,
    threads: usize,
}

impl FrontDoor {
    pub(super) fn new(
        listeners: Vec<Bound>,
        proxy: Arc<HttpProxy>,
        live: Arc<Live>,
        connections: Arc<Connections>,
        seats: Arc<Seats>,
        stopping: ShutdownWatch,
        threads: usize,
    ) -> Self {
        Self {
            listeners,
            proxy,
            live,
            connections,
            seats,
            stopping,
            threads,
        }
    }
}

#[async_trait]
impl ServiceWithDependents for FrontDoor {
    async fn start_service(
        &mut self,
        _inherited: Option<ListenFds>,
        _shutdown: ShutdownWatch,
        _listeners_per_fd: usize,
        ready: ServiceReadyNotifier,
    ) {
        let mut tasks = Vec::new();
        for bound in self.listeners.drain(..) {
            if let Some(terminator) = &bound.tls {
                // It ends with the runtime.
                tokio::spawn(tls::watch(Arc::clone(&bound.name), Arc::clone(terminator)));
            }
            let limit = bound.settings.limits.connections;
            let listener = Arc::new(Listener {
                room: Room::new(&bound.name, limit, Arc::clone(&self.seats)),
                name: bound.name,
                settings: bound.settings,
                tls: bound.tls,
                protocols: bound.protocols,
                proxy_protocol: bound.proxy_protocol,
                live: Arc::clone(&self.live),
                proxy: Arc::clone(&self.proxy),
                connections: Arc::clone(&self.connections),
                stopping: self.stopping.clone(),
            });
            match TcpListener::from_std(bound.socket) {
                Ok(socket) => tasks.push(tokio::spawn(Arc::clone(&listener).accept_all(socket))),
                Err(error) => log::error!("listener {}: {error}", listener.name),
            }
        }
        ready.notify_ready();
        futures::future::join_all(tasks).await;
    }

    fn name(&self) -> &str {
        "front door"
    }

    fn threads(&self) -> Option<usize> {
        Some(self.threads)
    }

    /// The first checks of slow backends are no reason for a log line.
    fn on_startup_delay(&self, _waited: Duration) {}
}

/// One listener, shared by its connections.
struct Listener {
    name: Arc<str>,
    settings: Arc<ListenerSettings>,
    tls: Option<Arc<Terminator>>,
    protocols: Protocols,
    proxy_protocol: ProxyProtocol,
    live: Arc<Live>,
    proxy: Arc<HttpProxy>,
    connections: Arc<Connections>,
    room: Room,
    stopping: ShutdownWatch,
}

impl Listener {
    /// Accepts until the server stops.
    async fn accept_all(self: Arc<Self>, socket: TcpListener) {
        if let Ok(address) = socket.local_addr() {
            log::info!("listening on {address}");
        }
        let mut stopping = self.stopping.clone();
        loop {
            let seat = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                seat = self.room.seat() => seat,
            };
            let accepted = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((client, peer)) => self.welcome(client, peer, seat),
                Err(error) => self.accept_failed(&error).await,
            }
        }
    }

    fn welcome(self: &Arc<Self>, client: TcpStream, peer: SocketAddr, seat: Seat) {
        // Counted before the task exists, so that a shutdown does not miss it.
        let open = self.connections.begin();
        let listener = Arc::clone(self);
        tokio::spawn(async move {
            let _open = (open, seat);
            listener.serve(client, peer).await;
        });
    }

    /// Serves a client until one of the two has had enough.
    async fn serve(&self, mut client: TcpStream, peer: SocketAddr) {
        // What fails here fails because the client is gone already.
        let Ok(local) = client.set_nodelay(true).and_then(|()| client.local_addr()) else {
            return;
        };
        let introduced = match self.proxy_protocol {
            ProxyProtocol::Off => Introduced::as_connected(peer),
            // Boxed, so that what is over soon does not take space for as long as the connection is there.
            _ => match Box::pin(self.introduce(&mut client, peer)).await {
                Ok(introduced) => introduced,
                Err(unserved) => return unserved.tell(&self.name, peer),
            },
        };
        let Introduced { peer, unread } = introduced;
        let ends = Ends {
            peer,
            local,
            digest: digest(&client, local, peer),
        };
        match &self.tls {
            None => self.serve_over(client, ends, unread, None).await,
            // Boxed, so that a connection in the clear does not hold the space for TLS.
            Some(terminator) => {
                let served = Box::pin(self.serve_tls(terminator, client, ends, &unread)).await;
                if let Err(unserved) = served {
                    unserved.tell(&self.name, peer);
                }
            }
        }
    }

    /// Learns who the client is where proxies in front say so.
    async fn introduce(
        &self,
        client: &mut TcpStream,
        peer: SocketAddr,
    ) -> Result<Introduced, Unserved> {
        let is_trusted = self.live.snapshot().trusted_proxies.contains(peer.ip());
        let mut stopping = self.stopping.clone();
        tokio::select! {
            introduced = introduce(client, peer, is_trusted, self.proxy_protocol) => {
                introduced.map_err(Unserved::Unknown)
            }
            _ = stopping.wait_for(|stopping| *stopping) => Err(Unserved::Stopping),
        }
    }

    async fn serve_tls(
        &self,
        terminator: &Terminator,
        client: TcpStream,
        ends: Ends,
        unread: &[u8],
    ) -> Result<(), Unserved> {
        // No record of TLS begins like a header of the PROXY protocol.
        if !unread.is_empty() {
            return Err(Unserved::Unknown(Unknown::Absent));
        }
        let (stream, chooser) = Box::pin(self.shake_hands(terminator, client)).await?;
        let facts = Arc::new(tls::session(&stream, chooser));
        let tls = (facts, tls::agreed(&stream));
        self.serve_over(stream, ends, Vec::new(), Some(tls)).await;
        Ok(())
    }

    async fn shake_hands(
        &self,
        terminator: &Terminator,
        client: TcpStream,
    ) -> Result<(TlsStream, Arc<Chooser>), Unserved> {
        let mut stopping = self.stopping.clone();
        let deadline = self.settings.timeouts.tls_handshake;
        tokio::select! {
            shaken = timeout(deadline, terminator.accept(client)) => match shaken {
                Ok(Ok(shaken)) => Ok(shaken),
                Ok(Err(error)) => Err(Unserved::Handshake(error)),
                Err(_) => Err(Unserved::TooSlow),
            },
            _ = stopping.wait_for(|stopping| *stopping) => Err(Unserved::Stopping),
        }
    }

    async fn serve_over<S: Socket>(
        &self,
        socket: S,
        ends: Ends,
        unread: Vec<u8>,
        tls: Option<(Arc<TlsFacts>, Agreed)>,
    ) {
        let (tls, agreed) = tls.unzip();
        let facts = ConnectionFacts {
            listener: Arc::clone(&self.name),
            settings: Arc::clone(&self.settings),
            local: ends.local,
            peer: ends.peer,
            tls,
            descriptor: Connection::<S>::descriptor,
            stall: Stall::default(),
            must_abort: AtomicBool::new(false),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
        };
        let mut connection = Box::new(Connection::new(socket, Arc::new(facts), ends.digest));
        connection.unread().extend_from_slice(&unread);
        let (proxy, stopping) = (Arc::clone(&self.proxy), self.stopping.clone());
        protocol::serve(proxy, connection, stopping, self.protocols, agreed).await;
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
    peer: SocketAddr,
    local: SocketAddr,
    digest: Arc<SocketDigest>,
}

/// Why a client was not served.
enum Unserved {
    /// It is not known who it is.
    Unknown(Unknown),
    /// TLS did not come about.
    Handshake(io::Error),
    /// TLS did not come about in time.
    TooSlow,
    /// The process ends.
    Stopping,
}

impl Unserved {
    /// A client that just goes away, as port scanners do, is only told of to whoever asks for it.
    fn tell(&self, listener: &str, peer: SocketAddr) {
        match self {
            Self::Unknown(Unknown::Gone) => {
                log::debug!("{listener}: {peer}: no PROXY protocol: it went away");
            }
            Self::Unknown(why) => log::info!("{listener}: {peer}: no PROXY protocol: {why}"),
            Self::Handshake(error) => match tls::why(error) {
                Some(why) => log::info!("{listener}: {peer}: no TLS: {why}"),
                None => log::debug!("{listener}: {peer}: no TLS: it went away"),
            },
            Self::TooSlow => log::info!("{listener}: {peer}: no TLS: the handshake took too long"),
            Self::Stopping => log::debug!("{listener}: {peer}: not served: the process is ending"),
        }
    }
}

/// What Pingora would otherwise ask the kernel for.
fn digest(client: &TcpStream, local: SocketAddr, peer: SocketAddr) -> Arc<SocketDigest> {
    let digest = SocketDigest::from_raw_fd(client.as_raw_fd());
    let _ = digest.peer_addr.set(Some(PingoraAddress::Inet(peer)));
    let _ = digest.local_addr.set(Some(PingoraAddress::Inet(local)));
    Arc::new(digest)
}

/// The client gave up while it waited: nothing is wrong here.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}
