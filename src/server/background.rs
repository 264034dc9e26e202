//! What happens beside the requests: the embedded backends, finding the backends, checking their health, loading the configuration anew.
//!
//! One Pingora service, and so one thread, for all upstreams. It is ready, and only then does the front door open, when every backend was
//! looked for and checked once.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::{ServiceReadyNotifier, ServiceWithDependents};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::reload::Reload;
use crate::config::EmbeddedBackend;
use crate::upstream::{Connector, Upstream, Watch};

pub(super) use embedded::Embedded;

/// Pingora's service for the background work.
pub(super) struct Background {
    embedded: Vec<EmbeddedBackend>,
    reload: Reload,
    /// Somebody wants the configuration to be loaded anew.
    reloads: mpsc::Receiver<()>,
    /// Turns true once signals are heeded.
    heeding: watch::Receiver<bool>,
}

impl Background {
    pub(super) fn new(
        embedded: Vec<EmbeddedBackend>,
        reload: Reload,
        reloads: mpsc::Receiver<()>,
        heeding: watch::Receiver<bool>,
    ) -> Self {
        Self {
            embedded,
            reload,
            reloads,
            heeding,
        }
    }
}

#[async_trait]
impl ServiceWithDependents for Background {
    async fn start_service(
        &mut self,
        _inherited: Option<ListenFds>,
        mut shutdown: ShutdownWatch,
        _listeners_per_fd: usize,
        ready: ServiceReadyNotifier,
    ) {
        let mut embedded = Embedded::default();
        embedded.open(&self.embedded).await;
        let upstreams = &self.reload.live.snapshot().upstreams;
        let mut keepers = Keepers::default();
        let begun = upstreams.iter().map(Arc::clone);
        let begun = join_all(begun.map(|upstream| begin(upstream, keepers.connector()))).await;
        // Whoever reads that it listens may send a signal at once. An error means that the process is ending.
        let _ = self.heeding.wait_for(|heeds| *heeds).await;
        ready.notify_ready();
        keepers.follow(begun, upstreams);
        let Self {
            reload, reloads, ..
        } = self;
        let reloading = async {
            while let Some(()) = reloads.recv().await {
                reload.reload(&mut keepers, &mut embedded).await;
            }
            // Nobody is left who could ask.
            std::future::pending().await
        };
        tokio::select! {
            () = reloading => {}
            // An error means that the sender is gone: the process is ending.
            _ = shutdown.wait_for(|stopping| *stopping) => {}
        }
        keepers.stop();
    }

    fn name(&self) -> &str {
        "background"
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }
}

/// Finds an upstream's backends and checks each of them once.
pub(super) async fn begin(upstream: Arc<Upstream>, connector: &Arc<Connector>) -> Keeper {
    let due = discover(&upstream).await;
    let mut watch = upstream.watch(connector);
    if let Some(watch) = &mut watch {
        watch.ask_everybody().await;
    }
    Keeper {
        upstream,
        watch,
        due,
    }
}

/// Who keeps what is known of the upstreams' backends up to date.
#[derive(Default)]
pub(super) struct Keepers {
    connector: Arc<Connector>,
    at_work: Vec<(Arc<Upstream>, JoinHandle<()>)>,
}

impl Keepers {
    /// What health checks connect by.
    pub(super) fn connector(&self) -> &Arc<Connector> {
        &self.connector
    }

    /// Whether this very upstream has a keeper.
    pub(super) fn have(&self, upstream: &Arc<Upstream>) -> bool {
        let mut at_work = self.at_work.iter();
        at_work.any(|(kept, _)| Arc::ptr_eq(kept, upstream))
    }

    /// The `new` ones begin, and those whose upstream is none of `upstreams` end.
    pub(super) fn follow(&mut self, new: Vec<Keeper>, upstreams: &[Arc<Upstream>]) {
        self.at_work.retain(|(kept, keeping)| {
            let stays = upstreams.iter().any(|one| Arc::ptr_eq(one, kept));
            if !stays {
                keeping.abort();
            }
            stays
        });
        let begun = new.into_iter().map(|keeper| {
            let upstream = Arc::clone(&keeper.upstream);
            (upstream, tokio::spawn(keeper.keep()))
        });
        self.at_work.extend(begun);
    }

    fn stop(&self) {
        for (_, keeping) in &self.at_work {
            keeping.abort();
        }
    }
}

/// Keeps what is known of one upstream's backends up to date.
pub(super) struct Keeper {
    upstream: Arc<Upstream>,
    watch: Option<Watch>,
    /// When each name is to be looked up again.
    due: Vec<(usize, Instant)>,
}

impl Keeper {
    async fn keep(self) {
        let Self {
            upstream,
            watch,
            due,
        } = self;
        futures::join!(keep_checking(watch), keep_discovering(&upstream, due));
    }
}

async fn keep_checking(watch: Option<Watch>) {
    if let Some(mut watch) = watch {
        watch.keep_asking().await;
    }
}

/// Looks all names up at the same time; when each is to be looked up again.
async fn discover(upstream: &Upstream) -> Vec<(usize, Instant)> {
    upstream.publish_backends().await;
    let names = upstream.names().into_iter();
    join_all(names.map(async |name| (name, resolve(upstream, name).await))).await
}

/// Each name at its own time: one that is slow holds up no other.
async fn keep_discovering(upstream: &Upstream, due: Vec<(usize, Instant)>) {
    let names = due.into_iter().map(async |(name, mut due)| {
        loop {
            sleep_until(due).await;
            due = resolve(upstream, name).await;
        }
    });
    join_all(names).await;
}

/// Looks one name up; when it is to be looked up again.
async fn resolve(upstream: &Upstream, name: usize) -> Instant {
    let pause = upstream.resolve(name).await;
    Instant::now() + pause
}

/// Hello services inside this process, for demos.
#[cfg(feature = "embedded_backends")]
mod embedded {
    use std::io;

    use crate::config::EmbeddedBackend;

    /// Those that run.
    #[derive(Default)]
    pub(in crate::server) struct Embedded(Vec<(EmbeddedBackend, hello::Hello)>);

    impl Embedded {
        /// Starts those that do not run yet. One whose address is another's until now takes its place.
        pub(in crate::server) async fn open(&mut self, backends: &[EmbeddedBackend]) {
            for backend in backends {
                if self.0.iter().any(|(running, _)| running == backend) {
                    continue;
                }
                let EmbeddedBackend { name, address } = backend;
                self.0.retain(|(running, _)| running.address != *address);
                match hello::spawn(hello::Options::default().address(*address).name(name)).await {
                    Ok(hello) => {
                        log::info!("embedded backend {name} on {address}");
                        self.0.push((backend.clone(), hello));
                    }
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                        log::info!(
                            "embedded backend {name}: {address} is in use, and left to whoever has it"
                        );
                    }
                    Err(error) => {
                        log::warn!("embedded backend {name}: cannot listen on {address}: {error}");
                    }
                }
            }
        }

        /// Ends all others.
        pub(in crate::server) fn close_others(&mut self, backends: &[EmbeddedBackend]) {
            self.0.retain(|(running, _)| backends.contains(running));
        }
    }
}

/// This build has none.
#[cfg(not(feature = "embedded_backends"))]
mod embedded {
    use crate::config::EmbeddedBackend;

    #[derive(Default)]
    pub(in crate::server) struct Embedded(());

    impl Embedded {
        pub(in crate::server) async fn open(&mut self, backends: &[EmbeddedBackend]) {
            if !backends.is_empty() {
                log::warn!(
                    "embedded_backends: this program was built without them; none is started"
                );
            }
        }

        pub(in crate::server) fn close_others(&mut self, _: &[EmbeddedBackend]) {}
    }
}
