//! Once for each attempt: which backend gets it, and the wait for one where all are full.

use futures::FutureExt;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use pingora_proxy::Session;
use std::panic::AssertUnwindSafe;

use crate::config::{BackendProtocol, text_of_panic};
use crate::decision;
use crate::proxy::departure::Departure;
use crate::proxy::failure::Failure;
use crate::proxy::tunnel::exchange::{self, Left};
use crate::proxy::{Ctx, Proxy, record, stall};
use crate::semantics::hop_by_hop;
use crate::semantics::proxy_protocol::Behalf;
use crate::upstream::{Admission, Applicant, InFlight, Upstream};

/// The peer of the next attempt.
///
/// # Errors
/// No backend of the upstream can take the request. The failure of an attempt made before stays the answer's cause, unless the client left
/// while the request waited.
pub(in crate::proxy) async fn choose(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
) -> Result<Box<HttpPeer>> {
    let Some(upstream) = ctx.upstream.clone() else {
        ctx.failure = Some(Failure::Internal);
        return Error::e_explain(ErrorType::InternalError, "the route has no upstream");
    };
    if ctx.attempts.is_empty() {
        upstream.count_request(proxy.clock.now());
    }
    let mut key = Vec::new();
    if let Some(template) = upstream.key() {
        record::read(proxy, session, ctx, proxy.clock.now(), |record| {
            template.render(record, &mut key);
        });
    }
    let applicant = Applicant {
        key: &key,
        token: decision::session_token(&session.req_header().headers, &upstream),
        tried: &|backend| ctx.was_tried(backend),
    };
    let picked = admitted(&upstream, &applicant, || {
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
        Ok(in_flight) => Ok(begin(proxy, session, ctx, &upstream, in_flight)),
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

/// A backend at once, or after a wait.
async fn admitted<'a>(
    upstream: &Upstream,
    applicant: &Applicant<'_>,
    departure: impl FnOnce() -> Departure<'a>,
) -> Result<InFlight, Failure> {
    match upstream.admit(applicant) {
        Admission::Granted(in_flight) => Ok(in_flight),
        Admission::Refused(refusal) => Err(refusal.into()),
        // Boxed, so that a request that does not wait does not hold the space for it.
        Admission::Wait => Box::pin(wait(upstream, applicant, departure())).await,
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

/// The attempt begins.
fn begin(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
    upstream: &Upstream,
    in_flight: InFlight,
) -> Box<HttpPeer> {
    let client = || {
        let connection = ctx.connection.as_ref();
        connection.map_or(Behalf::Unknown, |facts| facts.behalf())
    };
    let mut peer = upstream.peer(in_flight.backend(), client);
    ctx.left = asks_for_tunnel(session, upstream).then(Left::default);
    if let Some(left) = &ctx.left {
        *peer = exchange::peer(*peer, &proxy.connector, left);
    }
    peer.options.read_timeout = stall::longest_wait(session, ctx);
    ctx.begin_attempt(in_flight, proxy.clock.now());
    peer
}

/// Whether the backend may switch the connection to another protocol; not over HTTP/2, where connections are not switched.
fn asks_for_tunnel(session: &Session, upstream: &Upstream) -> bool {
    let request = session.req_header();
    upstream.config().protocol != BackendProtocol::Http2
        && hop_by_hop::asks_for_websocket(request.version, &request.headers)
}
