//! The head of a backend's answer has come.

use http::{StatusCode, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::failed_attempt;
use crate::proxy::{Ctx, Proxy};
use crate::semantics::hop_by_hop;

/// Interim answers that one request may have. Nobody has a use for as many; a backend that goes on with them would never be done.
const MOST_INTERIM: u8 = 100;

/// Notes when and with what the backend answered.
///
/// # Errors
/// The answer cannot be passed on, or is given up: another backend is asked in its place.
pub(in crate::proxy) fn note(
    proxy: &Proxy,
    session: &Session,
    response: &mut ResponseHeader,
    ctx: &mut Ctx,
) -> Result<()> {
    let status = response.status.as_u16();
    if let Some(why) = unasked(ctx, response) {
        return Err(unusable(why));
    }
    if response.status.is_informational() && status != 101 {
        ctx.interim_answers += 1;
        if ctx.interim_answers > MOST_INTERIM {
            return Err(unusable("it has more interim answers than one needs"));
        }
        return Ok(());
    }
    // Twice the same is once (RFC 9110 §8.6).
    let mut lengths = response.headers.get_all(header::CONTENT_LENGTH).iter();
    if let (Some(length), Some(_)) = (lengths.next().cloned(), lengths.next()) {
        response.insert_header(header::CONTENT_LENGTH, length)?;
    }
    ctx.answered(status, proxy.clock.now());
    failed_attempt::answering(proxy, session, ctx, status)?;
    let filters_read = ctx.chain(&ctx.snapshot).reads_upstream_headers();
    if filters_read || proxy.access_log.reads_upstream_headers() {
        ctx.upstream_headers = Some(Box::new(response.headers.clone()));
    }
    Ok(())
}

fn unusable(why: &'static str) -> Box<Error> {
    Error::explain(ErrorType::InvalidHTTPHeader, why).into_up()
}

/// Why a switch to another protocol must not reach the client, if the answer is one.
fn unasked(ctx: &Ctx, response: &ResponseHeader) -> Option<&'static str> {
    if response.status != StatusCode::SWITCHING_PROTOCOLS {
        return None;
    }
    if !ctx.asks_for_tunnel {
        return Some("it switches protocols without being asked");
    }
    let is_other = !hop_by_hop::is_websocket_or_nothing(&response.headers);
    is_other.then_some("it switches to a protocol that it was not asked for")
}
