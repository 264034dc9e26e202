//! The head of a backend's answer has come.

use pingora_http::ResponseHeader;

use crate::proxy::{Ctx, Proxy, stall};

/// Notes when and with what the backend answered.
pub(in crate::proxy) fn note(proxy: &Proxy, response: &ResponseHeader, ctx: &mut Ctx) {
    if response.status.is_informational() && response.status.as_u16() != 101 {
        return;
    }
    ctx.answered(response.status.as_u16(), proxy.clock.now());
    stall::answer_goes_on(ctx);
    let filters_read = ctx.chain(&ctx.snapshot).reads_upstream_headers();
    if filters_read || proxy.access_log.reads_upstream_headers() {
        ctx.upstream_headers = Some(response.headers.clone());
    }
}
