//! Whether a backend's answer can be read, and in one way only (RFC 9112 §4, §5, §6.3).
//!
//! A backend is trusted no more than a client is: what two readers could understand differently is not passed on. So lines end with CRLF
//! and are not folded, no space stands before a colon, and a body is framed by one length or by chunks, never by both. `httparse` does the
//! parsing of the head.

use std::fmt;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use super::chunked::Chunked;
use super::framing::{is_one_length, is_plain_or_chunked};

/// What the head of an answer may have, in bytes.
pub const MOST_HEAD: usize = 1024 * 1024;

/// Header lines that an answer may have.
pub const MOST_HEADERS: usize = 256;

/// What every answer begins with.
const START: &[u8] = b"HTTP/1.";

/// Why an answer cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A line does not end with CRLF.
    LineEnd,
    /// The parser says so.
    Head(httparse::Error),
    /// It has more than [`MOST_HEAD`].
    TooLarge,
    /// Where its body ends can be read in two ways.
    Framing(&'static str),
    /// A byte among the chunks is out of place.
    Chunks,
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineEnd => out.write_str("a line of its head does not end with CRLF"),
            Self::Head(error) => write!(out, "its head cannot be read: {error}"),
            Self::TooLarge => out.write_str("its head is too large"),
            Self::Framing(why) => out.write_str(why),
            Self::Chunks => out.write_str("its chunks cannot be read"),
        }
    }
}

/// What belongs to an answer behind its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// Nothing.
    None,
    /// So many bytes, at least one.
    Length(u64),
    /// Chunks, up to the last one.
    Chunked(Chunked),
    /// All that comes before the connection ends.
    UntilClose,
}

/// The length of the head that `bytes` begin with, and of the empty line behind it; `None` while it is not complete. Of it, so many bytes
/// were looked at before.
///
/// # Errors
/// A line ends otherwise than with CRLF, or it does not begin as an answer does.
pub fn head_length(bytes: &[u8], looked_at: usize) -> Result<Option<usize>, Malformed> {
    // What is no answer at all may never have a line's end.
    if !bytes.starts_with(&START[..START.len().min(bytes.len())]) {
        return Err(Malformed::Head(httparse::Error::Version));
    }
    for at in memchr::memchr_iter(b'\n', &bytes[looked_at..]) {
        let line = &bytes[..looked_at + at];
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(Malformed::LineEnd);
        };
        if line.is_empty() || line.ends_with(b"\n") {
            return Ok(Some(line.len() + 2));
        }
    }
    Ok(None)
}

/// How an answer goes on behind a head with these lines. `is_old` is HTTP/1.0, which knows no transfer coding.
///
/// # Errors
/// It can be read in two ways.
pub fn body(
    status: u16,
    answers_head: bool,
    is_old: bool,
    lines: &[httparse::Header<'_>],
) -> Result<AnswerBody, Malformed> {
    // An interim answer is over with its head, whatever it says (RFC 9110 §15.2).
    if status < 200 {
        return Ok(AnswerBody::None);
    }
    let values = |name: &'static str| {
        let lines = lines.iter();
        let lines = lines.filter(move |line| line.name.eq_ignore_ascii_case(name));
        lines.map(|line| line.value)
    };
    let codings = || values(TRANSFER_ENCODING.as_str());
    let lengths = || values(CONTENT_LENGTH.as_str());
    let is_chunked = codings().next().is_some();
    let length = lengths().next();
    let why = if is_chunked && !is_plain_or_chunked(codings()) {
        Some("its transfer coding is not chunked")
    } else if is_chunked && is_old {
        Some("it has a transfer coding, which HTTP/1.0 does not know")
    } else if is_chunked && length.is_some() {
        Some("it has both a length and a transfer coding")
    } else if !is_one_length(lengths()) {
        Some("its length can be read in two ways")
    } else {
        None
    };
    if let Some(why) = why {
        return Err(Malformed::Framing(why));
    }
    if answers_head || matches!(status, 204 | 304) {
        return Ok(AnswerBody::None);
    }
    if is_chunked {
        return Ok(AnswerBody::Chunked(Chunked::default()));
    }
    let Some(length) = length else {
        return Ok(AnswerBody::UntilClose);
    };
    match std::str::from_utf8(length.trim_ascii()).map(str::parse) {
        Ok(Ok(0)) => Ok(AnswerBody::None),
        Ok(Ok(length)) => Ok(AnswerBody::Length(length)),
        _ => Err(Malformed::Framing("its length is none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(status: u16, lines: &[(&str, &str)]) -> Result<AnswerBody, Malformed> {
        let lines: Vec<_> = lines
            .iter()
            .map(|(name, value)| httparse::Header {
                name,
                value: value.as_bytes(),
            })
            .collect();
        body(status, false, false, &lines)
    }

    #[test]
    fn a_head_ends_with_its_empty_line_and_its_lines_with_crlf() {
        let head = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nbody";
        assert_eq!(head_length(head, 0), Ok(Some(25)));
        for looked_at in 0..25 {
            assert_eq!(head_length(head, looked_at), Ok(Some(25)));
            assert_eq!(head_length(&head[..looked_at], 0), Ok(None));
        }
        for head in ["HTTP/1.1 200 OK\n", "HTTP/1.1 200 OK\r\nX: y\n\n"] {
            assert_eq!(head_length(head.as_bytes(), 0), Err(Malformed::LineEnd));
        }
    }

    #[test]
    fn what_begins_otherwise_is_no_answer_however_little_of_it_has_come() {
        for head in ["\x15\x03", "220", "\r\nHTTP/1.1 200 OK", "HTTP/2", "h"] {
            assert!(head_length(head.as_bytes(), 0).is_err(), "{head:?}");
        }
        assert_eq!(head_length(b"HTT", 0), Ok(None));
    }

    #[test]
    fn a_body_is_framed_in_one_way() {
        assert_eq!(framed(200, &[]), Ok(AnswerBody::UntilClose));
        assert_eq!(
            framed(200, &[("content-length", "5")]),
            Ok(AnswerBody::Length(5))
        );
        assert_eq!(
            framed(200, &[("Content-Length", " 0 ")]),
            Ok(AnswerBody::None)
        );
        assert_eq!(
            framed(200, &[("Transfer-Encoding", "chunked")]),
            Ok(AnswerBody::Chunked(Chunked::default()))
        );
        for lines in [
            &[("Content-Length", "5"), ("Transfer-Encoding", "chunked")][..],
            &[("Transfer-Encoding", "chunked"), ("Content-Length", "0")],
            &[("Content-Length", "5"), ("Content-Length", "6")],
            &[("Content-Length", "99999999999999999999")],
            &[("Transfer-Encoding", "gzip")],
        ] {
            assert!(matches!(framed(200, lines), Err(Malformed::Framing(_))));
            assert!(matches!(framed(204, lines), Err(Malformed::Framing(_))));
        }
        let old = [httparse::Header {
            name: "Transfer-Encoding",
            value: b"chunked",
        }];
        assert!(body(200, false, true, &old).is_err());
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        let length = [("Content-Length", "5")];
        for status in [100, 103, 204, 304] {
            assert_eq!(framed(status, &length), Ok(AnswerBody::None));
        }
        let length = [httparse::Header {
            name: "Content-Length",
            value: b"5",
        }];
        assert_eq!(body(200, true, false, &length), Ok(AnswerBody::None));
    }
}
