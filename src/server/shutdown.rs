//! From a signal to the end.
//!
//! Pingora waits out its grace period in full and then drops what is still running. Here the waiting is ours: the front door closes, idle
//! connections are closed, requests in flight are finished, and Pingora is told to go the moment the last connection is done.
//!
//! TERM and QUIT stop gracefully; INT, or a second signal while stopping, stops now; HUP asks for the configuration to be loaded anew; USR1
//! reopens the log files.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::connections::Connections;
use crate::config;
use crate::observe::access_log::AccessLog;
use crate::runtime::Live;

/// Decides when the process ends.
pub(super) struct Shutdown {
    live: Arc<Live>,
    stop: watch::Sender<bool>,
    /// Turns true once signals are heeded: before that they do what the system does with them.
    heeds: watch::Sender<bool>,
    connections: Arc<Connections>,
    access_log: Arc<AccessLog>,
    /// Asks for a reload; one that waits to be heard is enough.
    reloads: mpsc::Sender<()>,
}

impl Shutdown {
    pub(super) fn new(
        live: Arc<Live>,
        stop: watch::Sender<bool>,
        heeds: watch::Sender<bool>,
        connections: Arc<Connections>,
        access_log: Arc<AccessLog>,
        reloads: mpsc::Sender<()>,
    ) -> Self {
        Self {
            live,
            stop,
            heeds,
            connections,
            access_log,
            reloads,
        }
    }

    async fn until_stopped(&self, signals: &mut Signals) {
        loop {
            match signals.next().await {
                Asked::Stop => break,
                Asked::StopNow => return log::info!("stopping now"),
                Asked::ReopenLogs => self.reopen_logs(),
                // There is room for one, which stands for all that come before it is heard.
                Asked::Reload => drop(self.reloads.try_send(())),
            }
        }
        tokio::select! {
            () = self.drain() => {}
            () = signals.stop_again() => log::info!("asked again: stopping now"),
        }
    }

    async fn drain(&self) {
        let config::Shutdown { delay, drain } = self.live.snapshot().shutdown;
        if !delay.is_zero() {
            log::info!("stopping in {delay:?}");
            sleep(delay).await;
        }
        // An error means that nobody listens any more.
        let _ = self.stop.send(true);
        log::info!(
            "stopping: {} connections are open",
            self.connections.count()
        );
        if timeout(drain, self.connections.none()).await.is_err() {
            log::warn!(
                "{} connections were still busy after {drain:?} and are cut; server.shutdown.drain is the limit",
                self.connections.count()
            );
        }
    }

    fn reopen_logs(&self) {
        match self.access_log.sink().reopen() {
            Ok(()) => log::info!("log files are open anew"),
            Err(error) => log::error!("{error}"),
        }
    }
}

#[async_trait]
impl ShutdownSignalWatch for Shutdown {
    async fn recv(&self) -> ShutdownSignal {
        let signals = Signals::listen();
        let _ = self.heeds.send(true);
        match signals {
            Ok(mut signals) => self.until_stopped(&mut signals).await,
            Err(error) => log::error!("cannot listen for signals: {error}"),
        }
        // All waiting is done: Pingora is not to add its own.
        let _ = self.stop.send(true);
        ShutdownSignal::FastShutdown
    }
}

enum Asked {
    Stop,
    StopNow,
    ReopenLogs,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hang_up: Signal,
    user1: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hang_up: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.quit.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::StopNow,
            _ = self.hang_up.recv() => Asked::Reload,
            _ = self.user1.recv() => Asked::ReopenLogs,
        }
    }

    async fn stop_again(&mut self) {
        loop {
            if let Asked::Stop | Asked::StopNow = self.next().await {
                return;
            }
        }
    }
}
