//! HTTP/2 on one connection: many requests at once, each in a task of its own.
//!
//! The crate `h2` speaks it, and holds off what would be much work for little: floods of small pieces of bodies and of `CONTINUATION`, and
//! heads above the limit, which it answers 431. What it leaves to its user is here, and for frames that carry nothing in
//! `connection::flood`: the deadlines, the end of a
//! connection that nobody uses, requests that are begun to be given up (CVE-2023-44487), and the drain when the process stops: `GOAWAY`,
//! and the connection closes when the last of its requests is answered.
//!
//! - `stream`: one request and its answer
//! - `session`: the same, as Pingora drives it
//! - `patience`: how many requests a client may give up

mod patience;
mod session;
mod stream;

use std::fmt::Display;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{Request, Response, StatusCode, Version};
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::patience::Patience;
use self::stream::Stream;
use super::connection::{Connection, LINGER};
use super::http1::begins;
use super::socket::Socket;
use crate::proxy::connection::ConnectionFacts;
use crate::proxy::turned_away::{self, Asked, Reporter, Sent};
use crate::proxy::{HttpProxy, reply};
use crate::semantics::head::{self, Refused};
use crate::semantics::request_line::{self, RequestLine};
use crate::semantics::stream_head;

/// Requests that may be under way at once.
const STREAMS: u32 = 100;

/// What a client may send of a body before somebody reads it, in bytes: for one request, …
const STREAM_WINDOW: u32 = 256 * 1024;
/// … and for all of them.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// What of an answer is kept for a client that reads it slowly, in bytes.
const SEND_BUFFER: usize = 128 * 1024;

/// Serves requests until the client or the server has had enough.
///
/// Once the listener's clients are to leave, this one is told to send no others, and the connection ends with the last of those that it has
/// sent.
pub(super) async fn serve<S: Socket>(proxy: Arc<HttpProxy>, mut connection: Box<Connection<S>>) {
    connection.hand_over();
    let facts = Arc::clone(connection.facts());
    let limits = facts.settings.limits;
    let handshake = settings(&limits.head).handshake(connection);
    let connection = match timeout(facts.settings.timeouts.header, handshake).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => {
            log::debug!("{}: no HTTP/2: {error}", facts.peer);
            return report_fault(&proxy, &facts, &error);
        }
        Err(_) => {
            log::debug!("{}: no HTTP/2: the client is too slow", facts.peer);
            let waited = facts.settings.timeouts.header;
            return report(&proxy, &facts, turned_away::Reason::HeadTooSlow, waited);
        }
    };
    let serving = Serving {
        connection,
        proxy,
        leaving: facts.settings.leaving.clone(),
        facts,
        streams: JoinSet::new(),
        patience: Patience::default(),
        requests: 0,
        is_leaving: false,
    };
    serving.run().await;
}

/// Where `h2`'s own limits are (resets by us, resets not yet seen here, small frames), they stay.
fn settings(limits: &head::Limits) -> Builder {
    let mut settings = Builder::new();
    let limit = u32::try_from(limits.bytes).unwrap_or(u32::MAX);
    settings
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(limit)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER);
    settings
}

/// A connection and what is under way on it.
struct Serving<S: Socket> {
    connection: h2::server::Connection<Box<Connection<S>>, Bytes>,
    proxy: Arc<HttpProxy>,
    facts: Arc<ConnectionFacts>,
    leaving: ShutdownWatch,
    /// One task for each request; whether its client gave it up.
    streams: JoinSet<bool>,
    patience: Patience,
    /// So many have come.
    requests: u32,
    /// The client was told that the connection ends.
    is_leaving: bool,
}

impl<S: Socket> Serving<S> {
    async fn run(mut self) {
        // One wait for all requests: to begin one takes a lock.
        let mut told = self.leaving.clone();
        let mut leaving = pin!(begins(&mut told));
        loop {
            let quiet = if self.is_leaving {
                LINGER
            } else {
                self.facts.settings.timeouts.idle
            };
            tokio::select! {
                biased;
                () = &mut leaving, if !self.is_leaving => self.leave(),
                Some(ended) = self.streams.join_next() => {
                    // A task that panicked has reset its stream, and is no sign of a hasty client.
                    self.note(ended.unwrap_or(false));
                }
                accepted = self.connection.accept() => match accepted {
                    Some(Ok((request, response))) => self.accept(request, response),
                    Some(Err(error)) if error.reason() == Some(Reason::ENHANCE_YOUR_CALM) => {
                        self.send_away(&error);
                        break;
                    }
                    Some(Err(error)) => {
                        log::debug!("{}: HTTP/2: {error}", self.facts.peer);
                        report_fault(&self.proxy, &self.facts, &error);
                        break;
                    }
                    None => break,
                },
                () = async { sleep(quiet).await }, if self.streams.is_empty() => {
                    if self.is_leaving {
                        break;
                    }
                    self.leave();
                }
            }
        }
        // Their streams are gone, which they see as soon as they look; the process is not to end before their lines are in the log.
        drop(self.connection);
        while self.streams.join_next().await.is_some() {}
    }

    fn leave(&mut self) {
        self.is_leaving = true;
        self.connection.graceful_shutdown();
    }

    fn note(&mut self, was_cancelled: bool) {
        if self.patience.ends_with(was_cancelled) {
            self.send_away(&"too many requests were malformed or given up");
            self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        }
    }

    fn send_away(&self, why: &dyn Display) {
        let (listener, peer) = (&self.facts.listener, self.facts.peer);
        log::info!("{listener}: {peer} sent away: {why}");
        report(
            &self.proxy,
            &self.facts,
            turned_away::Reason::Hasty,
            Duration::ZERO,
        );
    }

    fn accept(&mut self, request: Request<RecvStream>, response: SendResponse<Bytes>) {
        self.requests = self.requests.saturating_add(1);
        let most = self.facts.settings.limits.requests_per_connection;
        if most.is_some_and(|most| self.requests >= most) && !self.is_leaving {
            self.leave();
        }
        let (mut head, body) = request.into_parts();
        let head_bytes = stream_head::length(&head);
        if let Err(refused) = stream_head::translate(&mut head, &self.facts.settings.limits.head) {
            self.refuse(&head, head_bytes, refused, response);
            return;
        }
        let was_cancelled = Arc::new(AtomicBool::new(false));
        let stream = Stream::new(
            (head, head_bytes),
            body,
            response,
            self.facts.of_stream(),
            Arc::clone(&was_cancelled),
            self.proxy.logs_answers(),
        );
        // Boxed here, so that the task does not hold the space for it.
        let stream = match stream {
            Ok(stream) => Box::new(stream),
            Err(error) => return log::error!("{}: HTTP/2: {error}", self.facts.peer),
        };
        let proxy = Arc::clone(&self.proxy);
        let shutdown = self.leaving.clone();
        self.streams.spawn(async move {
            let session = ServerSession::new_custom(stream);
            proxy.serve(session, Version::HTTP_2, &shutdown).await;
            was_cancelled.load(Ordering::Relaxed)
        });
    }

    /// Answers a head that Pingora never sees.
    fn refuse(
        &mut self,
        head: &Parts,
        head_bytes: usize,
        refused: Refused,
        response: SendResponse<Bytes>,
    ) {
        let why = turned_away::Reason::Head(refused);
        let reporter = self.proxy.reporter();
        let sent = send_refusal(reporter, refused.status(), why.sentence(), response);
        let sent = sent.unwrap_or_else(|gone| {
            log::debug!("{}: left before its answer: {gone}", self.facts.peer);
            Sent::default()
        });
        let target = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
        let told = target.len().min(request_line::TOLD);
        let asked = Asked {
            line: RequestLine {
                method: Some(head.method.clone()),
                target: &target.as_bytes()[..told],
                version: Some(Version::HTTP_2),
            },
            authority: head.uri.authority().map_or("", Authority::as_str),
            headers: Some(&head.headers),
            bytes: head_bytes as u64,
            since: Duration::ZERO,
        };
        reporter.report(self.facts.origin(), why, &asked, &sent);
        self.note(true);
    }
}

/// Reports a client whose connection is over by its own fault; one that has only gone away is not at fault.
fn report_fault(proxy: &HttpProxy, facts: &ConnectionFacts, error: &h2::Error) {
    let is_fault = error.is_library() && error.reason() != Some(Reason::NO_ERROR);
    if is_fault {
        report(proxy, facts, turned_away::Reason::NoHttp2, Duration::ZERO);
    }
}

fn report(proxy: &HttpProxy, facts: &ConnectionFacts, why: turned_away::Reason, since: Duration) {
    let asked = Asked {
        since,
        ..Asked::default()
    };
    let sent = Sent::default();
    proxy.reporter().report(facts.origin(), why, &asked, &sent);
}

fn send_refusal(
    reporter: &Reporter,
    status: StatusCode,
    sentence: &str,
    mut response: SendResponse<Bytes>,
) -> Result<Sent, h2::Error> {
    let id = reporter.new_id();
    let body = reply::refused_body(status, sentence, &id);
    let mut head = Response::new(());
    *head.status_mut() = status;
    let headers = head.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    headers.insert(CONTENT_LENGTH, body.len().into());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("proxy-status", HeaderValue::from_static(reply::REFUSED));
    headers.insert(reporter.id_header(), id.clone());
    let body_bytes = body.len() as u64;
    let sent = Sent {
        id: Some(id),
        bytes: body_bytes + stream::length(headers) as u64,
        body_bytes,
    };
    let mut answer = response.send_response(head, false)?;
    answer.send_data(body, true)?;
    Ok(sent)
}
