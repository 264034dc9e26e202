//! The listeners that there are, from the start of the process to its end.
//!
//! They change when the configuration is loaded anew. What the file then says of an address that is listened on already holds without the
//! socket being closed, so that no client is refused: the next one is welcomed by the new listener. Clients of the former one are answered
//! once more, with a farewell (`Connection: close`, `GOAWAY`). Clients of a listener whose address or name is gone have their request under
//! way answered and leave then, as when the process stops.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_trait::async_trait;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::{ServiceReadyNotifier, ServiceWithDependents};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::connections::Connections;
use super::listener::Listener;
use super::plan::{How, Plan, Planned, Socket};
use super::room::{Room, Seats};
use super::socket::Listening;
use super::tls::{self, Terminator};
use crate::config;
use crate::proxy::HttpProxy;
use crate::proxy::connection::ListenerSettings;
use crate::runtime::Live;

/// All listeners.
pub(super) struct FrontDoor {
    proxy: Arc<HttpProxy>,
    live: Arc<Live>,
    connections: Arc<Connections>,
    seats: Arc<Seats>,
    doors: Mutex<Doors>,
}

#[derive(Default)]
struct Doors {
    /// Where clients are served; known once the service has started.
    runtime: Option<Handle>,
    open: Vec<Door>,
    /// Closes what may be left of former listeners' clients.
    former: Vec<watch::Sender<bool>>,
}

/// A listener that is open.
pub(super) struct Door {
    pub(super) written: config::Listener,
    pub(super) listener: Arc<Listener>,
    pub(super) socket: Arc<Listening>,
    leaving: watch::Sender<bool>,
    closing: watch::Sender<bool>,
}

impl Door {
    /// Whether it is this one in the file, whatever is different about it.
    pub(super) fn is(&self, written: &config::Listener) -> bool {
        self.written.address == written.address && self.written.name == written.name
    }

    /// Accepts nobody any more. Clients are answered once more, or leave as soon as they have no request under way.
    fn leave(self, is_closing: bool) -> watch::Sender<bool> {
        self.leaving.send_replace(true);
        self.closing.send_replace(is_closing);
        self.closing
    }
}

impl FrontDoor {
    /// Without any listener yet.
    pub(super) fn new(
        proxy: Arc<HttpProxy>,
        live: Arc<Live>,
        connections: Arc<Connections>,
        seats: Arc<Seats>,
    ) -> Self {
        Self {
            proxy,
            live,
            connections,
            seats,
            doors: Mutex::default(),
        }
    }

    /// What there is to do for a file with these listeners; nothing changes yet.
    ///
    /// # Errors
    /// One line for each listener that cannot be had.
    pub(super) fn plan(&self, listeners: &[config::Listener]) -> Result<Plan, String> {
        Plan::new(listeners, &self.doors().open)
    }

    /// Closes the listeners that are not in the plan. It comes before their names are gone from what requests are served by.
    pub(super) fn close_others(&self, plan: &Plan) {
        let mut doors = self.doors();
        let (stay, go): (Vec<_>, _) = std::mem::take(&mut doors.open)
            .into_iter()
            .partition(|door| plan.has(door));
        doors.open = stay;
        for door in go {
            log::info!("listener {}: closed", door.listener.name);
            // A request may be on its way.
            let _ = door.listener.settings.last.set(self.live.snapshot());
            door.leave(true);
        }
    }

    /// Changes and opens the listeners that are in the plan.
    pub(super) fn follow(&self, plan: Plan) {
        let mut doors = self.doors();
        let Some(runtime) = doors.runtime.clone() else {
            return;
        };
        let _context = runtime.enter();
        for planned in plan.planned {
            let Planned { written, how } = planned;
            let place = doors.open.iter().position(|door| door.is(&written));
            match how {
                How::Stays(shown) => {
                    let Some(door) = place.and_then(|place| doors.open.get_mut(place)) else {
                        continue;
                    };
                    if let (Some(terminator), Some(shown)) = (&door.listener.tls, shown) {
                        terminator.show(shown);
                    }
                    door.written = written;
                }
                How::Opens(socket, tls) => {
                    let former = place.map(|place| doors.open.swap_remove(place));
                    let room = former
                        .as_ref()
                        .map(|former| Arc::clone(&former.listener.room));
                    match self.open(written, socket, tls, room) {
                        Ok(door) => doors.open.push(door),
                        Err(error) => log::error!("a listener cannot be opened: {error}"),
                    }
                    let former = former.map(|former| former.leave(false));
                    doors.former.retain(|former| !former.is_closed());
                    doors.former.extend(former);
                }
            }
        }
    }

    fn open(
        &self,
        written: config::Listener,
        socket: Socket,
        tls: Option<Arc<Terminator>>,
        room: Option<Arc<Room>>,
    ) -> std::io::Result<Door> {
        let socket = match socket {
            Socket::Kept(socket) => {
                if let (Some(file), Some(mode)) = (socket.file(), written.mode)
                    && let Err(error) = file.permit(mode)
                {
                    log::error!("listener {}: mode: {error}", written.name);
                }
                socket
            }
            Socket::New(socket) => {
                let socket = Listening::new(socket)?;
                log::info!("listening on {}", socket.place()?);
                Arc::new(socket)
            }
        };
        let most = written.limits.connections;
        let room = room.inspect(|room| room.resize(most)).unwrap_or_else(|| {
            let seats = Arc::clone(&self.seats);
            Arc::new(Room::new(&written.name, most, seats))
        });
        let (leaving, closing) = (watch::Sender::new(false), watch::Sender::new(false));
        let listener = Arc::new(Listener {
            name: written.name.as_str().into(),
            settings: Arc::new(ListenerSettings {
                timeouts: written.timeouts,
                limits: written.limits,
                leaving: leaving.subscribe(),
                last: OnceLock::new(),
            }),
            tls,
            protocols: written.protocols,
            proxy_protocol: written.proxy_protocol,
            room,
            live: Arc::clone(&self.live),
            proxy: Arc::clone(&self.proxy),
            connections: Arc::clone(&self.connections),
            closing: closing.subscribe(),
        });
        if let Some(terminator) = &listener.tls {
            let name = Arc::clone(&listener.name);
            tokio::spawn(tls::watch(name, Arc::downgrade(terminator)));
        }
        tokio::spawn(Arc::clone(&listener).accept_all(Arc::clone(&socket)));
        Ok(Door {
            written,
            listener,
            socket,
            leaving,
            closing,
        })
    }

    /// Closes all listeners, and removes the files of those that have one.
    pub(super) fn close(&self) {
        let mut doors = self.doors();
        for door in std::mem::take(&mut doors.open) {
            // The process may end before its tasks do.
            if let Some(file) = door.socket.file() {
                file.remove();
            }
            door.leave(true);
        }
        for former in std::mem::take(&mut doors.former) {
            former.send_replace(true);
        }
    }

    fn doors(&self) -> MutexGuard<'_, Doors> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pingora's service for the front door.
pub(super) struct Service {
    pub(super) front_door: Arc<FrontDoor>,
    /// The listeners to begin with.
    pub(super) first: Option<Plan>,
    pub(super) stopping: ShutdownWatch,
    pub(super) threads: usize,
}

#[async_trait]
impl ServiceWithDependents for Service {
    async fn start_service(
        &mut self,
        _inherited: Option<ListenFds>,
        _shutdown: ShutdownWatch,
        _listeners_per_fd: usize,
        ready: ServiceReadyNotifier,
    ) {
        self.front_door.doors().runtime = Some(Handle::current());
        if let Some(first) = self.first.take() {
            self.front_door.follow(first);
        }
        ready.notify_ready();
        // An error means that the sender is gone: the process is ending.
        let _ = self.stopping.wait_for(|stopping| *stopping).await;
        self.front_door.close();
    }

    fn name(&self) -> &str {
        "front door"
    }

    fn threads(&self) -> Option<usize> {
        Some(self.threads)
    }

    /// The first checks of slow backends are no reason for a log line.
    fn on_startup_delay(&self, _waited: std::time::Duration) {}
}
