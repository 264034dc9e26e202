//! How many client connections there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts connections, and knows when the last one is gone.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: AtomicUsize,
    none_left: Notify,
}

impl Connections {
    /// Counts one more, for as long as the guard lives.
    pub(super) fn begin(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::AcqRel);
        Open(Arc::clone(self))
    }

    pub(super) fn count(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Returns once there is none.
    pub(super) async fn none(&self) {
        loop {
            let gone = self.none_left.notified();
            tokio::pin!(gone);
            // Registered before the count is read, so that the last one to leave cannot be missed.
            gone.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            gone.await;
        }
    }
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Open(Arc<Connections>);

impl Drop for Open {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}
