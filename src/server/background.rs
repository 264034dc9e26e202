//! What happens beside the requests: the embedded backends, finding the backends, checking their health.
//!
//! One Pingora service, and so one thread, for all upstreams. It is ready, and only then does the front door open, when every backend was
//! looked for and checked once.

use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::{ServiceReadyNotifier, ServiceWithDependents};

use crate::config::EmbeddedBackend;
use crate::runtime::Live;
use crate::upstream::{Connector, Upstream, Watch};

/// Pingora's service for the background work.
pub(super) struct Background {
    embedded: Vec<EmbeddedBackend>,
    live: Arc<Live>,
}

impl Background {
    pub(super) fn new(embedded: Vec<EmbeddedBackend>, live: Arc<Live>) -> Self {
        Self { embedded, live }
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
        let watched = futures::future::join_all(begun).await;
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
    upstream.discover().await;
    let mut watch = upstream.watch(connector);
    if let Some(watch) = &mut watch {
        watch.ask_everybody().await;
    }
    Keeper { upstream, watch }
}

/// Keeps what is known of one upstream's backends up to date.
struct Keeper {
    upstream: Arc<Upstream>,
    watch: Option<Watch>,
}

impl Keeper {
    async fn keep(self) {
        let Self { upstream, watch } = self;
        futures::join!(keep_checking(watch), keep_discovering(&upstream));
    }
}

async fn keep_checking(watch: Option<Watch>) {
    if let Some(mut watch) = watch {
        watch.keep_asking().await;
    }
}

async fn keep_discovering(upstream: &Upstream) {
    let Some(interval) = upstream.discovery_interval() else {
        return;
    };
    loop {
        tokio::time::sleep(interval).await;
        upstream.discover().await;
    }
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
