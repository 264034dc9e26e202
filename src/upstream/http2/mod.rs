//! Connections to backends over HTTP/2 (RFC 9113), by the crate `h2`.
//!
//! Pingora has a client of its own over the same crate, which is not used: it drops interim answers, takes heads of any size, keeps time with
//! a thread that wakes up a hundred times a second, and its answers come through a channel and with several copies of each head. The
//! connection itself, with TLS and its timeouts, is made by Pingora.
//!
//! - `pool`: the connections there are, and the seats for requests on them
//! - `stream`: one request and its answer

mod pool;
mod stream;

pub use pool::Seat;
pub(super) use pool::{Pool, Terms};
pub use stream::Stream;
