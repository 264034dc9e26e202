//! A backend's answer, read out of the bytes of its connection.
//!
//! Nothing is read from a socket here: bytes come in, parts come out, and it does not matter how the bytes were cut. What belongs to the
//! answer is taken from them; what is left behind its last part is nobody's.

mod head;
mod passed;

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pingora_core::{Error, ErrorType, Result};

use self::head::{malformed, parse};
pub use self::passed::Passed;
use super::super::carrier::Part;
use crate::semantics::answer::{self, AnswerBody, MOST_HEAD, Malformed};

/// What chunks that cannot be read are called; Pingora has the same name for them.
const INVALID_CHUNK: ErrorType = ErrorType::new("InvalidChunk");

/// How much of an answer's head is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All lines, with their names spelled as the backend has them.
    Spelled,
    /// All lines. HTTP/2 has names in lower case alone (RFC 9113 §8.2), and a head without the others needs half the memory.
    Lowercase,
    /// The lines that frame the body; the others are [`Passed`] on. A head of which more must be known is read as `Spelled` all the same.
    Framing,
}

/// One answer, as far as it was read.
#[derive(Debug)]
pub struct AnswerReader {
    state: State,
    answers_head: bool,
    form: Form,
    keeps: Option<Keeps>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In a head, of which so many bytes were looked at.
    Head(usize),
    Body(AnswerBody),
    Whole,
}

/// What the backend does with the connection when the answer is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeps {
    /// So long it says that it keeps it, if it says so.
    pub limit: Option<Duration>,
}

impl AnswerReader {
    /// An answer to a request, which is a `HEAD` or is not.
    pub fn new(answers_head: bool, form: Form) -> Self {
        Self {
            state: State::Head(0),
            answers_head,
            form,
            keeps: None,
        }
    }

    /// Whether all of it was read.
    pub fn is_whole(&self) -> bool {
        matches!(self.state, State::Whole)
    }

    /// Whether another answer may come on the connection when this one is whole.
    pub fn keeps(&self) -> Option<Keeps> {
        self.keeps.filter(|_| self.is_whole())
    }

    /// Whether it has a body that ends where the connection does.
    pub fn ends_with_connection(&self) -> bool {
        matches!(self.state, State::Body(AnswerBody::UntilClose))
    }

    /// How many bytes more of the body are known to come.
    pub fn expected(&self) -> u64 {
        match self.state {
            State::Body(AnswerBody::Length(left)) => left,
            _ => 0,
        }
    }

    /// The next part that is in `unread`, if one is.
    ///
    /// # Errors
    /// It cannot be read, or in two ways.
    pub fn next(&mut self, unread: &mut BytesMut) -> Result<Option<Part>> {
        match self.state {
            State::Whole => Ok(None),
            State::Head(looked_at) => self.next_head(looked_at, unread),
            State::Body(_) if unread.is_empty() => Ok(None),
            State::Body(body) => self.next_piece(body, unread),
        }
    }

    /// The connection has ended behind what was read.
    ///
    /// # Errors
    /// The answer is not whole.
    pub fn end(&mut self) -> Result<Option<Part>> {
        match self.state {
            State::Whole => Ok(None),
            State::Body(AnswerBody::UntilClose) => {
                self.state = State::Whole;
                Ok(Some(Part::End))
            }
            State::Head(_) | State::Body(_) => {
                let what = format!("the backend closed the connection {}", self.place());
                Err(Error::explain(ErrorType::ConnectionClosed, what).into_up())
            }
        }
    }

    /// The connection has broken off behind what was read.
    pub fn broken_off(&self, error: io::Error) -> Box<Error> {
        let what = format!("the connection broke off {}", self.place());
        Error::because(ErrorType::ReadError, what, error).into_up()
    }

    /// Where in the answer the reader is.
    fn place(&self) -> String {
        match self.state {
            State::Head(0) => "before its answer".to_owned(),
            State::Head(seen) => format!("{seen} bytes into a head"),
            State::Body(AnswerBody::Length(left)) => {
                format!("with {left} bytes of the body to come")
            }
            State::Body(AnswerBody::UntilClose) => "in a body without a length".to_owned(),
            State::Body(_) => "before the last chunk".to_owned(),
            State::Whole => "behind the answer".to_owned(),
        }
    }

    fn next_head(&mut self, looked_at: usize, unread: &mut BytesMut) -> Result<Option<Part>> {
        let length = answer::head_length(unread, looked_at);
        let Some(length) = length.map_err(|why| malformed(why, unread))? else {
            if unread.len() > MOST_HEAD {
                return Err(malformed(Malformed::TooLarge, unread));
            }
            self.state = State::Head(unread.len());
            return Ok(None);
        };
        if length > MOST_HEAD {
            return Err(malformed(Malformed::TooLarge, unread));
        }
        let bytes = unread.split_to(length).freeze();
        let read = parse(&bytes, self.answers_head, self.form);
        let read = read.map_err(|error| error.into_error(&bytes))?;
        let (head, body) = (read.head, read.body);
        if head.status.is_informational() && head.status != 101 {
            self.state = State::Head(0);
            return Ok(Some(Part::Interim(head)));
        }
        let is_all = body == AnswerBody::None;
        self.keeps = read.keeps;
        self.state = if is_all {
            State::Whole
        } else {
            State::Body(body)
        };
        Ok(Some(Part::Head {
            head,
            passed: read.passed,
            is_all,
        }))
    }

    fn next_piece(&mut self, body: AnswerBody, unread: &mut BytesMut) -> Result<Option<Part>> {
        let (piece, is_last) = match body {
            AnswerBody::None => return Ok(None),
            AnswerBody::UntilClose => (unread.split().freeze(), false),
            AnswerBody::Length(left) => {
                let here =
                    usize::try_from(left).map_or(unread.len(), |left| left.min(unread.len()));
                let left = left - here as u64;
                self.state = match left {
                    0 => State::Whole,
                    left => State::Body(AnswerBody::Length(left)),
                };
                (unread.split_to(here).freeze(), left == 0)
            }
            AnswerBody::Chunked(walk) => {
                let Some((data, walk)) = walk.next_data(unread) else {
                    let what = Malformed::Chunks.to_string();
                    return Err(Error::explain(INVALID_CHUNK, what).into_up());
                };
                unread.advance(data.start);
                if walk.is_complete() {
                    self.state = State::Whole;
                    return Ok(Some(Part::End));
                }
                self.state = State::Body(AnswerBody::Chunked(walk));
                if data.is_empty() {
                    return Ok(None);
                }
                (unread.split_to(data.len()).freeze(), false)
            }
        };
        Ok(Some(Part::Body { piece, is_last }))
    }
}

#[cfg(test)]
mod tests;
