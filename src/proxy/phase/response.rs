//! The answer as the client will get it.

use http::{StatusCode, header};
use pingora_core::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use crate::proxy::headers::remove_in_order;
use crate::proxy::{Ctx, Proxy};
use crate::semantics::hop_by_hop;

/// Takes out what concerned the backend's connection only, adds the request id, and says goodbye when the server is stopping.
pub(in crate::proxy) fn prepare(
    proxy: &Proxy,
    session: &mut Session,
    response: &mut ResponseHeader,
    ctx: &mut Ctx,
) -> Result<()> {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        // The last answer on this connection, though its status is below 200.
        return keep_on_backend(response, ctx);
    }
    if response.status.is_informational() {
        return Ok(());
    }
    keep_on_backend(response, ctx)?;
    let mut ended = hop_by_hop::to_remove(&response.headers, false);
    // Pingora reads the framing from here, and puts a `Connection` of its own in the place of the backend's.
    ended.retain(|name| *name != header::TRANSFER_ENCODING && *name != header::CONNECTION);
    if !ended.is_empty() {
        remove_in_order(response, &ended)?;
    }
    if proxy.is_stopping() {
        session.set_keepalive(None);
    }
    if let Some((name, id)) = ctx.identity() {
        response.insert_header(name.to_owned(), id.clone())?;
    }
    // An HTTP/1.0 client knows no chunks: its answer ends with the connection (RFC 9112 §6.1).
    if session.req_header().version == http::Version::HTTP_10
        && response.headers.get(header::CONTENT_LENGTH).is_none()
    {
        response.remove_header(&header::TRANSFER_ENCODING);
        response.set_version(http::Version::HTTP_10);
        session.set_keepalive(None);
    }
    Ok(())
}

/// The client is to come back to this backend.
fn keep_on_backend(response: &mut ResponseHeader, ctx: &Ctx) -> Result<()> {
    if let Some(cookie) = ctx.cookie() {
        response.append_header("Set-Cookie", cookie.clone())?;
    }
    Ok(())
}
