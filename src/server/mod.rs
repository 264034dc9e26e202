//! The process: sockets, connections, background work, and its end.
//!
//! Pingora's `Server` keeps the process's life and runs two services of ours: the front door, which accepts clients, and the background,
//! which finds and checks the backends. What Pingora's own listeners would not do well is done here: a port in use ends the process at
//! once, heads have a deadline, and the process ends as soon as the last connection is done.
//!
//! - `bind`: sockets, before anything else; `socket`: of TCP, or on a path
//! - `privileges`: from root to another user
//! - `authorities`: whether those of the system can be read
//! - `front_door`: the listeners that there are; `plan`: how they become those of another file
//! - `listener`: accept, and one task for each connection
//! - `room`: how many connections there may be; `clients`: how many of one client
//! - `introduction`: the PROXY protocol
//! - `tls`: certificates and handshakes
//! - `connection`, `http1`: what a connection is to Pingora, and the requests on it
//! - `protocol`, `http2`: which version of HTTP a client speaks, and HTTP/2
//! - `background`: embedded backends, discovery, health checks
//! - `reload`: the configuration, loaded anew
//! - `pools`: unused connections to backends
//! - `shutdown`: from a signal to the end

mod authorities;
mod background;
mod bind;
mod clients;
mod connection;
mod connections;
mod front_door;
mod http1;
mod http2;
mod introduction;
mod listener;
mod loader;
mod plan;
mod pools;
mod privileges;
mod protocol;
mod reload;
mod room;
mod shutdown;
mod socket;
mod tls;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{RunArgs, Server};
use tokio::sync::{mpsc, watch};

use crate::clock::{Clock, SystemClock};
use crate::config::{Checked, Config, Threads};
use crate::observe::access_log::AccessLog;
use crate::proxy::{HttpProxy, Proxy};
use crate::runtime::{Live, Snapshot};
use crate::upstream::Resolver;

use authorities::Authorities;
use background::Background;
use connections::Connections;
use front_door::FrontDoor;
use loader::Loader;
use plan::Plan;
use reload::Reload;
use room::Seats;
use shutdown::Shutdown;

pub use reload::Source;

/// The access log has this long to write its last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Why the process could not run.
#[derive(Debug)]
pub struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

/// Serves until a signal ends the process; `source` is where `config` came from, to load it anew.
///
/// # Errors
/// A listener's address or a file cannot be had. Nothing was served then.
pub fn run(config: Checked<Config>, source: Source) -> Result<(), Failed> {
    // It fails where a provider was installed before, and then there is one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for warning in config.warnings(clock.wall()) {
        log::warn!("{warning}");
    }
    let seats = Seats::of_process(pools::kept(&config));
    let plan = Plan::new(&config.listeners, &[]).map_err(Failed)?;
    let pid_file = config.server.pid_file.clone();
    if let Some(path) = &pid_file {
        write_pid(path)?;
    }
    let user = config.server.user.as_ref();
    privileges::give_up(user.map(|user| &*user.0)).map_err(Failed)?;
    privileges::look_at_files(&source.path, &config);
    let authorities = Authorities::read()?;
    authorities.warn_whoever_needs_them(&config);
    let access_log = AccessLog::open(&config.access_log, Arc::clone(&clock))
        .map_err(|error| Failed(error.to_string()))?;
    let access_log = Arc::new(access_log);

    serve(
        config,
        source,
        authorities,
        plan,
        seats,
        clock,
        Arc::clone(&access_log),
    );

    access_log.close(LAST_LINES);
    if let Some(path) = pid_file {
        // It may be gone already; there is nothing left to do about it either way.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// Puts the parts together and runs them.
fn serve(
    config: Checked<Config>,
    source: Source,
    authorities: Authorities,
    plan: Plan,
    seats: Arc<Seats>,
    clock: Arc<dyn Clock>,
    access_log: Arc<AccessLog>,
) {
    let threads = threads(config.server.threads);
    let kept = pools::Capacity::for_a_start_with(&config);
    let mut server = Server::new_with_opt_and_conf(None, pingora_conf(kept, threads));
    let resolver = Arc::new(Resolver::new(config.resolver.clone()));
    let snapshot = Snapshot::new(config.clone(), 1, &clock, &resolver);
    let live = Arc::new(Live::new(snapshot));
    let proxy = Proxy::new(
        Arc::clone(&live),
        Arc::clone(&access_log),
        Arc::clone(&clock),
        gethostname::gethostname().to_string_lossy().into_owned(),
    );
    let proxy = Arc::new(HttpProxy::new(&server.configuration, proxy));
    let connections = Arc::new(Connections::default());
    let front_door = FrontDoor::new(proxy, Arc::clone(&live), Arc::clone(&connections), seats);
    let front_door = Arc::new(front_door);
    let (stop, stopping) = watch::channel(false);
    let (heeds, heeding) = watch::channel(false);
    // One reload may wait while another is under way.
    let (ask, reloads) = mpsc::channel(1);

    let embedded = config.embedded_backends.clone();
    let reload = Reload {
        source: Arc::new(source),
        config,
        live: Arc::clone(&live),
        clock,
        resolver,
        access_log: Arc::clone(&access_log),
        front_door: Arc::clone(&front_door),
        authorities,
        loader: Loader::default(),
        kept,
    };
    let background = server.add_service(Background::new(embedded, reload, reloads, heeding));
    let service = front_door::Service {
        front_door: Arc::clone(&front_door),
        first: Some(plan),
        stopping,
        threads,
    };
    server.add_service(service).add_dependency(&background);
    let shutdown = Shutdown::new(live, stop, heeds, connections, access_log, ask);
    server.run(RunArgs {
        shutdown_signal: Box::new(shutdown),
    });
    // The service may have had no time for it.
    front_door.close();
}

fn threads(configured: Threads) -> usize {
    match configured {
        Threads::Count(count) => count.get(),
        Threads::Auto => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn pingora_conf(kept: pools::Capacity, threads: usize) -> ServerConf {
    ServerConf {
        threads,
        // Pingora multiplies it by the number of threads.
        upstream_keepalive_pool_size: kept.0.div_ceil(threads).max(1),
        // How often a request is tried is decided attempt by attempt; this is only the outermost bound.
        max_retries: usize::MAX,
        ..ServerConf::default()
    }
}

fn write_pid(path: &Path) -> Result<(), Failed> {
    std::fs::write(path, format!("{}\n", std::process::id())).map_err(|error| {
        Failed(format!(
            "server.pid_file: cannot write {}: {error}; choose a folder that this user may write to",
            path.display()
        ))
    })
}
