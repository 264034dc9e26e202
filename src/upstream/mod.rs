//! Groups of backends, and which of them gets the next attempt.
//!
//! An [`Upstream`] stands on Pingora's `LoadBalancer`: discovery feeds it addresses, the health checks its verdicts, and our `selection`
//! makes the order in which it offers them. What Pingora does not keep, the live state of each address (health, requests in flight), is
//! kept in a [`Backend`], which outlives every change of the list it stands in.
//!
//! - `admission`: who goes at once, who waits, who gets none
//! - `look`: what would become of a request, for whoever explains it
//! - `backend`: one address and its live state
//! - `balance`: the policies, pure functions of that state
//! - `selection`: a policy, seen as Pingora's `BackendSelection`
//! - `own`: the policies that a program has registered
//! - `discovery`: from what the operator wrote to addresses
//! - `roster`: the backends there are at this moment
//! - `health`: the active checks
//! - `split`: one route's requests, shared among several upstreams
//! - `outlier`: what failed requests say of a backend; `slow_start`: how it comes back; `recovery`: both applied
//! - `heritage`: what an upstream takes over when the configuration is loaded anew
//! - `retry`: whether a failed attempt is made again; `budget`: how often that may be
//! - `address`: where a backend is
//! - `peer`: from an address to how Pingora connects to it; `dial`: where its own way of connecting will not do
//! - `reach`: from a backend to a connection that carries a request to it
//! - `carrier`: the way of one request and its answer, whatever version of HTTP the backend speaks
//! - `http1`: connections over HTTP/1, and those that wait for their next request
//! - `http2`: connections over HTTP/2, and the requests on them
//! - `handshake`: why TLS with a backend did not come about
//! - `queue`: the line of those who wait
//! - `sticky`: the cookies that name backends

mod address;
mod admission;
mod backend;
pub mod balance;
mod budget;
pub mod carrier;
mod dial;
mod discovery;
mod handshake;
mod health;
mod heritage;
pub mod http1;
pub mod http2;
mod look;
mod outlier;
mod own;
mod peer;
mod queue;
pub mod reach;
mod recovery;
pub mod retry;
mod roster;
mod selection;
mod slow_start;
mod split;
mod sticky;
#[expect(
    clippy::module_inception,
    reason = "an upstream is what this room is about"
)]
mod upstream;

pub use admission::{Admission, Applicant, NotAdmitted};
pub use backend::{Backend, Health};
pub use discovery::Resolver;
pub use handshake::{Refusal, RefusalKind};
pub use health::{Connector, Watch};
pub use look::Look;
pub use own::register;
pub use selection::InFlight;
pub use split::Split;
pub use sticky::Token;
pub use upstream::Upstream;
