//! One request and its answer on a connection that has many.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response, StatusCode, Version, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;

use super::super::carrier::{Event, Part};
use super::pool::Seat;

/// So much of a body is read before it is passed on, in bytes, though more may have come.
const MOST_READ: usize = 64 * 1024;

/// A request on its seat.
#[derive(Debug)]
pub struct Stream {
    request: Option<SendStream<Bytes>>,
    outgoing: Outgoing,
    answer: Answer,
    /// Parts that have come and were not taken, …
    parts: VecDeque<Part>,
    /// … and what broke off behind them.
    broken: Option<Box<Error>>,
    /// So much of the answer's body is still to come, if its head says how long it is.
    left: Option<u64>,
    answers_head: bool,
    seat: Seat,
}

/// What is to be written of the request's body.
#[derive(Debug, Default)]
struct Outgoing {
    piece: Bytes,
    /// The end of it is to be written.
    ends: bool,
}

/// How far the answer was read.
#[derive(Debug)]
enum Answer {
    /// Nothing was asked.
    None,
    Head(ResponseFuture),
    Body(RecvStream),
    Whole,
}

impl Stream {
    /// A stream for a request, which is a `HEAD` or is not.
    pub fn new(seat: Seat, answers_head: bool) -> Self {
        Self {
            request: None,
            outgoing: Outgoing::default(),
            answer: Answer::None,
            parts: VecDeque::new(),
            broken: None,
            left: None,
            answers_head,
            seat,
        }
    }

    /// Writes the head of the request, which has a body or is all.
    ///
    /// # Errors
    /// The backend takes no more requests on this connection, or it is gone.
    pub fn begin(&mut self, head: Request<()>, is_all: bool) -> Result<()> {
        let begun = self.seat.requests().send_request(head, is_all);
        let (answer, request) = begun.map_err(|error| {
            self.seat.close_to_others();
            broken_off(error)
        })?;
        self.request = (!is_all).then_some(request);
        self.answer = Answer::Head(answer);
        Ok(())
    }

    pub(in crate::upstream) fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }

    /// A backend that is silent here may be silent on all of the connection.
    pub(in crate::upstream) fn distrust(&self) {
        self.seat.close_to_others();
    }

    pub(in crate::upstream) fn has_written(&self) -> bool {
        self.outgoing.piece.is_empty() && !self.outgoing.ends
    }

    pub(in crate::upstream) fn write_body(&mut self, piece: Bytes, is_last: bool) {
        if self.request.is_some() {
            let ends = is_last;
            self.outgoing = Outgoing { piece, ends };
        }
    }

    pub(in crate::upstream) fn next_part(&mut self) -> Option<Part> {
        self.parts.pop_front()
    }

    pub(in crate::upstream) fn is_answered(&self) -> bool {
        matches!(self.answer, Answer::Whole) && self.parts.is_empty()
    }

    pub(in crate::upstream) fn lacks_framing(&self) -> bool {
        self.left.is_none()
    }

    pub(in crate::upstream) fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        if !self.has_written() {
            match self.poll_write_some(context) {
                Poll::Ready(true) => return Poll::Ready(Event::Written),
                Poll::Ready(false) => {
                    self.request = None;
                    self.outgoing = Outgoing::default();
                    return Poll::Ready(Event::NotWritten(None));
                }
                Poll::Pending => {}
            }
        }
        let read = match self.broken.take() {
            // `h2` is not asked again: it may wait, or panic.
            Some(error) => Poll::Ready(Err(error)),
            None => self.poll_read(context),
        };
        if self.parts.is_empty() {
            return read.map(|read| match read {
                Ok(()) => Event::Ended,
                Err(error) => Event::NotRead(error),
            });
        }
        if let Poll::Ready(Err(error)) = read {
            self.broken = Some(error);
        }
        Poll::Ready(Event::Read)
    }

    /// Whether some of it was written; not if the backend takes no more.
    fn poll_write_some(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let Some(request) = &mut self.request else {
            return Poll::Ready(false);
        };
        let piece = &mut self.outgoing.piece;
        let mut next = Bytes::new();
        if !piece.is_empty() {
            request.reserve_capacity(piece.len());
            let room = match request.capacity() {
                0 => match ready!(request.poll_capacity(context)) {
                    Some(Ok(room)) => room,
                    Some(Err(_)) | None => return Poll::Ready(false),
                },
                room => room,
            };
            next = piece.split_to(room.min(piece.len()));
        }
        let is_last = self.outgoing.ends && piece.is_empty();
        self.outgoing.ends &= !is_last;
        Poll::Ready(request.send_data(next, is_last).is_ok())
    }

    /// Reads what has come. Ready when nothing more will, in order or not.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let mut length = 0;
        while length < MOST_READ {
            match &mut self.answer {
                Answer::None => return Poll::Pending,
                Answer::Whole => {
                    // It may say that it does not want the rest of the request.
                    if let Some(request) = &mut self.request {
                        let _ = ready!(request.poll_reset(context));
                    }
                    return Poll::Ready(Ok(()));
                }
                Answer::Head(answer) => {
                    if let Some(interim) = ready!(answer.poll_informational(context)) {
                        let (head, ()) = head(interim.map_err(broken_off)?);
                        self.parts.push_back(Part::Interim(head));
                        continue;
                    }
                    let answer = ready!(Pin::new(answer).poll(context));
                    let (head, body) = head(answer.map_err(broken_off)?);
                    self.left = self.length(&head)?;
                    self.answer = Answer::Body(body);
                    self.parts.push_back(Part::Head {
                        head,
                        passed: None,
                        is_all: false,
                    });
                }
                Answer::Body(body) => match ready!(body.poll_data(context)) {
                    Some(Ok(piece)) => {
                        // It can only fail for more than was received.
                        let _ = body.flow_control().release_capacity(piece.len());
                        length += piece.len();
                        self.take_piece(piece);
                    }
                    Some(Err(error)) => self.take_reset(error)?,
                    None => match ready!(body.poll_trailers(context)) {
                        Ok(Some(trailers)) => {
                            self.parts.push_back(Part::Trailers(Box::new(trailers)));
                            self.answer = Answer::Whole;
                        }
                        Ok(None) => self.end_answer(),
                        Err(error) => self.take_reset(error)?,
                    },
                },
            }
        }
        Poll::Pending
    }

    /// How long the body is that follows this head, if it says so. That all lines of it say the same, `h2` has seen to.
    fn length(&self, head: &ResponseHeader) -> Result<Option<u64>> {
        let is_bodiless = self.answers_head
            || matches!(
                head.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        let Some(length) = head.headers.get(header::CONTENT_LENGTH) else {
            return Ok(is_bodiless.then_some(0));
        };
        let length = length.to_str().ok().and_then(|length| length.parse().ok());
        let length = length.ok_or_else(|| {
            let what = "its length is none";
            Error::explain(ErrorType::InvalidHTTPHeader, what).into_up()
        })?;
        Ok(Some(if is_bodiless { 0 } else { length }))
    }

    fn take_piece(&mut self, piece: Bytes) {
        self.left = self
            .left
            .map(|left| left.saturating_sub(piece.len() as u64));
        if !piece.is_empty() {
            let is_last = false;
            self.parts.push_back(Part::Body { piece, is_last });
        }
    }

    /// A backend whose answer is whole may ask for no more of the request with a reset without an error (RFC 9113 §8.1). That it is whole,
    /// its length says; after a reset, `h2` does not tell whether the end had come.
    fn take_reset(&mut self, error: h2::Error) -> Result<()> {
        let is_in_order =
            error.is_reset() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR);
        if !is_in_order || self.left != Some(0) {
            return Err(broken_off(error));
        }
        self.end_answer();
        Ok(())
    }

    fn end_answer(&mut self) {
        self.answer = Answer::Whole;
        match self.parts.back_mut() {
            Some(Part::Head { is_all, .. }) => *is_all = true,
            Some(Part::Body { is_last, .. }) => *is_last = true,
            _ => self.parts.push_back(Part::End),
        }
    }
}

/// The head in the version of HTTP that every client's side can write.
fn head<T>(response: Response<T>) -> (Box<ResponseHeader>, T) {
    let (parts, body) = response.into_parts();
    let mut head = Box::new(ResponseHeader::from(parts));
    head.set_version(Version::HTTP_11);
    (head, body)
}

fn broken_off(error: h2::Error) -> Box<Error> {
    Error::because(ErrorType::H2Error, "over HTTP/2", error).into_up()
}
