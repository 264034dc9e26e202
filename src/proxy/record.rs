//! What is known of a request at this moment, as one record.
//!
//! The access log reads it when the request is over, and the key of a hash is made from it before the first attempt: both see the same
//! facts under the same names. Before there is an answer, everything about the answer is absent.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

use pingora_proxy::Session;

use super::connection::ConnectionFacts;
use super::failure::Failure;
use super::{Ctx, Proxy, reply};
use crate::decision::Words;
use crate::observe::record::Record;

/// Gives `read` the record of the request as of `now`.
pub(super) fn read<T>(
    proxy: &Proxy,
    session: &Session,
    ctx: &Ctx,
    now: Instant,
    read: impl FnOnce(&Record<'_>) -> T,
) -> T {
    let words = Words::of(ctx.filtered.as_sent(session));
    read(&of(proxy, session, ctx, now, &words))
}

/// The record of the request as of `now`.
pub(super) fn of<'a>(
    proxy: &'a Proxy,
    session: &'a Session,
    ctx: &'a Ctx,
    now: Instant,
    words: &'a Words<'a>,
) -> Record<'a> {
    let request = words.request;
    let connection = ctx.connection.as_deref();
    let peer = connection.and_then(|facts| facts.peer.ip());
    let client = ctx.sender.map_or(peer, |sender| sender.client);
    let written = reply::begun(session);
    let failure_status = ctx.failure.map(|failure| failure.row().status.as_u16());
    let body_bytes_sent = session.body_bytes_sent() as u64 + sent_through_tunnel(connection);
    Record {
        started: ctx.began_wall,
        duration: now.saturating_duration_since(ctx.began),
        hostname: &proxy.hostname,
        listener: connection.map_or("", |facts| &facts.listener),
        server_port: connection.and_then(|facts| facts.local.port()),
        tls: connection.and_then(|facts| Some(&facts.tls.as_ref()?.session)),
        peer,
        client,
        client_port: connection
            .filter(|_| client == peer)
            .and_then(|facts| facts.peer.port()),
        request_id: ctx
            .request_id
            .as_ref()
            .and_then(|id| id.to_str().ok())
            .unwrap_or_default(),
        method: Some(&request.method),
        target: request.raw_path(),
        host: &words.host,
        path: &words.path,
        path_regex: ctx.route().and_then(|route| route.path_regex.as_ref()),
        version: Some(request.version),
        request_headers: &request.headers,
        request_length: connection.map_or(0, |facts| facts.bytes_read.load(Ordering::Relaxed)),
        route: ctx.route().map(|route| route.label.as_str()),
        upstream: ctx.upstream.as_ref().map(|upstream| upstream.name()),
        attempts: &ctx.attempts,
        upstream_headers: ctx.upstream_headers.as_deref(),
        status: written
            .map(|header| header.status.as_u16())
            .or(failure_status),
        response_headers: written.map(|header| &header.headers),
        bytes_sent: connection.map_or(0, |facts| facts.bytes_written.load(Ordering::Relaxed)),
        body_bytes_sent,
        error: ctx.failure.map(Failure::word),
    }
}

/// Bytes that the client got after its connection was switched to another protocol.
fn sent_through_tunnel(connection: Option<&ConnectionFacts>) -> u64 {
    let tunnel = connection.and_then(|facts| facts.tunnel.get());
    tunnel.map_or(0, |tunnel| {
        tunnel.lock().unwrap_or_else(PoisonError::into_inner).sent()
    })
}
