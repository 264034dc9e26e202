//! The configuration made alive.
//!
//! A [`Snapshot`] is one loaded configuration, ready to serve: immutable, and shared by every request that began under it. [`Live`] holds
//! the current one.

mod live;
mod snapshot;

pub use live::Live;
pub use snapshot::{Action, Listener, Route, Snapshot};
