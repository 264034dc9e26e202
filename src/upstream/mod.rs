//! Groups of backends, and which of them gets the next attempt.
//!
//! An [`Upstream`] stands on Pingora's `LoadBalancer`: discovery feeds it addresses, the health checks its verdicts, and our `selection`
//! makes the order in which it offers them. What Pingora does not keep, the live state of each address (health, requests in flight), is
//! kept in a [`Backend`], which outlives every change of the list it stands in.
//!
//! - `backend`: one address and its live state
//! - `balance`: the policies, pure functions of that state
//! - `selection`: a policy, seen as Pingora's `BackendSelection`
//! - `discovery`: from what the operator wrote to addresses
//! - `roster`: the backends there are at this moment
//! - `health`: the active checks
//! - `peer`: from an address to how Pingora connects to it

mod backend;
pub mod balance;
mod discovery;
mod health;
mod peer;
mod roster;
mod selection;
#[expect(
    clippy::module_inception,
    reason = "an upstream is what this room is about"
)]
mod upstream;

pub use backend::{Backend, Health};
pub use health::{Connector, Watch};
pub use selection::InFlight;
pub use upstream::Upstream;
