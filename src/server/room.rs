//! How many clients there may be: those of one listener, and those of the whole process.
//!
//! When as many are there as may be, the listener accepts no more until one has left; who comes meanwhile waits in the kernel's backlog, as
//! with HAProxy's `maxconn`. The process's share is half of its open files, less what it needs for itself: each client may need a
//! connection to a backend besides its own. So requests that are in flight never fail because others have come.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;

use super::clients::Clients;

/// Open files that have nothing to do with requests: logs, listeners, health checks, name resolution.
const OWN_FILES: u64 = 64;
/// However few files may be open, so many clients are let in.
const AT_LEAST: u64 = 8;

/// The seats of one listener.
#[derive(Debug)]
pub(super) struct Room {
    /// Who has the connections, where one client may have so many only.
    pub(super) clients: Arc<Clients>,
    own: Arc<Seats>,
    process: Arc<Seats>,
}

/// One client's seat, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    _own: Taken,
    _process: Taken,
}

impl Room {
    pub(super) fn new(listener: &str, connections: Option<usize>, process: Arc<Seats>) -> Self {
        let whose = Whose::Listener(listener.to_owned());
        Self {
            clients: Arc::default(),
            own: Arc::new(Seats::new(connections.unwrap_or(usize::MAX), whose)),
            process,
        }
    }

    /// From now on there may be so many. Those who are there stay.
    pub(super) fn resize(&self, connections: Option<usize>) {
        self.own.resize(connections.unwrap_or(usize::MAX));
    }

    /// Waits for a seat.
    pub(super) async fn seat(&self) -> Seat {
        Seat {
            _own: self.own.take().await,
            _process: self.process.take().await,
        }
    }
}

/// So many seats, which whoever comes must have one of.
#[derive(Debug)]
pub(super) struct Seats {
    limit: AtomicUsize,
    taken: AtomicUsize,
    given_back: Notify,
    whose: Whose,
    is_told: AtomicBool,
}

/// Whose seats they are: what is said when all are taken.
#[derive(Debug)]
enum Whose {
    Listener(String),
    /// With so many open files.
    Process(u64),
}

/// A seat that somebody has.
#[derive(Debug)]
struct Taken(Arc<Seats>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.given_back.notify_one();
    }
}

impl Seats {
    fn new(limit: usize, whose: Whose) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            taken: AtomicUsize::new(0),
            given_back: Notify::new(),
            whose,
            is_told: AtomicBool::new(false),
        }
    }

    /// Those of the process, which keeps so many unused connections to backends.
    pub(super) fn of_process(kept: usize) -> Arc<Self> {
        let limit = raise_limit();
        let count = limit.map_or(u64::MAX, |limit| clients(limit, kept as u64));
        let whose = Whose::Process(limit.unwrap_or_default());
        Arc::new(Self::new(
            usize::try_from(count).unwrap_or(usize::MAX),
            whose,
        ))
    }

    fn resize(&self, limit: usize) {
        if self.limit.swap(limit, Ordering::AcqRel) != limit {
            self.is_told.store(false, Ordering::Relaxed);
            self.given_back.notify_waiters();
        }
    }

    async fn take(self: &Arc<Self>) -> Taken {
        loop {
            let given_back = self.given_back.notified();
            tokio::pin!(given_back);
            // Before it is looked at, so that a seat that is given back meanwhile is not missed.
            given_back.as_mut().enable();
            if let Some(taken) = self.take_now() {
                return taken;
            }
            if !self.is_told.swap(true, Ordering::Relaxed) {
                log::warn!("{self}; more clients wait until one has left (this is said once)");
            }
            given_back.await;
        }
    }

    fn take_now(self: &Arc<Self>) -> Option<Taken> {
        let limit = self.limit.load(Ordering::Acquire);
        let taken = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |taken| {
                (taken < limit).then_some(taken + 1)
            });
        taken.is_ok().then(|| Taken(Arc::clone(self)))
    }
}

impl fmt::Display for Seats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.limit.load(Ordering::Relaxed);
        match &self.whose {
            Whose::Listener(name) => {
                write!(
                    formatter,
                    "listener {name}: limits.connections, {count}, is reached"
                )
            }
            Whose::Process(files) => write!(
                formatter,
                "{count} clients are connected, and each may need a connection to a backend: the limit of open files, {files}, is near; raise it (ulimit -n)"
            ),
        }
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
