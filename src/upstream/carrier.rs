//! What carries one request to a backend, and its answer back: a turn on a connection over HTTP/1, or a stream of one over HTTP/2.
//!
//! Whoever makes an exchange waits for its next [`Event`] and takes the [`Part`]s that have come. How a message lies on the wire stands in
//! `http1` and `http2`.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use pingora_core::{Error, Result};
use pingora_http::ResponseHeader;

use super::http1::{Passed, Turn};
use super::http2::Stream;
use crate::clock::Alarm;

/// The way to the backend and back.
#[derive(Debug)]
pub enum Carrier {
    /// A connection to itself, for one request.
    Http1(Turn),
    /// One stream of a connection that has many. Boxed, so that a request over HTTP/1 does not hold the space for it.
    Http2(Box<Stream>),
}

/// What has happened on it.
#[derive(Debug)]
pub enum Event {
    /// Some of what was to be written is.
    Written,
    /// Nothing more can be written. What was to be is forgotten. Over HTTP/2, reading says why.
    NotWritten(Option<Box<Error>>),
    /// Something has come: see [`Carrier::next_part`].
    Read,
    /// Nothing more will come: see [`Carrier::end`].
    Ended,
    /// Nothing more can be read.
    NotRead(Box<Error>),
}

/// A part of an answer, in the order in which they come.
#[derive(Debug)]
pub enum Part {
    /// The head of an interim answer (RFC 9110 §15.2); another follows.
    Interim(Box<ResponseHeader>),
    /// The head of the answer.
    Head {
        /// The head.
        head: Box<ResponseHeader>,
        /// The lines that it is without, where they were not read.
        passed: Option<Passed>,
        /// Whether the answer has no body.
        is_all: bool,
    },
    /// A piece of its body.
    Body {
        /// The piece.
        piece: Bytes,
        /// Whether it is known to be the last one.
        is_last: bool,
    },
    /// What stands behind its body (RFC 9110 §6.5), which is the end of it.
    Trailers(Box<HeaderMap>),
    /// The end of a body of which no piece was the last one.
    End,
}

impl Carrier {
    /// Writes what is to be written, and reads what comes.
    pub fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Event> {
        match self {
            Self::Http1(turn) => turn.poll_event(context),
            Self::Http2(stream) => stream.poll_event(context),
        }
    }

    /// Whether all that was to be written is.
    pub fn has_written(&self) -> bool {
        match self {
            Self::Http1(turn) => turn.has_written(),
            Self::Http2(stream) => stream.has_written(),
        }
    }

    /// Writes a piece of the request's body, and its end if it is the last one. What was to be written before must be.
    ///
    /// # Errors
    /// The body is longer or shorter than its head says.
    pub fn write_body(&mut self, piece: Option<Bytes>, is_last: bool) -> Result<()> {
        match self {
            Self::Http1(turn) => turn.write_body(piece, is_last),
            Self::Http2(stream) => {
                stream.write_body(piece.unwrap_or_default(), is_last);
                Ok(())
            }
        }
    }

    /// The next part of the answer that has come, if one has.
    ///
    /// # Errors
    /// It cannot be read, or in two ways.
    pub fn next_part(&mut self) -> Result<Option<Part>> {
        match self {
            Self::Http1(turn) => turn.next_part(),
            Self::Http2(stream) => Ok(stream.next_part()),
        }
    }

    /// The last part of an answer that ends where the connection does, which has ended; none if it was whole before.
    ///
    /// # Errors
    /// The answer is not whole.
    pub fn end(&mut self) -> Result<Option<Part>> {
        match self {
            Self::Http1(turn) => turn.end(),
            Self::Http2(_) => Ok(None),
        }
    }

    /// Whether all parts of the answer were taken.
    pub fn is_answered(&self) -> bool {
        match self {
            Self::Http1(turn) => turn.is_answered(),
            Self::Http2(stream) => stream.is_answered(),
        }
    }

    /// Whether the answer has a body whose end its head does not tell, to a client that speaks HTTP/1.
    pub fn lacks_framing(&self) -> bool {
        match self {
            Self::Http1(turn) => turn.lacks_framing(),
            Self::Http2(stream) => stream.lacks_framing(),
        }
    }

    /// Whether the backend has sent more than its answer.
    pub fn has_more(&self) -> bool {
        match self {
            Self::Http1(turn) => turn.has_more(),
            Self::Http2(_) => false,
        }
    }

    /// The backend was silent for too long.
    pub fn give_up(&mut self) {
        if let Self::Http2(stream) = self {
            stream.distrust();
        }
    }

    /// The alarm of whoever has waited before.
    pub fn take_alarm(&mut self) -> Alarm {
        match self {
            Self::Http1(turn) => turn.connection().take_alarm(),
            Self::Http2(stream) => stream.seat().take_alarm(),
        }
    }

    /// Keeps the alarm for the next one.
    pub fn keep_alarm(&mut self, alarm: Alarm) {
        match self {
            Self::Http1(turn) => turn.connection().keep_alarm(alarm),
            Self::Http2(stream) => stream.seat().keep_alarm(alarm),
        }
    }
}
