//! The request as the backend will get it.

use http::header;
use pingora_core::Result;
use pingora_http::RequestHeader;
use pingora_proxy::Session;

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
        backend_host: ctx.backend().and_then(|backend| backend.host()),
    };
    decision::prepare(request, &outgoing)
}
