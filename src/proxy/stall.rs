//! The time limits on a backend's answer: until its head, and between two pieces of its body.
//!
//! Pingora has one limit for both, and keeps it from the moment that the request's head is out. Here it is told to keep the longest one;
//! those that are shorter are kept as a deadline on the client's connection. While the client still sends, a silent backend owes nothing:
//! then only the listener's `timeouts.body` holds, which is the client's.

use std::time::Duration;

use pingora_core::{Error, ErrorType};
use pingora_proxy::Session;

use super::Ctx;
use super::failure::Failure;

/// An attempt begins: how long Pingora is to wait for the backend, at most.
pub(super) fn longest_wait(session: &mut Session, ctx: &mut Ctx) -> Option<Duration> {
    let (response, read) = limits(ctx)?;
    let longest = response.max(read);
    let may_pause = !session.as_mut().is_body_done();
    let body = ctx.connection.as_ref().filter(|_| may_pause);
    let body = body.map(|connection| connection.settings.timeouts.body);
    ctx.engine_waits = longest.max(body.unwrap_or(longest));
    Some(ctx.engine_waits)
}

/// The last of the request is on its way: the head of the answer is due, or what follows of it.
pub(super) fn request_is_whole(ctx: &mut Ctx) {
    ctx.request_is_whole = true;
    expect(ctx);
}

/// The head or a piece of the body has come: the next piece is due.
pub(super) fn answer_goes_on(ctx: &Ctx) {
    if ctx.request_is_whole {
        expect(ctx);
    }
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

fn expect(ctx: &Ctx) {
    let limit = limits(ctx).map(|(response, read)| if ctx.has_answer() { read } else { response });
    set(ctx, limit);
}

fn limits(ctx: &Ctx) -> Option<(Duration, Duration)> {
    let timeouts = &ctx.upstream.as_ref()?.config().timeouts;
    Some((timeouts.response, timeouts.read))
}

/// A limit that Pingora keeps is not kept twice.
fn set(ctx: &Ctx, limit: Option<Duration>) {
    if let Some(connection) = &ctx.connection {
        connection
            .stall
            .set(limit.filter(|limit| *limit < ctx.engine_waits));
    }
}
