//! One request and its answer on a connection: its turn.

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use pingora_core::{Error, ErrorType, Result};

use super::super::carrier::{self, Part};
use super::answer::{AnswerReader, Form, Keeps};
use super::connection::{Connection, Event};
use super::request::RequestBody;

/// One request and its answer on a connection that is theirs meanwhile.
#[derive(Debug)]
pub struct Turn {
    connection: Box<Connection>,
    body: RequestBody,
    answer: AnswerReader,
}

impl Turn {
    /// The turn of a request, which is a `HEAD` or is not; its answer's head is read in this form.
    pub fn new(connection: Box<Connection>, answers_head: bool, form: Form) -> Self {
        Self {
            connection,
            body: RequestBody::NONE,
            answer: AnswerReader::new(answers_head, form),
        }
    }

    /// Writes the head of the request, whose body is framed like this.
    pub fn begin(&mut self, head: BytesMut, body: RequestBody) {
        self.connection.write_head(head);
        self.body = body;
    }

    /// Whether the backend keeps the connection for another request.
    pub fn keeps(&self) -> Option<Keeps> {
        self.answer.keeps()
    }

    /// The connection, for the next request.
    pub fn into_connection(self) -> Box<Connection> {
        self.connection
    }

    pub(in crate::upstream) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(in crate::upstream) fn poll_event(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<carrier::Event> {
        let expected = self.answer.expected();
        Poll::Ready(
            match ready!(self.connection.poll_event(context, expected)) {
                Event::Written => carrier::Event::Written,
                Event::NotWritten(error) => {
                    let what = "while the request is sent";
                    let error = Error::because(ErrorType::WriteError, what, error);
                    carrier::Event::NotWritten(Some(error.into_up()))
                }
                Event::Read => carrier::Event::Read,
                Event::Ended => carrier::Event::Ended,
                Event::NotRead(error) => carrier::Event::NotRead(self.answer.broken_off(error)),
            },
        )
    }

    pub(in crate::upstream) fn has_written(&self) -> bool {
        self.connection.has_written()
    }

    pub(in crate::upstream) fn write_body(
        &mut self,
        piece: Option<Bytes>,
        is_last: bool,
    ) -> Result<()> {
        self.body.write(&mut self.connection, piece, is_last)
    }

    pub(in crate::upstream) fn next_part(&mut self) -> Result<Option<Part>> {
        self.answer.next(self.connection.unread())
    }

    pub(in crate::upstream) fn end(&mut self) -> Result<Option<Part>> {
        self.answer.end()
    }

    pub(in crate::upstream) fn is_answered(&self) -> bool {
        self.answer.is_whole()
    }

    pub(in crate::upstream) fn lacks_framing(&self) -> bool {
        self.answer.ends_with_connection()
    }

    pub(in crate::upstream) fn has_more(&self) -> bool {
        self.connection.has_unread()
    }
}
