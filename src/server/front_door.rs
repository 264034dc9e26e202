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

use super::bind::Bound;
use super::connection::Connection;
use super::connections::{Connections, Open};
use super::http1;
use crate::proxy::HttpProxy;
use crate::proxy::connection::{ConnectionFacts, Stall};

/// After an error that will not go away by itself (no descriptors left), accepting rests this long.
const REST: Duration = Duration::from_millis(100);

/// Pingora's service for all listeners.
pub(super) struct FrontDoor {
    listeners: Vec<Bound>,
    proxy: Arc<HttpProxy>,
    connections: Arc<Connections>,
    stopping: ShutdownWatch,
    threads: usize,
}

impl FrontDoor {
    pub(super) fn new(
        listeners: Vec<Bound>,
        proxy: Arc<HttpProxy>,
        connections: Arc<Connections>,
        stopping: ShutdownWatch,
        threads: usize,
    ) -> Self {
        Self {
            listeners,
            proxy,
            connections,
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
            let listener = Listener {
                name: bound.name,
                proxy: Arc::clone(&self.proxy),
                connections: Arc::clone(&self.connections),
                stopping: self.stopping.clone(),
            };
            match TcpListener::from_std(bound.socket) {
                Ok(socket) => tasks.push(tokio::spawn(listener.accept_all(socket))),
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

struct Listener {
    name: Arc<str>,
    proxy: Arc<HttpProxy>,
    connections: Arc<Connections>,
    stopping: ShutdownWatch,
}

impl Listener {
    /// Accepts until the server stops.
    async fn accept_all(self, socket: TcpListener) {
        if let Ok(address) = socket.local_addr() {
            log::info!("listening on {address}");
        }
        let mut stopping = self.stopping.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((client, peer)) => self.welcome(client, peer),
                Err(error) => self.accept_failed(&error).await,
            }
        }
    }

    fn welcome(&self, client: TcpStream, peer: SocketAddr) {
        // Counted before the task exists, so that a shutdown does not miss it.
        let open = self.connections.begin();
        match self.connection(client, peer) {
            Ok(connection) => {
                let (proxy, stopping) = (Arc::clone(&self.proxy), self.stopping.clone());
                tokio::spawn(serve(proxy, connection, stopping, open));
            }
            // The client is gone already.
            Err(error) => log::debug!("listener {}: {peer}: {error}", self.name),
        }
    }

    fn connection(
        &self,
        client: TcpStream,
        peer: SocketAddr,
    ) -> io::Result<Box<Connection<TcpStream>>> {
        client.set_nodelay(true)?;
        let facts = ConnectionFacts {
            listener: Arc::clone(&self.name),
            local: client.local_addr()?,
            peer,
            descriptor: Connection::<TcpStream>::descriptor,
            stall: Stall::default(),
            must_abort: AtomicBool::new(false),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
        };
        let digest = SocketDigest::from_raw_fd(client.as_raw_fd());
        // Known already: Pingora need not ask the kernel.
        let _ = digest.peer_addr.set(Some(PingoraAddress::Inet(peer)));
        let _ = digest
            .local_addr
            .set(Some(PingoraAddress::Inet(facts.local)));
        Ok(Box::new(Connection::new(
            client,
            Arc::new(facts),
            Arc::new(digest),
        )))
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

async fn serve(
    proxy: Arc<HttpProxy>,
    connection: Box<Connection<TcpStream>>,
    stopping: ShutdownWatch,
    _open: Open,
) {
    http1::serve(proxy, connection, stopping).await;
}

/// The client gave up while it waited: nothing is wrong here.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}
