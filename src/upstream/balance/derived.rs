//! What a policy works out from the members and keeps until they change.
//!
//! Reading costs an atomic load. The first pick after a change pays for the work; threads that meet
//! at that moment may do it twice, with the same result.

use super::Members;
use super::members::Seen;
use arc_swap::ArcSwapOption;
use std::fmt;
use std::sync::Arc;

pub(super) struct Derived<T>(ArcSwapOption<(Seen, T)>);

impl<T> Derived<T> {
    /// Reads what `make` made of `members` as they are now; `make` is given what was there before.
    pub(super) fn read<R>(
        &self,
        members: &Members,
        make: impl FnOnce(&Members, Option<&T>) -> T,
        read: impl FnOnce(&T) -> R,
    ) -> R {
        let current = self.0.load();
        if let Some((seen, value)) = current.as_deref()
            && seen.is_current(members)
        {
            return read(value);
        }
        let seen = Seen::of(members);
        let value = make(members, current.as_deref().map(|(_, value)| value));
        let made = Arc::new((seen, value));
        self.0.store(Some(Arc::clone(&made)));
        read(&made.1)
    }

    /// Reads what was last made, for whichever members.
    pub(super) fn peek<R>(&self, read: impl FnOnce(&Seen, &T) -> R) -> Option<R> {
        let current = self.0.load();
        current.as_deref().map(|(seen, value)| read(seen, value))
    }
}

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self(ArcSwapOption::empty())
    }
}

impl<T> fmt::Debug for Derived<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived").finish_non_exhaustive()
    }
}
