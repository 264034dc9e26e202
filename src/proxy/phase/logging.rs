//! The request is over: one record of it feeds the access log, and a failure the log.

use pingora_core::Error;
use pingora_proxy::Session;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;

use crate::observe::record::Record;
use crate::proxy::failure::{Failure, Fault};
use crate::proxy::{Ctx, Proxy, stall};
use crate::semantics::authority::host_for_matching;
use crate::semantics::path::decode_for_matching;

/// Reports the request.
pub(in crate::proxy) fn record(
    proxy: &Proxy,
    session: &Session,
    error: Option<&Error>,
    ctx: &mut Ctx,
) {
    let now = proxy.clock.now();
    let answered = session.response_written().is_some();
    ctx.end_attempt(now);
    stall::end(ctx);
    if let Some(error) = error {
        ctx.failure
            .get_or_insert_with(|| Failure::of_exchange(error, answered));
    } else if answered && ctx.attempts.len() > 1 {
        // What an earlier attempt failed with was made good by a later one.
        ctx.failure = None;
    }
    write_access_log(
        proxy,
        session,
        ctx,
        now.saturating_duration_since(ctx.began),
    );
    if let Some(failure) = ctx.failure {
        log_failure(session, error, ctx, failure);
    }
}

fn write_access_log(proxy: &Proxy, session: &Session, ctx: &Ctx, duration: std::time::Duration) {
    let request = session.req_header();
    let host = request.headers.get(http::header::HOST);
    let host = host_for_matching(host.and_then(|host| host.to_str().ok()).unwrap_or_default());
    let path = decode_for_matching(request.uri.path());
    let connection = ctx.connection.as_deref();
    let peer = connection.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |facts| facts.peer.ip());
    let client = ctx.client.unwrap_or(peer);
    let written = session.response_written();
    let failure_status = ctx.failure.map(|failure| failure.row().status.as_u16());
    let body_bytes_sent = session.body_bytes_sent() as u64;
    proxy.access_log.write(&Record {
        started: ctx.began_wall,
        duration,
        hostname: &proxy.hostname,
        listener: connection.map_or("", |facts| &facts.listener),
        server_port: connection.map(|facts| facts.local.port()),
        scheme: "http",
        peer,
        client,
        client_port: connection
            .filter(|_| client == peer)
            .map(|facts| facts.peer.port()),
        request_id: ctx
            .request_id
            .as_ref()
            .and_then(|id| id.to_str().ok())
            .unwrap_or_default(),
        method: &request.method,
        target: request.raw_path(),
        host: &host,
        path: &path,
        version: request.version,
        request_headers: &request.headers,
        request_length: connection.map_or(0, |facts| facts.bytes_read.load(Ordering::Relaxed)),
        route: ctx.route().map(|route| route.label.as_str()),
        upstream: ctx.upstream.as_ref().map(|upstream| upstream.name()),
        attempts: &ctx.attempts,
        upstream_headers: ctx.upstream_headers.as_ref(),
        status: written
            .map(|header| header.status.as_u16())
            .or(failure_status),
        response_headers: written.map(|header| &header.headers),
        bytes_sent: connection.map_or(0, |facts| facts.bytes_written.load(Ordering::Relaxed)),
        body_bytes_sent,
        error: ctx.failure.map(|failure| failure.row().error),
    });
}

/// One line for a request that failed for a reason other than the client's.
fn log_failure(session: &Session, error: Option<&Error>, ctx: &Ctx, failure: Failure) {
    let row = failure.row();
    if row.fault == Fault::Client || failure == Failure::NoRoute {
        return;
    }
    let request = session.req_header();
    let upstream = ctx
        .upstream
        .as_ref()
        .map_or("-", |upstream| upstream.name());
    let written = session.response_written().map(|head| head.status.as_u16());
    let tried: Vec<_> = ctx
        .attempts
        .iter()
        .map(|attempt| &*attempt.address)
        .collect();
    log::warn!(
        "{} {} {} {}: {}: upstream {upstream}, tried [{}], request {}{}",
        request.method,
        String::from_utf8_lossy(request.raw_path()).escape_debug(),
        if written.is_some() && written != Some(row.status.as_u16()) {
            "broken off after"
        } else {
            "answered"
        },
        written.unwrap_or(row.status.as_u16()),
        row.error,
        tried.join(", "),
        ctx.request_id
            .as_ref()
            .and_then(|id| id.to_str().ok())
            .unwrap_or("-"),
        error.map(|error| format!(": {error}")).unwrap_or_default(),
    );
}
