//! The request has arrived: who sent it, which route takes it, and whether the answer is ours.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use pingora_core::Result;
use pingora_proxy::Session;

use crate::config::Respond;
use crate::proxy::failure::Failure;
use crate::proxy::{Ctx, Proxy, filters, record, reply};
use crate::route;
use crate::runtime::Action;
use crate::semantics::{client_ip, location, request_id};
use crate::template::Template;

/// Between two reads of a request's body.
const BODY_DEADLINE: Duration = Duration::from_secs(60);
/// Between two writes of an answer.
const WRITE_DEADLINE: Duration = Duration::from_secs(60);

/// Whether the answer was sent from here.
pub(in crate::proxy) async fn handle(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
) -> Result<bool> {
    session.set_read_timeout(Some(BODY_DEADLINE));
    session.set_write_timeout(Some(WRITE_DEADLINE));
    identify(proxy, session, ctx);
    let found = find_route(session, ctx, &host(session));
    ctx.set_route(found);
    match filters::request(proxy, session, ctx).await {
        Ok(None) => {}
        Ok(Some(answer)) => {
            reply::discard_body(session).await?;
            reply::send_answer(proxy, session, ctx, &answer).await?;
            return Ok(true);
        }
        Err(failure) => return refuse(proxy, session, ctx, failure).await,
    }
    let Some(route) = ctx.route() else {
        return refuse(proxy, session, ctx, Failure::NoRoute).await;
    };
    match &route.action {
        Action::Upstream(upstream) => {
            let upstream = upstream.clone();
            ctx.upstream = Some(upstream);
            Ok(false)
        }
        Action::Split(split) => {
            let key = render(proxy, session, ctx, split.key());
            let upstream = split.choose(&key).cloned();
            ctx.upstream = upstream;
            Ok(false)
        }
        Action::Redirect(redirect) => {
            let to = render(proxy, session, ctx, Some(&redirect.to.0));
            let respond = to_elsewhere(redirect.status.0, &to);
            reply::send_configured(proxy, session, ctx, &respond).await?;
            Ok(true)
        }
        Action::Respond(respond) => {
            let respond = respond.clone();
            reply::send_configured(proxy, session, ctx, &respond).await?;
            Ok(true)
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

/// The answer that sends the client to where `rendered` says.
fn to_elsewhere(status: StatusCode, rendered: &[u8]) -> Respond {
    let place = location::reference(rendered);
    let body = format!("{status}: {}\n", String::from_utf8_lossy(&place));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    // What is in a reference can be in a header.
    let place = HeaderValue::from_bytes(&place).unwrap_or(HeaderValue::from_static("/"));
    Respond {
        status,
        headers: vec![
            (header::LOCATION, "Location".to_owned(), place),
            (header::CONTENT_TYPE, "Content-Type".to_owned(), plain),
        ],
        body: body.into(),
    }
}

/// The client behind the connection, and the request's id.
fn identify(proxy: &Proxy, session: &Session, ctx: &mut Ctx) {
    let headers = &session.req_header().headers;
    let trusted = &ctx.snapshot.trusted_proxies;
    if let Some(peer) = ctx.peer().map(|peer| peer.ip()) {
        ctx.peer_is_trusted = trusted.contains(peer);
        ctx.client = Some(if ctx.peer_is_trusted {
            client(peer, headers, trusted)
        } else {
            peer
        });
    }
    let kept = headers
        .get(&ctx.snapshot.request_id.name)
        .filter(|id| ctx.peer_is_trusted && request_id::is_acceptable(id.as_bytes()));
    ctx.request_id = Some(match kept {
        Some(id) => id.clone(),
        None => proxy.make_request_id(ctx.began_wall),
    });
}

fn client(peer: IpAddr, headers: &HeaderMap, trusted: &client_ip::TrustedProxies) -> IpAddr {
    let lines = |name| headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    client_ip::find(peer, lines("x-forwarded-for"), lines("forwarded"), trusted)
}

/// The host the request is for: the head was checked, so only an HTTP/1.0 request may not say.
fn host(session: &Session) -> Cow<'_, str> {
    let request = session.req_header();
    match request.headers.get(header::HOST) {
        Some(host) => String::from_utf8_lossy(host.as_bytes()),
        None => request
            .uri
            .authority()
            .map_or("", |host| host.as_str())
            .into(),
    }
}

fn find_route(session: &Session, ctx: &Ctx, host: &str) -> Option<usize> {
    let request = session.req_header();
    ctx.snapshot.table.find(&route::Request {
        host,
        path: request.uri.path(),
        query: request.uri.query(),
        method: &request.method,
        headers: &request.headers,
        listener: ctx.connection.as_ref().map_or("", |facts| &facts.listener),
    })
}

async fn refuse(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
    failure: Failure,
) -> Result<bool> {
    ctx.failure = Some(failure);
    reply::discard_body(session).await?;
    reply::send(proxy, session, ctx, failure).await?;
    Ok(true)
}
