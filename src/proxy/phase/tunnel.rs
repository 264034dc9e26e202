//! The backend has switched the connection to another protocol: the request lasts as long as the tunnel.
//!
//! Pingora is done with it and asks for the report; only then do the two sides speak, so that there is one record, at the end.

use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use pingora_core::{BError, Error, ErrorType};
use pingora_proxy::Session;
use socket2::{SockRef, TcpKeepalive};

use crate::proxy::failure::Failure;
use crate::proxy::tunnel::{Broken, KEEPALIVE};
use crate::proxy::{Ctx, Proxy};

/// Carries what both sides say until both have ended; what broke off, if anything did.
pub(in crate::proxy) async fn carry(
    proxy: &Proxy,
    session: &mut Session,
    error: Option<&Error>,
    ctx: &mut Ctx,
) -> Option<BError> {
    let tunnel = ctx.tunnel.take()?;
    if error.is_some() || !session.was_upgraded() {
        return None;
    }
    let connection = ctx.connection.clone()?;
    keep_alive(session, ctx);
    let tunnel = connection
        .tunnel
        .get_or_init(|| Box::new(Mutex::new(*tunnel)));
    // To expect no body is to read from the connection, which drives the tunnel. How that ends says nothing: the tunnel knows.
    let _ = session.as_mut().read_body_or_idle(true).await;
    let broken = {
        let mut tunnel = tunnel.lock().unwrap_or_else(PoisonError::into_inner);
        tunnel.take_broken()?
    };
    connection.must_abort.store(true, Ordering::Relaxed);
    Some(match broken {
        Broken::Client(error) => {
            ctx.failure = Some(Failure::ClientGone);
            Error::because(ErrorType::ReadError, "in the tunnel", error).into_down()
        }
        Broken::Backend(error) => {
            ctx.fail_attempt(Failure::ResponseIncomplete, proxy.clock.now());
            Error::because(ErrorType::ReadError, "in the tunnel", error).into_up()
        }
    })
}

/// Has the kernel ask a silent client whether it is still there. Where that cannot be, it shows when it is written to.
fn keep_alive(session: &Session, ctx: &Ctx) {
    let descriptor = session
        .stream()
        .zip(ctx.connection.as_deref())
        .and_then(|(stream, facts)| (facts.descriptor)(stream.as_ref().as_any()));
    let Some(Ok(descriptor)) = descriptor else {
        return;
    };
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE.idle)
        .with_interval(KEEPALIVE.interval)
        .with_retries(KEEPALIVE.probes);
    if let Err(error) = SockRef::from(&descriptor).set_tcp_keepalive(&keepalive) {
        log::debug!("a tunnel's client is not asked whether it is there: {error}");
    }
}
