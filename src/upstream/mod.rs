//! Groups of backends, and which of them gets the next attempt.
//!
//! An [`Upstream`] stands on Pingora's `LoadBalancer`: discovery feeds it addresses, the health checks its verdicts, and our `selection`
//! makes the order in which it offers them. What Pingora does not keep, the live state of each address (health, requests in flight), is
//! kept in a [`Backend`], which outlives every change of the list it stands in.
//!
//! - `admission`: who goes at once, who waits, who gets none
//! - `backend`: one address and its live state
//! - `balance`: the policies, pure functions of that state
//! - `selection`: a policy, seen as Pingora's `BackendSelection`
//! - `discovery`: from what the operator wrote to addresses
//! - `roster`: the backends there are at this moment
//! - `health`: the active checks
//! - `peer`: from an address to how Pingora connects to it
//! - `queue`: the line of those who wait
//! - `sticky`: the cookies that name backends

mod admission;
mod backend;
pub mod balance;
mod discovery;
mod health;
mod peer;
mod queue;
mod roster;
mod selection;
mod sticky;
#[expect(
    clippy::module_inception,
    reason = "an upstream is what this room is about"
)]
mod upstream;

pub use admission::{Admission, Applicant, Refusal};
pub use backend::{Backend, Health};
pub use health::{Connectors, Watch};
pub use selection::InFlight;
pub use sticky::Token;
pub use upstream::Upstream;
