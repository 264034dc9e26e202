//! The request as the backend will get it.
//!
//! Pingora has taken the standard hop-by-hop headers out before this phase, so what is set here stays.

use http::header;
use pingora_core::Result;
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use crate::proxy::headers::{Editable, restore_order};
use crate::proxy::{Ctx, filters};
use crate::semantics::forwarded::{self, Facts, HostHeader, Scheme};
use crate::semantics::hop_by_hop;

/// Takes out what the client meant for this hop only; sets the forwarded headers, the request id and, if so configured, the backend's own
/// `Host`.
pub(in crate::proxy) fn prepare(
    session: &Session,
    request: &mut RequestHeader,
    ctx: &mut Ctx,
) -> Result<()> {
    filters::begin_attempt(ctx)?;
    let touched = &ctx.filtered.touched;
    let as_sent = ctx.filtered.as_sent(session);
    let sent = &as_sent.headers;
    for name in hop_by_hop::nominated(sent.get_all(header::CONNECTION).iter()) {
        if !hop_by_hop::is_hop_by_hop(&name) && !touched.contains(&name) {
            request.remove_header(&name);
        }
    }
    let mut has_removed = request.headers.len() < sent.len() || ctx.filtered.has_changed_request();
    if let Some((name, id)) = ctx.identity()
        && !touched.contains(&ctx.snapshot.request_id.name)
    {
        request.insert_header(name.to_owned(), id.clone())?;
    }
    let (Some(connection), Some(client), Some(route)) = (&ctx.connection, ctx.client, ctx.route())
    else {
        return Ok(());
    };
    let sent_host = sent.get(header::HOST);
    let facts = Facts {
        peer: connection.peer.ip(),
        peer_is_trusted: ctx.peer_is_trusted,
        client,
        scheme: Scheme::Http,
        host: sent_host.map_or("", |host| host.to_str().unwrap_or_default()),
        port: connection.local.port(),
    };
    let mut headers = Editable::new(request, touched);
    forwarded::apply(&route.forwarded, &facts, &mut headers);
    has_removed |= headers.has_removed();
    if route.forwarded.host == HostHeader::Upstream
        && !touched.contains(&header::HOST)
        && let Some(host) = ctx.backend().and_then(|backend| backend.host())
    {
        request.insert_header("Host", host)?;
    }
    if has_removed {
        restore_order(request, as_sent)?;
    }
    Ok(())
}
