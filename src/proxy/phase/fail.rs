//! No attempt is left: the client gets our answer, if it can still get one.

use std::sync::atomic::Ordering;

use pingora_core::Error;
use pingora_proxy::{FailToProxy, Session};

use crate::proxy::failure::Failure;
use crate::proxy::{Ctx, Proxy, reply};

/// Answers with the failure's status. An answer that was begun is never completed: the connection is dropped instead.
pub(in crate::proxy) async fn answer(
    proxy: &Proxy,
    session: &mut Session,
    error: &Error,
    ctx: &mut Ctx,
) -> FailToProxy {
    let answered = reply::begun(session).is_some();
    let failure = *ctx
        .failure
        .get_or_insert_with(|| Failure::of_exchange(error, answered));
    let status = failure.row().status.as_u16();
    if !answered && failure != Failure::ClientGone {
        session.set_keepalive(None);
        let sent = match ctx.filtered.refusal.take() {
            Some(refusal) => reply::send_answer(proxy, session, ctx, &refusal).await,
            None => reply::send(proxy, session, ctx, failure).await,
        };
        let told = match sent {
            // A client that still sends would see its connection reset, and might never look for the answer.
            Ok(()) if failure != Failure::ClientTooSlow => reply::hear_out(session).await,
            sent => sent,
        };
        if let Err(gone) = told {
            log::debug!("the client left before its {status}: {gone}");
        }
    }
    if answered && let Some(connection) = &ctx.connection {
        connection.must_abort.store(true, Ordering::Relaxed);
    }
    FailToProxy {
        error_code: status,
        can_reuse_downstream: false,
    }
}
