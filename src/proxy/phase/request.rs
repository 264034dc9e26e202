//! The request has arrived: who sent it, which route takes it, and whether the answer is ours.

use std::sync::Arc;

use bytes::Bytes;
use pingora_core::Result;
use pingora_proxy::Session;

use crate::config::Body;
use crate::decision::{self, Configured, Sender};
use crate::filter::Answer;
use crate::proxy::failure::Failure;
use crate::proxy::{Ctx, Proxy, filters, json, record, reply};
use crate::runtime::Action;
use crate::semantics::authority::host_for_matching;
use crate::template::Template;

/// Whether the answer was sent from here.
pub(in crate::proxy) async fn handle(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
) -> Result<bool> {
    if let Some(connection) = &ctx.connection {
        // The other one, `write`, the connection keeps itself.
        session.set_read_timeout(Some(connection.settings.timeouts.body));
    }
    let Some(ours) = decide(proxy, session, ctx).await else {
        return Ok(false);
    };
    // Boxed, so that a request that goes to a backend does not hold the space for it.
    Box::pin(answer(proxy, session, ctx, ours)).await?;
    Ok(true)
}

/// An answer that no backend gives.
enum Ours {
    /// A filter's.
    Filtered(Box<Answer>),
    /// The configuration's.
    Configured(Configured),
    /// That it cannot be had.
    Refused(Failure),
}

/// Which answer of ours the request gets; none where the context has an upstream for it.
async fn decide(proxy: &Proxy, session: &mut Session, ctx: &mut Ctx) -> Option<Ours> {
    let is_known = is_open(ctx) || goes_on_as_before(ctx);
    identify(session, ctx);
    if !is_known {
        return Some(Ours::Refused(Failure::ListenerClosed));
    }
    if !is_served_here(session, ctx) {
        return Some(Ours::Refused(Failure::Misdirected));
    }
    let found = find_route(session, ctx);
    ctx.set_route(found);
    match filters::request(proxy, session, ctx).await {
        Ok(None) => {}
        Ok(Some(answer)) => return Some(Ours::Filtered(answer)),
        Err(failure) => return Some(Ours::Refused(failure)),
    }
    let Some(route) = ctx.route() else {
        return Some(Ours::Refused(Failure::NoRoute));
    };
    match &route.action {
        Action::Upstream(upstream) => {
            let upstream = upstream.clone();
            ctx.upstream = Some(upstream);
            None
        }
        Action::Split(split) => {
            let key = render(proxy, session, ctx, split.key());
            let upstream = split.choose(&key).cloned();
            ctx.upstream = upstream;
            None
        }
        Action::Redirect(redirect) => {
            let now = proxy.clock.now();
            let answer = record::read(proxy, session, ctx, now, |record| {
                decision::elsewhere(redirect, record)
            });
            Some(Ours::Configured(answer))
        }
        Action::Respond(respond) => Some(Ours::Configured(Configured {
            status: respond.status,
            headers: respond.headers.clone(),
            body: body(proxy, session, ctx, &respond.body),
        })),
    }
}

async fn answer(proxy: &Proxy, session: &mut Session, ctx: &mut Ctx, ours: Ours) -> Result<()> {
    match ours {
        Ours::Configured(answer) => reply::send_configured(proxy, session, ctx, answer).await,
        Ours::Filtered(answer) => {
            reply::discard_body(session).await?;
            reply::send_answer(proxy, session, ctx, &answer).await
        }
        Ours::Refused(failure) => {
            ctx.failure = Some(failure);
            reply::discard_body(session).await?;
            reply::send(proxy, session, ctx, failure).await
        }
    }
}

/// The text of a template for this request; empty without one.
fn render(proxy: &Proxy, session: &Session, ctx: &Ctx, template: Option<&Template>) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(template) = template {
        record::read(proxy, session, ctx, proxy.clock.now(), |record| {
            template.render(record, &mut text);
        });
    }
    text
}

/// The body that the configuration has for this request.
fn body(proxy: &Proxy, session: &Session, ctx: &Ctx, written: &Body) -> Bytes {
    match written {
        Body::Fixed(body) => body.clone(),
        Body::Json(json) => {
            let now = proxy.clock.now();
            record::read(proxy, session, ctx, now, |record| {
                json::render(json, record)
            })
        }
    }
}

/// The client behind the connection, and the request's id.
fn identify(session: &Session, ctx: &mut Ctx) {
    let headers = &session.req_header().headers;
    let snapshot = &ctx.snapshot;
    ctx.sender = ctx
        .peer()
        .map(|peer| Sender::of(peer.ip(), headers, &snapshot.trusted_proxies));
    let is_trusted = ctx.sender.is_some_and(|sender| sender.peer_is_trusted);
    let kept = decision::kept_request_id(snapshot, headers, is_trusted).cloned();
    ctx.request_id = Some(kept.unwrap_or_else(|| decision::make_request_id(ctx.began_wall)));
}

/// Whether the configuration knows the listener.
fn is_open(ctx: &Ctx) -> bool {
    let connection = ctx.connection.as_ref();
    connection.is_none_or(|facts| ctx.snapshot.has_listener(&facts.listener))
}

/// The configuration was loaded without the listener while the request was on its way: it is served by the last one that had it. What is
/// written for a listener's requests, such as who may send them, is not to be left out.
fn goes_on_as_before(ctx: &mut Ctx) -> bool {
    let connection = ctx.connection.as_ref();
    let last = connection.and_then(|facts| facts.settings.last.get());
    let Some(last) = last.map(Arc::clone) else {
        return false;
    };
    ctx.snapshot = last;
    true
}

/// Whether the request's host is one that the connection was made for.
fn is_served_here(session: &Session, ctx: &Ctx) -> bool {
    let request = session.req_header();
    let connection = ctx.connection.as_ref();
    connection.is_none_or(|facts| {
        facts.tls.is_none() || facts.serves(&host_for_matching(&decision::host(request)))
    })
}

fn find_route(session: &Session, ctx: &Ctx) -> Option<usize> {
    let request = session.req_header();
    let listener = ctx.connection.as_ref().map_or("", |facts| &facts.listener);
    let host = decision::host(request);
    ctx.snapshot
        .table
        .find(&decision::question(request, &host, listener))
}
