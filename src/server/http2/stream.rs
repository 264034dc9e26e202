//! One request and its answer on a connection that has many.
//!
//! Pingora has a session of its own for this, but cannot be told anything about it: no deadline ends a read of a request's body, nothing ends
//! the wait for a backend but the backend, interim answers are dropped, and what the connection layer knows of the client does not reach
//! the proxy. So Pingora is given a session of ours (`session`), over the same crate `h2`. What it is to the proxy is the same as a
//! connection with HTTP/1: `ConnectionFacts` of its own, whose counters and deadline are those of this request.
//!
//! An answer that is not finished in order is reset: no client can take it for a whole one.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, DATE, HeaderMap, HeaderName, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};
use pingora_core::protocols::http::body_buffer::FixedBuffer;
use pingora_core::protocols::http::date::get_cached_date;
use pingora_core::protocols::http::v2::write_body;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::time::timeout;

use crate::proxy::connection::ConnectionFacts;

/// What of a request's body is kept to be sent again; Pingora's own size for HTTP/1.
const KEPT_BODY: usize = 64 * 1024;

/// What an answer on HTTP/2 must not say (RFC 9113 §8.2.2).
const OF_CONNECTIONS: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A request, and where its answer goes.
pub(super) struct Stream {
    pub(super) request: RequestHeader,
    body: RecvStream,
    pub(super) body_bytes_read: usize,
    pub(super) kept_body: Option<FixedBuffer>,
    response: SendResponse<Bytes>,
    answer: Option<SendStream<Bytes>>,
    /// The head of the answer that was sent; without its lines, unless these are wanted.
    pub(super) written: Option<Box<ResponseHeader>>,
    keeps_lines: bool,
    pub(super) body_bytes_sent: usize,
    /// The last of the answer is on its way.
    has_ended: bool,
    facts: Arc<ConnectionFacts>,
    was_cancelled: Arc<AtomicBool>,
    pub(super) read_timeout: Option<Duration>,
    pub(super) write_timeout: Option<Duration>,
    pub(super) drain_timeout: Option<Duration>,
}

impl Stream {
    /// A stream whose head was translated (`semantics::stream_head`); `head_bytes` is how long it was before. When it is dropped,
    /// `was_cancelled` tells whether the client had given it up before its answer was whole. Somebody may want to know the lines of the
    /// answer's head when it was sent if `keeps_lines`.
    ///
    /// # Errors
    /// None in practice: what was a head is one.
    pub(super) fn new(
        (head, head_bytes): (Parts, usize),
        body: RecvStream,
        response: SendResponse<Bytes>,
        facts: ConnectionFacts,
        was_cancelled: Arc<AtomicBool>,
        keeps_lines: bool,
    ) -> Result<Self> {
        let facts = Arc::new(facts);
        facts.count_read(head_bytes);
        let mut request = as_http1_writes_it(head)?;
        request.extensions_mut().insert(Arc::clone(&facts));
        let write_timeout = facts.settings.timeouts.write;
        Ok(Self {
            request,
            body,
            body_bytes_read: 0,
            kept_body: None,
            response,
            answer: None,
            written: None,
            keeps_lines,
            body_bytes_sent: 0,
            has_ended: false,
            facts,
            was_cancelled,
            read_timeout: None,
            write_timeout: Some(write_timeout),
            drain_timeout: None,
        })
    }

    /// Whether nothing of the request's body is still to come.
    pub(super) fn body_is_done(&self) -> bool {
        self.body_is_empty() || self.body.is_end_stream()
    }

    pub(super) fn body_is_empty(&self) -> bool {
        let length = self.request.headers.get(http::header::CONTENT_LENGTH);
        self.body_bytes_read == 0
            && (self.body.is_end_stream() || length.is_some_and(|length| length == "0"))
    }

    /// The next piece of the request's body; `None` behind the last one.
    pub(super) async fn read(&mut self) -> Result<Option<Bytes>> {
        let read = match self.read_timeout {
            None => self.body.data().await,
            Some(limit) => match timeout(limit, self.body.data()).await {
                Ok(read) => read,
                Err(_) => {
                    let what = format!("nothing of the body within {limit:?}");
                    return Err(Error::explain(ErrorType::ReadTimedout, what).into_down());
                }
            },
        };
        let Some(piece) = read.transpose().map_err(|error| {
            Error::because(ErrorType::ReadError, "while the body is read", error).into_down()
        })?
        else {
            return Ok(None);
        };
        // It can only fail for more than was received.
        let _ = self.body.flow_control().release_capacity(piece.len());
        self.body_bytes_read += piece.len();
        self.facts.count_read(piece.len());
        if let Some(kept) = &mut self.kept_body {
            kept.write_to_buffer(&piece);
        }
        Ok(Some(piece))
    }

    /// As [`Self::read`]; once nothing is to come any more, waits for the client to give up.
    pub(super) async fn read_or_wait(
        &mut self,
        nothing_is_expected: bool,
    ) -> Result<Option<Bytes>> {
        if !nothing_is_expected && !self.body_is_done() {
            return self.read().await;
        }
        let what = match self.reset().await {
            Ok(reason) => format!("the client has reset the stream: {reason}"),
            Err(error) => format!("the client is gone: {error}"),
        };
        Err(Error::explain(ErrorType::ConnectionClosed, what).into_down())
    }

    /// Returns when the client has given up the stream, or the connection.
    async fn reset(&mut self) -> std::result::Result<Reason, h2::Error> {
        poll_fn(|context| match &mut self.answer {
            None => self.response.poll_reset(context),
            Some(answer) => answer.poll_reset(context),
        })
        .await
    }

    pub(super) fn keep_body(&mut self) {
        self.kept_body
            .get_or_insert_with(|| FixedBuffer::new(KEPT_BODY));
    }

    /// Sends the head of the answer, or of an interim one.
    pub(super) fn send_head(&mut self, mut head: Box<ResponseHeader>, is_all: bool) -> Result<()> {
        if head.status.is_informational() {
            return self.send_interim(&head);
        }
        if self.written.is_some() {
            log::warn!("a second head of an answer is not sent");
            return Ok(());
        }
        head.insert_header(DATE, get_cached_date())?;
        // Few heads have one of them, and to go through all names is cheaper than to look each of these up.
        let names = head.headers.keys();
        let ended: Vec<_> = names
            .filter(|name| OF_CONNECTIONS.contains(name))
            .cloned()
            .collect();
        for name in &ended {
            head.remove_header(name);
        }
        self.facts.count_written(length(&head.headers));
        let is_all = is_all || self.has_no_body(head.status);
        let kept = match self.keeps_lines {
            true => (*head).clone(),
            false => ResponseHeader::build_no_case(head.status, Some(0))?,
        };
        let sent = std::mem::replace(&mut *head, kept);
        let response = Response::from_parts(sent.into(), ());
        let answer = self.response.send_response(response, is_all);
        self.answer = Some(answer.map_err(gone)?);
        self.has_ended = is_all;
        self.written = Some(head);
        Ok(())
    }

    fn send_interim(&mut self, head: &ResponseHeader) -> Result<()> {
        if self.written.is_some() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(());
        }
        let mut interim = Response::new(());
        *interim.status_mut() = head.status;
        interim.headers_mut().clone_from(&head.headers);
        for name in &OF_CONNECTIONS {
            interim.headers_mut().remove(name);
        }
        self.response.send_informational(interim).map_err(gone)
    }

    /// Whether an answer with this status is its head alone (RFC 9110 §6.4.1).
    fn has_no_body(&self, status: StatusCode) -> bool {
        self.request.method == Method::HEAD
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }

    /// Sends a piece of the answer's body, as fast as the client takes it.
    pub(super) async fn send_body(&mut self, piece: Bytes, is_last: bool) -> Result<()> {
        if self.has_ended || (piece.is_empty() && !is_last) {
            return Ok(());
        }
        let Some(answer) = &mut self.answer else {
            let what = "a body comes before its head";
            return Error::e_explain(ErrorType::InternalError, what);
        };
        let length = piece.len();
        let sent = write_body(answer, piece, is_last, self.write_timeout);
        sent.await.map_err(|error| error.into_down())?;
        self.body_bytes_sent += length;
        self.facts.count_written(length);
        self.has_ended = is_last;
        Ok(())
    }

    /// Sends what stands behind the body, which ends the answer.
    pub(super) fn send_trailers(&mut self, mut trailers: HeaderMap) -> Result<()> {
        let Some(answer) = self.answer.as_mut().filter(|_| !self.has_ended) else {
            return Ok(());
        };
        for name in &OF_CONNECTIONS {
            trailers.remove(name);
        }
        self.facts.count_written(length(&trailers));
        answer.send_trailers(trailers).map_err(gone)?;
        self.has_ended = true;
        Ok(())
    }

    /// The answer is whole. A client that leaves at this moment is no error: all of it was sent.
    pub(super) fn end(&mut self) {
        if let Some(answer) = self.answer.as_mut().filter(|_| !self.has_ended) {
            self.has_ended = answer.send_data(Bytes::new(), true).is_ok();
        }
    }

    /// The answer will not be whole, and the client is to know.
    pub(super) fn break_off(&mut self) {
        if !self.has_ended {
            self.response.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let mut context = Context::from_waker(Waker::noop());
        let reset = match &mut self.answer {
            None => self.response.poll_reset(&mut context),
            Some(answer) => answer.poll_reset(&mut context),
        };
        self.was_cancelled
            .store(reset.is_ready(), Ordering::Relaxed);
        self.break_off();
    }
}

/// The head with its names spelled as on HTTP/1, where backends are used to `Host`; Pingora keeps the spelling beside the names.
fn as_http1_writes_it(head: Parts) -> Result<RequestHeader> {
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let fields = Some(head.headers.len());
    let mut request = RequestHeader::build(head.method, target.as_bytes(), fields)?;
    let mut last = None;
    for (name, value) in head.headers {
        // A line without a name has that of the one before it.
        last = name.or(last);
        if let Some(name) = &last {
            request.append_header(name, value)?;
        }
    }
    request.set_version(Version::HTTP_2);
    Ok(request)
}

fn gone(error: h2::Error) -> Box<Error> {
    Error::because(ErrorType::WriteError, "while the answer is sent", error).into_down()
}

/// About as many bytes as these fields have on the wire of HTTP/1: what HPACK makes of them is only known to the connection.
pub(super) fn length(fields: &HeaderMap) -> usize {
    let fields = fields.iter();
    fields
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum()
}
