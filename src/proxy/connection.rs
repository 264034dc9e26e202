//! The connection that a request came in on, as far as the proxy needs to know it.
//!
//! The connection layer makes the facts when it accepts, and hands them along with every request through Pingora's connection context,
//! the one thing that Pingora carries from there to here.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::Ctx;

/// What is known of a connection for its whole life.
#[derive(Debug)]
pub struct ConnectionFacts {
    /// The listener's name.
    pub listener: Arc<str>,
    /// Address and port the client connected to.
    pub local: SocketAddr,
    /// Address and port of the other end of the connection.
    pub peer: SocketAddr,
    /// Bytes read from the client since the current request began, heads included.
    pub bytes_read: AtomicU64,
    /// Bytes written to the client since the current request began, heads included.
    pub bytes_written: AtomicU64,
}

/// Takes up the facts that came with the request.
pub(super) fn recall(ctx: &mut Ctx, carried: Box<dyn Any + Send + Sync>) {
    if let Ok(facts) = carried.downcast::<Arc<ConnectionFacts>>() {
        ctx.connection = Some(*facts);
    }
}
