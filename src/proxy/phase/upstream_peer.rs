//! Once for each attempt: which backend gets it, and the wait for one where all are full.

use futures::FutureExt;
use pingora_core::{Error, ErrorType, Result};
use pingora_proxy::Session;
use std::panic::AssertUnwindSafe;

use crate::config::{BackendProtocol, text_of_panic};
use crate::decision;
use crate::proxy::departure::Departure;
use crate::proxy::failure::Failure;
use crate::proxy::{Ctx, Proxy, record};
use crate::semantics::hop_by_hop;
use crate::upstream::{Admission, Applicant, InFlight, Upstream};

/// Begins the next attempt, with a backend for it.
///
/// # Errors
/// No backend of the upstream can take the request. The failure of an attempt made before stays the answer's cause, unless the client left
/// while the request waited.
pub(in crate::proxy) async fn pick(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
) -> Result<()> {
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
    let applicant = Applicant {
        key: &key,
        token: decision::session_token(&session.req_header().headers, &upstream),
        tried: &|backend| ctx.was_tried(backend),
    };
    let picked = admit(&upstream, &applicant, || {
        Departure::of(session, ctx.connection.as_deref())
    });
    // A policy may be the operator's own: its panic costs this request only.
    let picked = AssertUnwindSafe(picked).catch_unwind().await;
    let picked = picked.unwrap_or_else(|panic| {
        let (name, panic) = (upstream.name(), text_of_panic(&*panic));
        log::error!("upstream {name}: its policy panicked: {panic}");
        Err(Failure::Internal)
    });
    match picked {
        Ok(admitted) => {
            ctx.asks_for_tunnel = asks_for_tunnel(session, &upstream);
            let began = match admitted.has_waited {
                true => proxy.clock.now(),
                false => now,
            };
            ctx.begin_attempt(admitted.in_flight, began);
            Ok(())
        }
        Err(Failure::Internal) => {
            ctx.failure = Some(Failure::Internal);
            Error::e_explain(ErrorType::InternalError, "the policy panicked")
        }
        Err(Failure::ClientGone) => {
            ctx.failure = Some(Failure::ClientGone);
            Error::e_explain(ErrorType::ConnectionClosed, "the client left the queue")
        }
        Err(failure) => {
            ctx.failure.get_or_insert(failure);
            Error::e_explain(
                ErrorType::Custom("NoBackend"),
                format!("no backend of upstream {} can take it", upstream.name()),
            )
        }
    }
}

/// An attempt that was granted, at once or after a wait.
struct Admitted {
    in_flight: InFlight,
    has_waited: bool,
}

async fn admit<'a>(
    upstream: &Upstream,
    applicant: &Applicant<'_>,
    departure: impl FnOnce() -> Departure<'a>,
) -> Result<Admitted, Failure> {
    match upstream.admit(applicant) {
        Admission::Granted(in_flight) => Ok(Admitted {
            in_flight,
            has_waited: false,
        }),
        Admission::Refused(refusal) => Err(refusal.into()),
        // Boxed, so that a request that does not wait does not hold the space for it.
        Admission::Wait => {
            let in_flight = Box::pin(wait(upstream, applicant, departure())).await?;
            Ok(Admitted {
                in_flight,
                has_waited: true,
            })
        }
    }
}

async fn wait(
    upstream: &Upstream,
    applicant: &Applicant<'_>,
    mut departure: Departure<'_>,
) -> Result<InFlight, Failure> {
    tokio::select! {
        biased;
        () = departure.seen() => Err(Failure::ClientGone),
        waited = upstream.wait(applicant) => waited.map_err(Failure::from),
    }
}

/// Whether the backend may switch the connection to another protocol; not over HTTP/2, where connections are not switched.
fn asks_for_tunnel(session: &Session, upstream: &Upstream) -> bool {
    let request = session.req_header();
    upstream.config().protocol != BackendProtocol::Http2
        && hop_by_hop::asks_for_websocket(request.version, &request.headers)
}
