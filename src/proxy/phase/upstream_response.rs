//! The head of a backend's answer has come.

use pingora_core::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::failed_attempt;
use crate::proxy::{Ctx, Proxy, stall};

/// Notes when and with what the backend answered.
///
/// # Errors
/// The answer is given up: another backend is asked in its place.
pub(in crate::proxy) fn note(
    proxy: &Proxy,
    session: &Session,
    response: &ResponseHeader,
    ctx: &mut Ctx,
) -> Result<()> {
    let status = response.status.as_u16();
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
