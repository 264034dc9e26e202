//! Once for each attempt: which backend gets it.

use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use pingora_proxy::Session;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::config::text_of_panic;
use crate::proxy::failure::Failure;
use crate::proxy::{Ctx, Proxy, record};

/// The peer of the next attempt.
///
/// # Errors
/// No backend of the upstream can take the request. The failure of an attempt made before stays the answer's cause.
pub(in crate::proxy) fn choose(
    proxy: &Proxy,
    session: &Session,
    ctx: &mut Ctx,
) -> Result<Box<HttpPeer>> {
    let Some(upstream) = ctx.upstream.clone() else {
        ctx.failure = Some(Failure::Internal);
        return Error::e_explain(ErrorType::InternalError, "the route has no upstream");
    };
    let now = proxy.clock.now();
    if ctx.attempts.is_empty() {
        upstream.count_request(now);
    }
    let mut key = Vec::new();
    if let Some(template) = upstream.key() {
        record::read(proxy, session, ctx, now, |record| {
            template.render(record, &mut key);
        });
    }
    let pick = || upstream.pick(&key, &|backend| ctx.was_tried(backend));
    let picked = catch_unwind(AssertUnwindSafe(pick)).or_else(|panic| {
        let name = upstream.name();
        log::error!(
            "upstream {name}: its policy panicked: {}",
            text_of_panic(&*panic)
        );
        ctx.failure = Some(Failure::Internal);
        Error::e_explain(ErrorType::InternalError, "the policy panicked")
    })?;
    let Some(in_flight) = picked else {
        ctx.failure.get_or_insert(Failure::NoBackend);
        return Error::e_explain(
            ErrorType::Custom("NoBackend"),
            format!("no backend of upstream {} can take it", upstream.name()),
        );
    };
    let backend = Arc::clone(in_flight.backend());
    let mut peer = Box::new(backend.peer().clone());
    if !upstream.keeps_another_connection() {
        peer.options.idle_timeout = Some(Duration::ZERO);
    }
    ctx.begin_attempt(in_flight, now);
    Ok(peer)
}
