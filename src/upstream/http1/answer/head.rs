//! The head of a backend's answer, out of its bytes.

use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Version, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{IntoCaseHeaderName, ResponseHeader, header_value_from_raw};

use super::{Form, Keeps, Passed};
use crate::semantics::answer::{self, AnswerBody, MOST_HEADERS, Malformed};

/// Lines that are put into a head on its way to the client: its maps need not grow for them.
const ADDED: usize = 5;

/// Lines of a head that was not read: the one that frames the body, and Pingora's `Date` and `Connection`.
const FRAMING: usize = 3;

/// Of a head that cannot be read, so much is told, in bytes.
const TOLD: usize = 200;

/// What is wrong with a head.
pub(super) enum Fault {
    Malformed(Malformed),
    Pingora(Box<Error>),
}

impl Fault {
    pub(super) fn into_error(self, head: &[u8]) -> Box<Error> {
        match self {
            Self::Malformed(why) => malformed(why, head),
            Self::Pingora(error) => error.into_up(),
        }
    }
}

pub(super) fn malformed(why: Malformed, head: &[u8]) -> Box<Error> {
    let told = head[..head.len().min(TOLD)].escape_ascii();
    let what = format!("{why}: \"{told}\"");
    Error::explain(ErrorType::InvalidHTTPHeader, what).into_up()
}

/// A head that was read.
pub(super) struct Read {
    pub(super) head: Box<ResponseHeader>,
    /// The lines that `head` is without.
    pub(super) passed: Option<Passed>,
    /// How the answer goes on.
    pub(super) body: AnswerBody,
    /// Whether the backend keeps the connection behind the answer.
    pub(super) keeps: Option<Keeps>,
}

/// Reads a head that is complete.
pub(super) fn parse(bytes: &Bytes, answers_head: bool, form: Form) -> Result<Read, Fault> {
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
    let keeps = match body {
        AnswerBody::UntilClose => None,
        _ => keeps(is_old, parsed.headers),
    };
    // Interim answers, and the one that switches to another protocol, say more of the connection than others.
    let passed = match form {
        Form::Framing if status >= 200 => Passed::of(&parsed, bytes.len()),
        _ => None,
    };
    let head = match (&passed, form) {
        (Some(_), _) => framing(bytes, &parsed, status),
        (None, Form::Lowercase) => all(bytes, &parsed, ResponseHeader::build_no_case, status),
        (None, _) => all(bytes, &parsed, ResponseHeader::build, status),
    };
    Ok(Read {
        head: head.map_err(Fault::Pingora)?,
        passed,
        body,
        keeps,
    })
}

/// A head with all its lines.
fn all(
    bytes: &Bytes,
    parsed: &httparse::Response<'_, '_>,
    build: fn(u16, Option<usize>) -> Result<ResponseHeader>,
    status: u16,
) -> Result<Box<ResponseHeader>> {
    let mut head = Box::new(build(status, Some(parsed.headers.len() + ADDED))?);
    head.set_version(version(parsed));
    head.set_reason_phrase(parsed.reason)?;
    for line in parsed.headers.iter() {
        append(&mut head, bytes, line)?;
    }
    Ok(head)
}

/// A head with the lines alone that frame its body: a length, which may be said more than once, or that it comes in chunks.
fn framing(
    bytes: &Bytes,
    parsed: &httparse::Response<'_, '_>,
    status: u16,
) -> Result<Box<ResponseHeader>> {
    let mut head = Box::new(ResponseHeader::build(status, Some(FRAMING))?);
    head.set_version(version(parsed));
    for line in parsed.headers.iter().filter(|line| is_framing(line.name)) {
        append(&mut head, bytes, line)?;
    }
    Ok(head)
}

/// Whether a line frames the body.
pub(super) fn is_framing(name: &str) -> bool {
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
        .iter()
        .any(|other| name.eq_ignore_ascii_case(other.as_str()))
}

fn append(head: &mut ResponseHeader, bytes: &Bytes, line: &httparse::Header<'_>) -> Result<()> {
    let name = bytes
        .slice_ref(line.name.as_bytes())
        .into_case_header_name();
    let value = header_value_from_raw(bytes.slice_ref(line.value));
    head.append_header(name, value).map(drop)
}

fn version(parsed: &httparse::Response<'_, '_>) -> Version {
    match parsed.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    }
}

/// Whether a backend keeps a connection behind an answer with these lines (RFC 9112 §9.3). `is_old` is HTTP/1.0.
fn keeps(is_old: bool, lines: &[httparse::Header<'_>]) -> Option<Keeps> {
    let values = |name: HeaderName| {
        let lines = lines.iter();
        let lines = lines.filter(move |line| line.name.eq_ignore_ascii_case(name.as_str()));
        lines.map(|line| line.value)
    };
    let has = |wanted: &str| {
        let mut options =
            values(header::CONNECTION).flat_map(|line| line.split(|byte| *byte == b','));
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let is_kept = !has("close") && (!is_old || has("keep-alive"));
    let said = || values(HeaderName::from_static("keep-alive")).next();
    is_kept.then(|| Keeps {
        limit: said().and_then(promised),
    })
}

/// `Keep-Alive: timeout=5` (RFC 2068 §19.7.1).
fn promised(value: &[u8]) -> Option<Duration> {
    let mut parameters = std::str::from_utf8(value).ok()?.split(',');
    parameters.find_map(|parameter| {
        let (name, seconds) = parameter.split_once('=')?;
        let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
        let seconds = is_timeout.then(|| seconds.trim().parse().ok())?;
        seconds.map(Duration::from_secs)
    })
}
