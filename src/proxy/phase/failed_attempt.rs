//! An attempt has failed: may another backend be tried?
//!
//! Nothing was sent when the connection could not be made, so any request may go on to the next backend, until each was tried once. After
//! that the backend may have acted on the request: only an idempotent one, whose body is still held whole, goes on, and once. A connection
//! from the pool that turns out to be closed says nothing of its backend, and does not count as a try.

use pingora_core::Error;
use pingora_proxy::Session;

use crate::proxy::failure::{Failure, Fault, Retry};
use crate::proxy::{Ctx, Proxy, stall};

/// Attempts in all at a request that a backend may have seen.
const ATTEMPTS: usize = 2;
/// So many closed connections from the pool are passed over before one counts.
const STALE_CONNECTIONS: usize = 4;

/// The connection could not be made.
pub(in crate::proxy) fn connecting(
    proxy: &Proxy,
    ctx: &mut Ctx,
    mut error: Box<Error>,
) -> Box<Error> {
    let failure = Failure::of_connecting(&error);
    ctx.fail_attempt(failure, proxy.clock.now());
    error.set_retry(has_another_backend(ctx));
    log_attempt(ctx, failure, &error);
    error
}

/// The connection was there, and then something went wrong.
pub(in crate::proxy) fn exchanging(
    proxy: &Proxy,
    session: &Session,
    ctx: &mut Ctx,
    mut error: Box<Error>,
    client_reused: bool,
) -> Box<Error> {
    // Pingora panics on an error that is left undecided.
    error.retry.decide_reuse(client_reused);
    let failure =
        stall::failure(ctx).unwrap_or_else(|| Failure::of_exchange(&error, ctx.has_answer()));
    stall::end(ctx);
    if failure.row().fault != Fault::Backend {
        ctx.failure = Some(failure);
        error.set_retry(false);
        return error;
    }
    let is_stale = client_reused
        && failure == Failure::ConnectionReset
        && ctx.attempts.len() <= STALE_CONNECTIONS;
    if is_stale {
        ctx.abandon_attempt(failure, proxy.clock.now());
    } else {
        ctx.fail_attempt(failure, proxy.clock.now());
    }
    let again = session.response_written().is_none()
        && may_be_sent_again(session, failure)
        && (is_stale || ctx.attempts.len() < ATTEMPTS)
        && has_another_backend(ctx);
    error.set_retry(again);
    log_attempt(ctx, failure, &error);
    error
}

fn may_be_sent_again(session: &Session, failure: Failure) -> bool {
    match failure.row().retry {
        Retry::Always => true,
        Retry::IfIdempotent => {
            session.req_header().method.is_idempotent()
                && !session.as_ref().retry_buffer_truncated()
        }
        Retry::Never => false,
    }
}

fn has_another_backend(ctx: &Ctx) -> bool {
    ctx.upstream
        .as_ref()
        .is_some_and(|upstream| upstream.has_available(&|backend| ctx.was_tried(backend)))
}

fn log_attempt(ctx: &Ctx, failure: Failure, error: &Error) {
    let (Some(upstream), Some(attempt)) = (&ctx.upstream, ctx.attempts.last()) else {
        return;
    };
    log::debug!(
        "upstream {}: backend {}: {}: {error}; {}",
        upstream.name(),
        attempt.address,
        failure.row().error,
        if error.retry() {
            "trying again"
        } else {
            "giving up"
        }
    );
}
