//! What is decided of a request between its head and the backend's: who sent it, which route it takes, what the backend is told.
//!
//! The running proxy and `explain` call these same functions. They work on heads, addresses and the snapshot, and know no session.
//!
//! - `arrival`: the client behind a connection, and the request's id
//! - `routing`: the question that is put to the route table
//! - `elsewhere`: the answer of a `redirect`
//! - `outgoing`: the request as the backend gets it; `lines`: its header lines
//! - `session`: the cookie that names a backend
//! - `words`: what a record needs besides the head

mod arrival;
mod elsewhere;
mod lines;
mod outgoing;
mod routing;
mod session;
mod words;

pub use arrival::{Sender, kept_request_id, make_request_id};
pub use elsewhere::{Configured, elsewhere};
pub use lines::Lines;
pub use outgoing::{Outgoing, lines};
pub use routing::{host, question};
pub use session::session_token;
pub use words::Words;
