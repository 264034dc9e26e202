//! The head of a backend's answer has come.

use http::{StatusCode, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::failed_attempt;
use crate::proxy::{Ctx, Proxy, stall};
use crate::semantics::{framing, hop_by_hop};

/// Notes when and with what the backend answered.
///
/// # Errors
/// The answer cannot be passed on, or is given up: another backend is asked in its place.
pub(in crate::proxy) fn note(
    proxy: &Proxy,
    session: &Session,
    response: &ResponseHeader,
    ctx: &mut Ctx,
) -> Result<()> {
    let status = response.status.as_u16();
    if let Some(why) = unusable(ctx, response) {
        return Err(Error::explain(ErrorType::InvalidHTTPHeader, why).into_up());
    }
    if response.status.is_informational() && status != 101 {
        return Ok(());
    }
    ctx.answered(status, proxy.clock.now());
    failed_attempt::answering(proxy, session, ctx, status)?;
    stall::answer_goes_on(ctx);
    let filters_read = ctx.chain(&ctx.snapshot).reads_upstream_headers();
    if filters_read || proxy.access_log.reads_upstream_headers() {
        ctx.upstream_headers = Some(response.headers.clone());
    }
    Ok(())
}

/// Why an answer that Pingora takes must not reach the client.
fn unusable(ctx: &Ctx, response: &ResponseHeader) -> Option<&'static str> {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        if ctx.left.is_none() {
            return Some("it switches protocols without being asked");
        }
        if !hop_by_hop::is_websocket_or_nothing(&response.headers) {
            return Some("it switches to a protocol that it was not asked for");
        }
    }
    let codings = response.headers.get_all(header::TRANSFER_ENCODING);
    if !framing::is_plain_or_chunked(codings.iter().map(|coding| coding.as_bytes())) {
        return Some("its transfer coding is not chunked");
    }
    None
}
