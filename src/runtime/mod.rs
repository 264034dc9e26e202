//! The configuration made alive.
//!
//! A [`Snapshot`] is one loaded configuration, ready to serve: immutable, and shared by every request that began under it. [`Live`] holds
//! the current one. [`changes`] tells two of them apart, in words.

mod changes;
mod live;
mod snapshot;

pub use changes::changes;
pub use live::Live;
pub use snapshot::{Action, Listener, Route, Snapshot};
