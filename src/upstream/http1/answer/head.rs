//! The head of a backend's answer, out of its bytes.

use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Version, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{IntoCaseHeaderName, ResponseHeader, header_value_from_raw};

use super::{Keeps, Spelling};
use crate::semantics::answer::{self, AnswerBody, MOST_HEADERS, Malformed};

/// Lines that are put into a head on its way to the client: its maps need not grow for them.
const ADDED: usize = 5;

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

/// A head that is complete, and how the answer goes on.
pub(super) fn parse(
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
pub(super) fn keeps(version: Version, headers: &HeaderMap) -> Option<Keeps> {
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
