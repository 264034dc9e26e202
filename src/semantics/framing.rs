//! Where one HTTP/1 message ends and the next begins (RFC 9112 §2.1, §6.3).
//!
//! The connection reads a head before the HTTP engine does, and hands the engine exactly one message. For that it must know where the head
//! ends and how long the body is; nothing more. It does not judge: a head that is ambiguous (two lengths, a coding, a number that is none)
//! is handed over as [`RequestBody::Unframed`], and the engine, which parses strictly, refuses or reads it.

/// The bytes after a request's head that belong to the same message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBody {
    /// Nothing follows: what comes next is another request.
    None,
    /// So many bytes follow, at least one.
    Length(u64),
    /// The length is not in the head (chunked), or the head is not clear: everything that comes is handed over.
    Unframed,
}

impl RequestBody {
    /// The most that a read of `wanted` bytes may take, in bytes.
    pub fn at_most(self, wanted: usize) -> usize {
        match self {
            Self::None => 0,
            Self::Length(left) => wanted.min(usize::try_from(left).unwrap_or(usize::MAX)),
            Self::Unframed => wanted,
        }
    }

    /// What is left after `taken` bytes were read.
    pub fn after(self, taken: usize) -> Self {
        match self {
            Self::Length(left) if left > taken as u64 => Self::Length(left - taken as u64),
            Self::Length(_) | Self::None => Self::None,
            Self::Unframed => Self::Unframed,
        }
    }
}

/// Length of the head at the start of `bytes`, with the empty line that ends it; `None` while it is not complete.
pub fn head_length(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// How long the body is that follows `head`.
pub fn request_body(head: &[u8]) -> RequestBody {
    let mut length = None;
    let mut lines = head.split(|byte| *byte == b'\n');
    let request_line = lines.next().unwrap_or_default();
    for line in lines {
        let Some(colon) = memchr::memchr(b':', line) else {
            continue;
        };
        let name = line[..colon].trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = decimal(line[colon + 1..].trim_ascii());
            if value.is_none() || length.is_some_and(|known| Some(known) != value) {
                return RequestBody::Unframed;
            }
            length = value;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding")
            || name.eq_ignore_ascii_case(b"upgrade")
        {
            return RequestBody::Unframed;
        }
    }
    if request_line.starts_with(b"CONNECT ") {
        return RequestBody::Unframed;
    }
    match length {
        None | Some(0) => RequestBody::None,
        Some(length) => RequestBody::Length(length),
    }
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
    fn an_unclear_length_is_left_to_the_engine() {
        for head in [
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: +1",
            "Content-Length: 0x1",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
            "Transfer-Encoding: chunked",
            "Upgrade: websocket",
        ] {
            let head = format!("POST / HTTP/1.1\r\n{head}\r\n\r\n");
            assert_eq!(
                request_body(head.as_bytes()),
                RequestBody::Unframed,
                "{head}"
            );
        }
    }

    #[test]
    fn reads_stop_at_the_end_of_the_message() {
        let body = RequestBody::Length(10);
        assert_eq!(body.at_most(4), 4);
        assert_eq!(body.after(4), RequestBody::Length(6));
        assert_eq!(body.after(4).at_most(64), 6);
        assert_eq!(body.after(10), RequestBody::None);
        assert_eq!(RequestBody::None.at_most(64), 0);
    }
}
