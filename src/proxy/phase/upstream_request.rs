//! The request as the backend will get it.

use http::{Version, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use crate::config::BackendProtocol;
use crate::decision::{self, Lines, Outgoing};
use crate::proxy::{Ctx, filters};
use crate::semantics::forwarded::Facts;

/// The header lines for the current attempt's backend, over HTTP/1; none where what is to be told of the client is not known.
pub(in crate::proxy) fn lines<'a>(
    session: &'a Session,
    ctx: &'a Ctx,
    has_body: bool,
) -> Option<Lines<'a>> {
    let outgoing = outgoing(session, ctx)?;
    let head = session.req_header();
    Some(decision::lines(
        head,
        &outgoing,
        has_body,
        ctx.asks_for_tunnel,
    ))
}

/// Prepares the head that Pingora has made for the current attempt's backend.
///
/// # Errors
/// The backend does not speak HTTP/2, which it was to speak; or a filter panicked.
pub(in crate::proxy) fn prepare(
    session: &Session,
    request: &mut RequestHeader,
    ctx: &mut Ctx,
) -> Result<()> {
    filters::begin_attempt(ctx)?;
    let is_http2 = request.version == Version::HTTP_2;
    let asked = ctx.upstream.as_ref();
    let asked = asked.map(|upstream| upstream.config().protocol);
    if asked == Some(BackendProtocol::Http2) && !is_http2 {
        let what = "the handshake of TLS did not come to HTTP/2 (ALPN)";
        return Err(Error::explain(ErrorType::HandshakeError, what).into_up());
    }
    if let Some(backend) = ctx.backend() {
        backend.choose_http2(is_http2);
    }
    let Some(outgoing) = outgoing(session, ctx) else {
        return Ok(());
    };
    // Pingora lets some pass that do not ask for a WebSocket as they should.
    request.remove_header(&header::UPGRADE);
    request.remove_header(&header::CONNECTION);
    decision::prepare(request, &outgoing)?;
    // Pingora has taken it out, since on HTTP/1 no trailers cross; gRPC servers ask for it.
    if is_http2 && outgoing.sent.version == Version::HTTP_2 {
        let takes_trailers = outgoing.sent.headers.get(header::TE);
        if let Some(te) = takes_trailers {
            request.insert_header(header::TE, te)?;
        }
    }
    Ok(())
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
