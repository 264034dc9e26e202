//! The request as the backend will get it.

use http::uri::Scheme;
use http::{Request, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_proxy::Session;

use crate::decision::{self, Lines, Outgoing};
use crate::proxy::Ctx;
use crate::semantics::forwarded::Facts;

/// The header lines for the current attempt's backend.
///
/// # Errors
/// What is to be told of the client is not known.
pub(in crate::proxy) fn lines<'a>(
    session: &'a Session,
    ctx: &'a Ctx,
    has_body: bool,
) -> Result<Lines<'a>> {
    let outgoing = outgoing(session, ctx).ok_or_else(|| {
        let what = "nobody knows whose request it is";
        Error::explain(ErrorType::InternalError, what).into_in()
    })?;
    let (head, keeps_upgrade) = (session.req_header(), ctx.asks_for_tunnel);
    Ok(decision::lines(head, &outgoing, has_body, keeps_upgrade))
}

/// The same request over HTTP/2.
///
/// # Errors
/// Its target or its `Host` cannot be one there.
pub(in crate::proxy) fn http2(session: &Session, ctx: &Ctx) -> Result<Request<()>> {
    let lines = lines(session, ctx, false)?;
    let upstream = ctx.upstream.as_ref();
    let is_tls = upstream.is_some_and(|upstream| upstream.config().tls.is_some());
    let scheme = if is_tls { Scheme::HTTPS } else { Scheme::HTTP };
    let backend_name = || ctx.backend().and_then(|backend| backend.host());
    let request = lines.to_http2(session.req_header(), scheme, backend_name);
    request.ok_or_else(|| {
        let what = "its target or its host cannot be sent over HTTP/2";
        Error::explain(ErrorType::InvalidHTTPHeader, what).into_down()
    })
}

fn outgoing<'a>(session: &'a Session, ctx: &'a Ctx) -> Option<Outgoing<'a>> {
    let (connection, sender, route) = (ctx.connection.as_ref()?, ctx.sender?, ctx.route()?);
    let sent = ctx.filtered.as_sent(session);
    let host = sent.headers.get(header::HOST);
    Some(Outgoing {
        sent,
        is_changed: ctx.filtered.has_changed_request(),
        touched: &ctx.filtered.touched,
        request_id: ctx
            .request_id
            .as_ref()
            .map(|id| (&ctx.snapshot.request_id, id)),
        forwarded: &route.forwarded,
        facts: Facts {
            peer: connection.peer.ip(),
            peer_is_trusted: sender.peer_is_trusted,
            client: sender.client,
            scheme: connection.scheme(),
            host: host.map_or("", |host| host.to_str().unwrap_or_default()),
            port: connection.local.port(),
        },
        backend: ctx.backend().map(|backend| &**backend),
    })
}
