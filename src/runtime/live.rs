//! The current snapshot.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Snapshot;

/// Holds the snapshot that new requests begin under. Reading it neither locks nor waits.
#[derive(Debug)]
pub struct Live {
    current: ArcSwap<Snapshot>,
}

impl Live {
    /// Begins with `snapshot`.
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            current: ArcSwap::from_pointee(snapshot),
        }
    }

    /// Every request that begins from now on is served by `next`.
    pub fn follow(&self, next: Snapshot) {
        self.current.store(Arc::new(next));
    }

    /// The snapshot for a request that begins now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }
}
