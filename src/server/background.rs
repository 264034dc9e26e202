//! What happens beside the requests: the embedded backends, finding the backends, checking their health.
//!
//! One Pingora service, and so one thread, for all upstreams. It is ready, and only then does the front door open, when every backend was
//! looked for and checked once.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::{ServiceReadyNotifier, ServiceWithDependents};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::config::EmbeddedBackend;
use crate::runtime::Live;
use crate::upstream::{Connector, Upstream, Watch};

/// Pingora's service for the background work.
pub(super) struct Background {
    embedded: Vec<EmbeddedBackend>,
    live: Arc<Live>,
    /// Turns true once signals are heeded.
    heeding: watch::Receiver<bool>,
}

impl Background {
    pub(super) fn new(
        embedded: Vec<EmbeddedBackend>,
        live: Arc<Live>,
        heeding: watch::Receiver<bool>,
    ) -> Self {
        Self {
            embedded,
            live,
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
        let _embedded = embedded::start(&self.embedded).await;
        let snapshot = self.live.snapshot();
        let connector = Arc::new(Connector::default());
        let upstreams = snapshot.upstreams.iter().map(Arc::clone);
        let begun = upstreams.map(|upstream| begin(upstream, &connector));
        let watched = join_all(begun).await;
        // Whoever reads that it listens may send a signal at once. An error means that the process is ending.
        let _ = self.heeding.wait_for(|heeds| *heeds).await;
        ready.notify_ready();
        let tasks = watched
            .into_iter()
            .map(|keeper| tokio::spawn(keeper.keep()));
        let tasks: Vec<_> = tasks.collect();
        // An error means that the sender is gone: the process is ending.
        let _ = shutdown.wait_for(|stopping| *stopping).await;
        for task in tasks {
            task.abort();
        }
    }

    fn name(&self) -> &str {
        "background"
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }
}

/// Finds an upstream's backends and checks each of them once.
async fn begin(upstream: Arc<Upstream>, connector: &Arc<Connector>) -> Keeper {
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

/// Keeps what is known of one upstream's backends up to date.
struct Keeper {
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

    pub(super) async fn start(backends: &[EmbeddedBackend]) -> Vec<hello::Hello> {
        let mut running = Vec::new();
        for EmbeddedBackend { name, address } in backends {
            match hello::spawn(hello::Options::default().address(*address).name(name)).await {
                Ok(hello) => {
                    log::info!("embedded backend {name} on {address}");
                    running.push(hello);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    log::info!(
                        "embedded backend {name}: {address} is in use, and left to whoever has it"
                    );
                }
                Err(error) => {
                    log::warn!("embedded backend {name}: cannot listen on {address}: {error}")
                }
            }
        }
        running
    }
}

/// This build has none.
#[cfg(not(feature = "embedded_backends"))]
mod embedded {
    use crate::config::EmbeddedBackend;

    pub(super) async fn start(backends: &[EmbeddedBackend]) {
        if !backends.is_empty() {
            log::warn!("embedded_backends: this program was built without them; none is started");
        }
    }
}
