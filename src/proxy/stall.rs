//! The two time limits on a backend's answer: until its head, and between two pieces of its body.
//!
//! Pingora keeps the longer of the two (see `upstream::peer`); the shorter one, if they differ, is kept here as a deadline on the client's
//! connection.

use std::time::Duration;

use pingora_core::{Error, ErrorType};
use tokio::time::Instant;

use super::Ctx;
use super::failure::Failure;

/// The last of the request is on its way: the head of the answer is due. While the client still sends, a silent backend owes nothing.
pub(super) fn request_is_whole(ctx: &mut Ctx) {
    ctx.request_is_whole = true;
    if !ctx.has_answer() {
        let limit = limits(ctx).and_then(|(response, read)| (response < read).then_some(response));
        set(ctx, limit);
    }
}

/// The head or a piece of the body has come: the next piece is due.
pub(super) fn answer_goes_on(ctx: &Ctx) {
    let limit = limits(ctx).and_then(|(response, read)| (read < response).then_some(read));
    set(ctx, limit);
}

/// Nothing more is due.
pub(super) fn end(ctx: &Ctx) {
    set(ctx, None);
}

/// What the deadline, if it has passed, makes of the attempt; and the backend's error in the place of the one that ended the wait, which
/// looks like the client's.
pub(super) fn failure(ctx: &Ctx) -> Option<(Failure, Box<Error>)> {
    if !ctx.connection.as_ref()?.stall.has_expired() {
        return None;
    }
    let (response, read) = limits(ctx)?;
    let (failure, key, limit) = if ctx.has_answer() {
        (Failure::ResponseStalled, "read", read)
    } else {
        (Failure::ResponseTimeout, "response", response)
    };
    let what = format!("nothing within timeouts.{key}, {limit:?}");
    let error = Error::explain(ErrorType::ReadTimedout, what).into_up();
    Some((failure, error))
}

fn limits(ctx: &Ctx) -> Option<(Duration, Duration)> {
    let timeouts = &ctx.upstream.as_ref()?.config().timeouts;
    Some((timeouts.response, timeouts.read))
}

fn set(ctx: &Ctx, limit: Option<Duration>) {
    if let Some(connection) = &ctx.connection {
        connection
            .stall
            .set(limit.map(|limit| Instant::now() + limit));
    }
}
