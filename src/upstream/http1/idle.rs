//! The connections of one upstream that wait for their next request.
//!
//! The one that was used last is used next, so that those which are not needed grow old. There is no task for each: whether it is still
//! good is asked when it is taken, which costs no call to the kernel, and once a second of all, so that one that the backend has closed is
//! closed here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::super::address::{Address, ByAddress};
use super::super::backend::Backend;
use super::connection::Connection;
use crate::clock::Clock;

/// How often those that wait are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The connections that wait.
#[derive(Debug)]
pub(in crate::upstream) struct Idle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// How many there may be.
    most: usize,
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_address: ByAddress<Vec<Kept>>,
    count: usize,
    is_looked_after: bool,
}

#[derive(Debug)]
struct Kept {
    connection: Box<Connection>,
    until: Instant,
}

impl Idle {
    /// Room for so many.
    pub(in crate::upstream) fn new(most: usize, clock: &Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            most,
            clock: Arc::clone(clock),
            waiting: Mutex::default(),
        }))
    }

    /// A connection to `backend` that began with `introduction`, if a good one waits. What is at one address may have had another name, to
    /// which the certificate was held then.
    pub(in crate::upstream) fn take(
        &self,
        backend: &Backend,
        introduction: &[u8],
        now: Instant,
    ) -> Option<Box<Connection>> {
        loop {
            // One that is not good is dropped when nothing is locked.
            let mut kept = self.0.waiting().take(backend.address(), |connection| {
                connection.introduction == introduction && connection.name == backend.peer().sni
            })?;
            if kept.is_good(now) {
                return Some(kept.connection);
            }
        }
    }

    /// Keeps a connection until then; where there are enough, in the place of the oldest.
    pub(in crate::upstream) fn put(&self, mut connection: Box<Connection>, until: Instant) {
        connection.rest();
        let kept = Kept { connection, until };
        let mut waiting = self.0.waiting();
        let too_many = (waiting.count >= self.0.most).then(|| waiting.take_oldest());
        waiting.put(kept);
        if !std::mem::replace(&mut waiting.is_looked_after, true) {
            tokio::spawn(look_after(Arc::downgrade(&self.0)));
        }
        drop(waiting);
        drop(too_many);
    }
}

/// Closes those that are not good any more, as long as there are any.
async fn look_after(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let now = shared.clock.now();
        let mut waiting = shared.waiting();
        let bad = waiting.take_bad(now);
        waiting.is_looked_after = waiting.count > 0;
        let is_over = !waiting.is_looked_after;
        drop(waiting);
        drop(bad);
        if is_over {
            return;
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self, address: &Address, fits: impl Fn(&Connection) -> bool) -> Option<Kept> {
        let kept = self.by_address.get_mut(address)?;
        let newest = kept.iter().rposition(|kept| fits(&kept.connection))?;
        self.count -= 1;
        Some(kept.remove(newest))
    }

    fn put(&mut self, kept: Kept) {
        self.count += 1;
        match self.by_address.get_mut(&kept.connection.address) {
            Some(others) => others.push(kept),
            None => {
                let address = kept.connection.address.clone();
                self.by_address.insert(address, vec![kept]);
            }
        }
    }

    fn take_oldest(&mut self) -> Option<Kept> {
        let others = self.by_address.values_mut();
        let others = others.filter(|kept| !kept.is_empty());
        let oldest = others.min_by_key(|kept| kept[0].until)?;
        self.count -= 1;
        Some(oldest.remove(0))
    }

    fn take_bad(&mut self, now: Instant) -> Vec<Kept> {
        let mut bad = Vec::new();
        self.by_address.retain(|_, kept| {
            bad.extend(kept.extract_if(.., |kept| !kept.is_good(now)));
            !kept.is_empty()
        });
        self.count -= bad.len();
        bad
    }
}

impl Kept {
    fn is_good(&mut self, now: Instant) -> bool {
        now < self.until && self.connection.is_quiet()
    }
}
