//! No attempt is left: the client gets our answer, if it can still get one.

use std::sync::atomic::Ordering;

use pingora_core::Error;
use pingora_proxy::{FailToProxy, Session};

use crate::proxy::Ctx;
use crate::proxy::failure::Failure;
use crate::proxy::reply::{self, Identity};

/// Answers with the failure's status. An answer that was begun is never completed: the connection is dropped instead.
pub(in crate::proxy) async fn answer(
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
        let identity = Identity {
            request_id: ctx.identity(),
        };
        let told = match reply::send(session, failure, identity).await {
            // A client that still sends would see its connection reset, and might never look for the answer.
            Ok(()) if failure != Failure::ClientTooSlow => reply::hear_out(session).await,
            told => told,
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
