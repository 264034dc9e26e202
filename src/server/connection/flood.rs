//! Clients of HTTP/2 that send frames for their own sake.
//!
//! Pings, settings, priorities, windows that open by a byte, frames that nobody knows: each of them is allowed, costs next to nothing to
//! send and something to read, and the crate `h2` counts none of them. What it keeps of them is bounded, so that memory is not the matter;
//! the time that they take is. So what a client has sent is held against what came of it: as in nginx (`ngx_http_v2_module.c`), eight bytes
//! for each byte of a request or an answer, and some to begin with. A download has less than one for a thousand.

use std::io;
use std::sync::atomic::Ordering;

use crate::proxy::connection::ConnectionFacts;

/// So many bytes may come for each one that is carried.
const MOST_FOR_ONE: u64 = 8;
/// So many may be carried less than that, in bytes.
const TO_BEGIN_WITH: u64 = 1024 * 1024;

/// Counts what was read of the connection.
///
/// # Errors
/// It is out of all proportion: the connection is to end.
pub(super) fn check(connection: &ConnectionFacts, bytes: usize) -> io::Result<()> {
    // Requests have their own; this one is the connection's.
    let before = connection
        .bytes_read
        .fetch_add(bytes as u64, Ordering::Relaxed);
    let read = before.saturating_add(bytes as u64);
    let carried = connection.carried.get();
    let carried = carried.map_or(0, |carried| carried.load(Ordering::Relaxed));
    if read / MOST_FOR_ONE <= carried.saturating_add(TO_BEGIN_WITH) {
        return Ok(());
    }
    log::info!(
        "{}: {} sent away: a flood of frames",
        connection.listener,
        connection.peer
    );
    Err(io::Error::other("a flood of frames"))
}
