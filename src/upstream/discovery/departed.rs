//! Backends that are gone from the DNS, as long as they may come back.
//!
//! A backend that comes back goes on with its counts, also with the requests that it had not answered when it went. Its health is asked for
//! anew. So many are remembered and not more: where addresses are never used twice, as in some container networks, the list would have no
//! end.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::config;
use crate::upstream::address::Address;
use crate::upstream::{Backend, Health};

const REMEMBERED: usize = 256;

/// The last ones that are gone, oldest first.
#[derive(Debug, Default)]
pub(super) struct Departed(VecDeque<Arc<Backend>>);

impl Departed {
    pub(super) fn extend<'a>(&mut self, gone: impl Iterator<Item = &'a Arc<Backend>>) {
        self.0.extend(gone.cloned());
        let too_many = self.0.len().saturating_sub(REMEMBERED);
        self.0.drain(..too_many);
    }

    /// The backend that was at `address`, if it was made for what is written.
    pub(super) fn take(
        &mut self,
        address: &Address,
        written: &config::Backend,
    ) -> Option<Arc<Backend>> {
        let mut all = self.0.iter();
        let index = all.rposition(|one| one.address() == address && one.goes_on_as(written))?;
        let backend = self.0.remove(index)?;
        backend.set_health(Health::Unknown);
        Some(backend)
    }
}
