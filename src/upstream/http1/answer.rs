//! A backend's answer, read out of the bytes of its connection.
//!
//! Nothing is read from a socket here: bytes come in, parts come out, and it does not matter how the bytes were cut. What belongs to the
//! answer is taken from them; what is left behind its last part is nobody's.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Version, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{IntoCaseHeaderName, ResponseHeader, header_value_from_raw};

use crate::semantics::answer::{self, AnswerBody, MOST_HEAD, MOST_HEADERS, Malformed};

/// What chunks that cannot be read are called; Pingora has the same name for them.
const INVALID_CHUNK: ErrorType = ErrorType::new("InvalidChunk");

/// Lines that are put into a head on its way to the client: its maps need not grow for them.
const ADDED: usize = 5;

/// Of a head that cannot be read, so much is told, in bytes.
const TOLD: usize = 200;

/// A part of an answer, in the order in which they come.
#[derive(Debug)]
pub enum Part {
    /// The head of an interim answer (RFC 9110 §15.2); another follows.
    Interim(Box<ResponseHeader>),
    /// The head of the answer.
    Head {
        /// The head.
        head: Box<ResponseHeader>,
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
    /// The end of a body of which no piece was the last one.
    End,
}

/// Whether the names of an answer's lines stay spelled as the backend has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// They do.
    Kept,
    /// HTTP/2 has names in lower case alone (RFC 9113 §8.2), and a head without the others needs half the memory.
    Lost,
}

/// One answer, as far as it was read.
#[derive(Debug)]
pub struct AnswerReader {
    state: State,
    answers_head: bool,
    spelling: Spelling,
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
    pub fn new(answers_head: bool, spelling: Spelling) -> Self {
        Self {
            state: State::Head(0),
            answers_head,
            spelling,
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
        let parsed = parse(&bytes, self.answers_head, self.spelling);
        let (head, body) = parsed.map_err(|error| error.into_error(&bytes))?;
        if head.status.is_informational() && head.status != 101 {
            self.state = State::Head(0);
            return Ok(Some(Part::Interim(head)));
        }
        let is_all = body == AnswerBody::None;
        self.keeps = match body {
            AnswerBody::UntilClose => None,
            _ => keeps(head.version, &head.headers),
        };
        self.state = if is_all {
            State::Whole
        } else {
            State::Body(body)
        };
        Ok(Some(Part::Head { head, is_all }))
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

/// What is wrong with a head.
enum Fault {
    Malformed(Malformed),
    Pingora(Box<Error>),
}

impl Fault {
    fn into_error(self, head: &[u8]) -> Box<Error> {
        match self {
            Self::Malformed(why) => malformed(why, head),
            Self::Pingora(error) => error.into_up(),
        }
    }
}

fn malformed(why: Malformed, head: &[u8]) -> Box<Error> {
    let told = head[..head.len().min(TOLD)].escape_ascii();
    let what = format!("{why}: \"{told}\"");
    Error::explain(ErrorType::InvalidHTTPHeader, what).into_up()
}

/// A head that is complete, and how the answer goes on.
fn parse(
    bytes: &Bytes,
    answers_head: bool,
    spelling: Spelling,
) -> Result<(Box<ResponseHeader>, AnswerBody), Fault> {
    // Not filled first: it would be the most work of all.
    let mut lines = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    let complete = parser.parse_response_with_uninit_headers(&mut parsed, bytes, &mut lines);
    match complete {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        Ok(_) => return Err(Fault::Malformed(Malformed::Head(httparse::Error::NewLine))),
        Err(error) => return Err(Fault::Malformed(Malformed::Head(error))),
    }
    let status = parsed.code.unwrap_or_default();
    let is_old = parsed.version == Some(0);
    let body =
        answer::body(status, answers_head, is_old, parsed.headers).map_err(Fault::Malformed)?;
    let head = build(bytes, &parsed, status, spelling).map_err(Fault::Pingora)?;
    Ok((head, body))
}

fn build(
    bytes: &Bytes,
    parsed: &httparse::Response<'_, '_>,
    status: u16,
    spelling: Spelling,
) -> Result<Box<ResponseHeader>> {
    let lines = Some(parsed.headers.len() + ADDED);
    let mut head = Box::new(match spelling {
        Spelling::Kept => ResponseHeader::build(status, lines)?,
        Spelling::Lost => ResponseHeader::build_no_case(status, lines)?,
    });
    head.set_version(match parsed.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    });
    head.set_reason_phrase(parsed.reason)?;
    for line in parsed.headers.iter() {
        let name = bytes
            .slice_ref(line.name.as_bytes())
            .into_case_header_name();
        let value = header_value_from_raw(bytes.slice_ref(line.value));
        head.append_header(name, value)?;
    }
    Ok(head)
}

/// Whether a backend keeps a connection behind an answer with this head (RFC 9112 §9.3).
fn keeps(version: Version, headers: &HeaderMap) -> Option<Keeps> {
    let has = |wanted: &str| {
        let lines = headers.get_all(header::CONNECTION).iter();
        let mut options = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let is_kept = !has("close") && (version == Version::HTTP_11 || has("keep-alive"));
    is_kept.then(|| Keeps {
        limit: headers.get("keep-alive").and_then(promised),
    })
}

/// `Keep-Alive: timeout=5` (RFC 2068 §19.7.1).
fn promised(value: &HeaderValue) -> Option<Duration> {
    let mut parameters = value.to_str().ok()?.split(',');
    parameters.find_map(|parameter| {
        let (name, seconds) = parameter.split_once('=')?;
        let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
        let seconds = is_timeout.then(|| seconds.trim().parse().ok())?;
        seconds.map(Duration::from_secs)
    })
}

#[cfg(test)]
mod tests;
