//! The request as the backend will get it.

use http::{Version, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use crate::config::BackendProtocol;
use crate::decision::{self, Outgoing};
use crate::proxy::{Ctx, filters};
use crate::semantics::forwarded::Facts;

/// Prepares the head for the current attempt's backend.
pub(in crate::proxy) fn prepare(
    session: &Session,
    request: &mut RequestHeader,
    ctx: &mut Ctx,
) -> Result<()> {
    filters::begin_attempt(ctx)?;
    let asked = ctx.upstream.as_ref();
    let asked = asked.map(|upstream| upstream.config().protocol);
    if asked == Some(BackendProtocol::Http2) && request.version != Version::HTTP_2 {
        let what = "the handshake of TLS did not come to HTTP/2 (ALPN)";
        return Err(Error::explain(ErrorType::HandshakeError, what).into_up());
    }
    if let Some(backend) = ctx.backend().filter(|_| !ctx.asks_for_tunnel) {
        backend.choose_http2(request.version == Version::HTTP_2);
    }
    let (Some(connection), Some(sender), Some(route)) = (&ctx.connection, ctx.sender, ctx.route())
    else {
        return Ok(());
    };
    let sent = ctx.filtered.as_sent(session);
    let host = sent.headers.get(header::HOST);
    let outgoing = Outgoing {
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
    };
    if !ctx.asks_for_tunnel {
        // Pingora lets some pass that do not ask for a WebSocket as they should.
        request.remove_header(&header::UPGRADE);
        request.remove_header(&header::CONNECTION);
    }
    decision::prepare(request, &outgoing)?;
    // Pingora has taken it out, since on HTTP/1 no trailers cross; gRPC servers ask for it.
    if request.version == Version::HTTP_2 && sent.version == Version::HTTP_2 {
        let takes_trailers = sent.headers.get(header::TE);
        if let Some(te) = takes_trailers {
            request.insert_header(header::TE, te)?;
        }
    }
    Ok(())
}
