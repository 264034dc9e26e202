//! How many clients there may be: those of one listener, and those of the whole process.
//!
//! When as many are there as may be, the listener accepts no more until one has left; who comes meanwhile waits in the kernel's backlog, as
//! with HAProxy's `maxconn`. The process's share is half of its open files, less what it needs for itself: each client may need a
//! connection to a backend besides its own. So requests that are in flight never fail because others have come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Open files that have nothing to do with requests: logs, listeners, health checks, name resolution.
const OWN_FILES: u64 = 64;
/// However few files may be open, so many clients are let in.
const AT_LEAST: u64 = 8;

/// The seats of one listener.
#[derive(Debug)]
pub(super) struct Room {
    own: Option<Seats>,
    process: Arc<Seats>,
}

/// One client's seat, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    _own: Option<OwnedSemaphorePermit>,
    _process: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(listener: &str, connections: Option<usize>, process: Arc<Seats>) -> Self {
        let own = connections.map(|limit| {
            let full = format!("listener {listener}: limits.connections, {limit}, is reached");
            Seats::new(limit, full)
        });
        Self { own, process }
    }

    /// Waits for a seat.
    pub(super) async fn seat(&self) -> Seat {
        Seat {
            _own: match &self.own {
                Some(own) => own.take().await,
                None => None,
            },
            _process: self.process.take().await,
        }
    }
}

/// So many seats, and what is said when all are taken.
#[derive(Debug)]
pub(super) struct Seats {
    free: Arc<Semaphore>,
    full: String,
    is_told: AtomicBool,
}

impl Seats {
    fn new(count: usize, full: String) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))),
            full,
            is_told: AtomicBool::new(false),
        }
    }

    /// Those of the process, which keeps so many unused connections to backends.
    pub(super) fn of_process(kept: usize) -> Arc<Self> {
        let limit = raise_limit();
        let count = limit.map_or(u64::MAX, |limit| clients(limit, kept as u64));
        let full = format!(
            "{count} clients are connected, and each may need a connection to a backend: the limit of open files, {}, is near; raise it (ulimit -n)",
            limit.unwrap_or_default()
        );
        Arc::new(Self::new(
            usize::try_from(count).unwrap_or(usize::MAX),
            full,
        ))
    }

    /// `None` never comes: nobody closes the semaphore.
    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        let free = || Arc::clone(&self.free);
        if let Ok(seat) = free().try_acquire_owned() {
            return Some(seat);
        }
        if !self.is_told.swap(true, Ordering::Relaxed) {
            log::warn!(
                "{}; more clients wait until one has left (this is said once)",
                self.full
            );
        }
        free().acquire_owned().await.ok()
    }
}

/// How many clients there may be when so many files may be open.
fn clients(limit: u64, kept: u64) -> u64 {
    let own = OWN_FILES.min(limit / 4) + kept.min(limit / 4);
    (limit.saturating_sub(own) / 2).max(AT_LEAST)
}

/// Lets the process have as many files open as it may; how many that are, if there is a limit.
fn raise_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let soft = current?;
    if maximum.is_some_and(|hard| hard <= soft) {
        return current;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => {
            let now = maximum.map_or_else(|| "no limit".to_owned(), |hard| hard.to_string());
            log::info!("open files: the limit was {soft} and is now {now}");
            maximum
        }
        Err(error) => {
            log::warn!("open files: the limit stays at {soft}: {error}");
            current
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_of_the_files_are_for_clients_and_half_for_backends() {
        assert_eq!(clients(1_024, 0), 480);
        assert_eq!(clients(1_024, 512), 352);
        assert_eq!(clients(1_048_576, 512), 524_000);
    }

    proptest! {
        #[test]
        fn clients_and_their_backends_never_need_more_than_there_is(limit in 32..u64::MAX, kept in any::<u64>()) {
            let clients = clients(limit, kept);
            prop_assert!(clients >= AT_LEAST);
            prop_assert!(clients.saturating_mul(2) <= limit);
        }
    }
}
