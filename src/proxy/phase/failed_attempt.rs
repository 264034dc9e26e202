//! An attempt has failed: is it made again, at another backend?
//!
//! Here the facts are gathered and the attempt is closed; the decision is `upstream::retry`'s.

use pingora_core::{Error, ErrorType};
use pingora_proxy::Session;

use crate::config::{BackendProtocol, Trigger};
use crate::proxy::failure::{self, Failure, Fault};
use crate::proxy::{Ctx, Proxy, reply};
use crate::upstream::Upstream;
use crate::upstream::retry::{Decision, Failed, Why};

/// The connection could not be made.
pub(in crate::proxy) fn connecting(
    proxy: &Proxy,
    session: &Session,
    ctx: &mut Ctx,
    mut error: Box<Error>,
) -> Box<Error> {
    let failure = Failure::of_connecting(&error);
    if failure.row().fault == Fault::Backend {
        ctx.fail_attempt(failure, proxy.clock.now());
    } else {
        ctx.pass_over(failure, proxy.clock.now());
    }
    let decision = decide(proxy, session, ctx, failure.row().trigger, false);
    error.set_retry(decision == Decision::Again);
    log_attempt(ctx, failure, &error, decision);
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
    if ctx.backend().is_none() && ctx.failure == Some(Failure::UnwantedStatus) {
        // Decided when the status came.
        return error;
    }
    let failure = Failure::of_exchange(&error, ctx.has_answer());
    // Pingora panics on an error that is left undecided.
    error.retry.decide_reuse(client_reused);
    if failure.row().fault != Fault::Backend {
        ctx.failure = Some(failure);
        error.set_retry(false);
        return error;
    }
    let is_stale = client_reused
        && (failure == Failure::ConnectionReset || failure::is_farewell(&error))
        || goes_on_over_http1(ctx, &error);
    if is_stale {
        ctx.abandon_attempt(failure, proxy.clock.now());
    } else {
        ctx.fail_attempt(failure, proxy.clock.now());
    }
    let decision = decide(proxy, session, ctx, trigger(session, failure), is_stale);
    error.set_retry(decision == Decision::Again);
    log_attempt(ctx, failure, &error, decision);
    error
}

/// Whether the backend is only to be spoken to in another way, which is its own choice (`protocol: auto`).
fn goes_on_over_http1(ctx: &Ctx, error: &Error) -> bool {
    let attempt = ctx.upstream.as_ref().zip(ctx.backend());
    let Some((upstream, backend)) = attempt.filter(|_| failure::is_for_http1(error)) else {
        return false;
    };
    if upstream.config().protocol != BackendProtocol::Auto {
        return false;
    }
    backend.note_wants_http1();
    true
}

/// What the failure is to `retry.on`. A backend that has refused a stream did nothing with it, as if there had been no connection; but it
/// may have been sent more of the body than is kept.
fn trigger(session: &Session, failure: Failure) -> Option<Trigger> {
    let body_is_gone = session.as_ref().retry_buffer_truncated();
    let trigger = failure.row().trigger;
    trigger.filter(|trigger| *trigger != Trigger::Connect || !body_is_gone)
}

/// The backend has answered with `status`.
///
/// # Errors
/// The answer is given up for another backend's.
pub(in crate::proxy) fn answering(
    proxy: &Proxy,
    session: &Session,
    ctx: &mut Ctx,
    status: u16,
) -> pingora_core::Result<()> {
    if status < 500 {
        return Ok(());
    }
    let failed = facts(proxy, session, ctx, Some(Trigger::Status(status)), false);
    // This attempt is not closed yet.
    let failed = failed.map(|failed| Failed {
        attempts: failed.attempts + 1,
        ..failed
    });
    let decision = ask(proxy, ctx, failed);
    if decision != Decision::Again {
        return Ok(());
    }
    let mut error = Error::new_up(ErrorType::HTTPStatus(status));
    error.set_retry(true);
    ctx.pass_over(Failure::UnwantedStatus, proxy.clock.now());
    log_attempt(ctx, Failure::UnwantedStatus, &error, decision);
    Err(error)
}

fn decide(
    proxy: &Proxy,
    session: &Session,
    ctx: &Ctx,
    trigger: Option<Trigger>,
    is_stale: bool,
) -> Decision {
    let failed = facts(proxy, session, ctx, trigger, is_stale);
    ask(proxy, ctx, failed)
}

fn ask(proxy: &Proxy, ctx: &Ctx, failed: Option<Failed>) -> Decision {
    let (Some(upstream), Some(failed)) = (&ctx.upstream, failed) else {
        return Decision::GiveUp(Why::Kind);
    };
    let decision = upstream.retry(&failed, proxy.clock.now());
    if let Decision::GiveUp(Why::Budget { is_news: true }) = decision {
        log::warn!(
            "upstream {}: the retry budget is spent; failed requests are not tried again until fewer fail (retry.budget)",
            upstream.name()
        );
    }
    decision
}

fn facts(
    proxy: &Proxy,
    session: &Session,
    ctx: &Ctx,
    trigger: Option<Trigger>,
    is_stale: bool,
) -> Option<Failed> {
    let (attempts, stale) = ctx.counts();
    Some(Failed {
        trigger,
        is_idempotent: session.req_header().method.is_idempotent(),
        body_is_whole: !session.as_ref().retry_buffer_truncated(),
        answer_has_begun: reply::begun(session).is_some(),
        another_is_free: has_another(ctx, ctx.upstream.as_ref()?),
        attempts,
        elapsed: ctx.since_first_attempt(proxy.clock.now()),
        is_stale,
        stale,
    })
}

/// Whether there is another backend for this request than those tried, and the current one.
fn has_another(ctx: &Ctx, upstream: &Upstream) -> bool {
    let current = ctx.backend().map(|backend| backend.address());
    upstream.has_available(&|backend| ctx.was_tried(backend) || current == Some(backend.address()))
}

fn log_attempt(ctx: &Ctx, failure: Failure, error: &Error, decision: Decision) {
    let (Some(upstream), Some(attempt)) = (&ctx.upstream, ctx.attempts.last()) else {
        return;
    };
    log::debug!(
        "upstream {}: backend {}: {}: {}; {decision}",
        upstream.name(),
        attempt.address,
        failure.row().error,
        failure::told(error),
    );
}
