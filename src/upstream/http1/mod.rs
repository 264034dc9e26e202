//! Connections to backends over HTTP/1.
//!
//! Pingora has a client of its own for this, which is not used: it takes answers that two readers could understand differently (lines that
//! are folded or end with a bare LF, a space before a colon, a length beside a transfer coding, a chunk without a size) and makes them clean
//! before anybody can see that they were not; it keeps each unused connection with a task of its own, asks the kernel for its address at
//! each request, and copies each head and piece. The connection itself, with TLS and its timeouts, is made by Pingora.
//!
//! - `connection`: bytes out and bytes in
//! - `request`: the framing of a request's body
//! - `answer`: parts of an answer, out of bytes
//! - `turn`: one request and its answer on a connection
//! - `idle`: the connections that wait for their next request

mod answer;
mod connection;
mod idle;
mod request;
mod turn;

pub use answer::{AnswerReader, Form, Keeps, Passed};
pub use connection::Connection;
pub(super) use idle::Idle;
pub use request::RequestBody;
pub use turn::Turn;
