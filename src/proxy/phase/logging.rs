//! The request is over: one record of it feeds the access log, and a failure the log.

use pingora_core::Error;
use pingora_proxy::Session;

use crate::proxy::failure::{self, Failure, Fault};
use crate::proxy::{Ctx, Proxy, record, reply};
use crate::upstream::Refusal;

/// Reports the request.
pub(in crate::proxy) fn report(
    proxy: &Proxy,
    session: &Session,
    error: Option<&Error>,
    ctx: &mut Ctx,
) {
    let now = proxy.clock.now();
    let answered = reply::begun(session).is_some();
    ctx.end_attempt(now);
    if let Some(error) = error {
        ctx.failure
            .get_or_insert_with(|| Failure::of_exchange(error, answered));
    } else if answered && ctx.attempts.len() > 1 {
        // What an earlier attempt failed with was made good by a later one.
        ctx.failure = None;
    }
    if let Some(failure) = ctx.failure {
        log_failure(session, error, ctx, failure);
    }
    // The last that is told of a request: whoever sees its line here finds the other one.
    record::read(proxy, session, ctx, now, |record| {
        proxy.access_log.write(record);
    });
}

/// One line for a request that failed for a reason other than the client's.
fn log_failure(session: &Session, error: Option<&Error>, ctx: &Ctx, failure: Failure) {
    let row = failure.row();
    if row.fault == Fault::Client || failure == Failure::NoRoute {
        return;
    }
    let request = session.req_header();
    let upstream = ctx
        .upstream
        .as_ref()
        .map_or("-", |upstream| upstream.name());
    let written = reply::begun(session).map(|head| head.status.as_u16());
    let tried: Vec<_> = ctx
        .attempts
        .iter()
        .map(|attempt| &*attempt.address)
        .collect();
    log::warn!(
        "{} {} {} {}: {}: upstream {upstream}, {}, request {}{}",
        request.method,
        String::from_utf8_lossy(request.raw_path()).escape_debug(),
        if written.is_some() && written != Some(row.status.as_u16()) {
            "broken off after"
        } else {
            "answered"
        },
        written.unwrap_or(row.status.as_u16()),
        failure.word(),
        if !tried.is_empty() {
            format!("tried {}", tried.join(" and "))
        } else if failure == Failure::NoBackend || !found_no_backend(failure) {
            "no backend to try".to_owned()
        } else {
            "no backend with room".to_owned()
        },
        ctx.request_id
            .as_ref()
            .and_then(|id| id.to_str().ok())
            .unwrap_or("-"),
        error
            .filter(|_| !found_no_backend(failure))
            .map(|error| match Refusal::of(error) {
                Some(refusal) => format!(": {refusal}"),
                None => format!(": {}", failure::told(error)),
            })
            .unwrap_or_default(),
    );
}

/// The error then says no more than the failure.
fn found_no_backend(failure: Failure) -> bool {
    use Failure::{AllFull, NoBackend, QueueFull, QueueTimeout};
    matches!(failure, NoBackend | AllFull | QueueFull | QueueTimeout)
}
