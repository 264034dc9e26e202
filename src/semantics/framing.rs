//! Where one HTTP/1 message ends and the next begins (RFC 9112 §2.1, §6.3).
//!
//! The connection reads a head before the HTTP engine does, and hands the engine exactly one message. For that it must know where the head
//! ends and how long the body is; nothing more. It does not judge, which [`super::head`] does before: a length that is none makes the body
//! [`RequestBody::Malformed`]. A request that asks for an upgrade is framed like any other, until the answer says that there is one (RFC 9110
//! §7.8).

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::chunked::Chunked;

/// The bytes after a request's head that belong to the same message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBody {
    /// Nothing follows: what comes next is another request.
    None,
    /// So many bytes follow, at least one.
    Length(u64),
    /// Chunks follow, up to the last one.
    Chunked(Chunked),
    /// Nobody can say what belongs to it: the head is not clear, or a byte among the chunks is out of place.
    Malformed,
}

impl RequestBody {
    /// How many of `bytes` belong to the message.
    pub fn take(&mut self, bytes: &[u8]) -> usize {
        match *self {
            Self::None | Self::Malformed => 0,
            Self::Length(left) => {
                let taken = left.min(bytes.len() as u64);
                *self = match left - taken {
                    0 => Self::None,
                    left => Self::Length(left),
                };
                usize::try_from(taken).unwrap_or(bytes.len())
            }
            Self::Chunked(walk) => {
                let (taken, next) = match walk.advance(bytes) {
                    Some((taken, walk)) if walk.is_complete() => (taken, Self::None),
                    Some((taken, walk)) => (taken, Self::Chunked(walk)),
                    None => (0, Self::Malformed),
                };
                *self = next;
                taken
            }
        }
    }

    /// Whether any `wanted` bytes that come next belong to the message, so that they need not be looked at.
    pub fn covers(self, wanted: usize) -> bool {
        match self {
            Self::Length(left) => left >= wanted as u64,
            Self::None | Self::Chunked(_) | Self::Malformed => false,
        }
    }
}

/// What ends a head. To get ready to look for it costs twice as much as to find it.
static END_OF_HEAD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));

/// Length of the head at the start of `bytes`, with the empty line that ends it; `None` while it is not complete.
pub fn head_length(bytes: &[u8]) -> Option<usize> {
    END_OF_HEAD.find(bytes).map(|at| at + 4)
}

/// How long the body is that follows `head`.
pub fn request_body(head: &[u8]) -> RequestBody {
    let mut length = None;
    let mut is_chunked = false;
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else {
            continue;
        };
        let name = line[..colon].trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = decimal(line[colon + 1..].trim_ascii());
            if value.is_none() || length.is_some_and(|known| Some(known) != value) {
                return RequestBody::Malformed;
            }
            length = value;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            is_chunked = true;
        }
    }
    match length {
        _ if is_chunked => RequestBody::Chunked(Chunked::default()),
        None | Some(0) => RequestBody::None,
        Some(length) => RequestBody::Length(length),
    }
}

/// Whether an answer with these `Transfer-Encoding` lines is plain or chunked, and nothing besides. A proxy must be able to undo what it
/// takes in (RFC 9112 §6.1): an HTTP/1.0 client knows no codings at all.
pub fn is_plain_or_chunked<'c>(mut codings: impl Iterator<Item = &'c [u8]>) -> bool {
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.trim_ascii().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

/// Whether these `Content-Length` lines, if there are any, are one length that everybody reads alike.
pub fn is_one_length<'l>(mut lengths: impl Iterator<Item = &'l [u8]>) -> bool {
    lengths.next().is_none_or(|first| {
        super::head::is_length(first.trim_ascii()) && lengths.all(|other| other == first)
    })
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_plain_or_chunked_alone() {
        let holds =
            |codings: &[&str]| is_plain_or_chunked(codings.iter().map(|coding| coding.as_bytes()));
        assert!(holds(&[]) && holds(&["chunked"]) && holds(&[" Chunked "]));
        for codings in [
            &["gzip, chunked"][..],
            &["chunked, gzip"],
            &["identity"],
            &["chunked", "chunked"],
            &["gzip", "chunked"],
            &[""],
        ] {
            assert!(!holds(codings), "{codings:?}");
        }
    }

    #[test]
    fn an_answer_has_one_length() {
        let holds =
            |lengths: &[&str]| is_one_length(lengths.iter().map(|length| length.as_bytes()));
        assert!(holds(&[]) && holds(&["5"]) && holds(&["5", "5"]));
        for lengths in [&["5, 5"][..], &["5", "6"], &["+5"], &[""], &["5", "05"]] {
            assert!(!holds(lengths), "{lengths:?}");
        }
    }

    #[test]
    fn a_head_ends_with_its_empty_line() {
        assert_eq!(
            head_length(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET"),
            Some(27)
        );
        assert_eq!(head_length(b"GET / HTTP/1.1\r\nHost: a\r\n"), None);
    }

    #[test]
    fn a_request_without_a_length_has_no_body() {
        assert_eq!(
            request_body(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            RequestBody::None
        );
    }

    #[test]
    fn a_length_is_read_in_any_case_and_spacing() {
        assert_eq!(
            request_body(b"POST / HTTP/1.1\r\ncontent-LENGTH:  12 \r\n\r\n"),
            RequestBody::Length(12)
        );
    }

    #[test]
    fn with_an_unclear_length_nothing_is_read() {
        for head in [
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: +1",
            "Content-Length: 0x1",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
        ] {
            let head = format!("POST / HTTP/1.1\r\n{head}\r\n\r\n");
            assert_eq!(
                request_body(head.as_bytes()),
                RequestBody::Malformed,
                "{head}"
            );
        }
    }

    #[test]
    fn a_chunked_body_is_followed_to_its_end() {
        let mut body = request_body(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(body.take(b"1\r\na\r\n"), 6);
        assert_eq!(body.take(b"0\r\n\r\nGET"), 5);
        assert_eq!(body, RequestBody::None);
    }

    #[test]
    fn reads_stop_at_the_end_of_the_message() {
        let mut body = RequestBody::Length(10);
        assert!(body.covers(10) && !body.covers(11));
        assert_eq!(body.take(b"0123"), 4);
        assert_eq!(body, RequestBody::Length(6));
        assert_eq!(body.take(b"456789GET /"), 6);
        assert_eq!(body, RequestBody::None);
        assert_eq!(body.take(b"GET /"), 0);
    }
}
