//! What can be said of a head that was refused: its first line, as far as that is one.
//!
//! For the logs alone, where an operator looks for who asked for what. Nothing is guessed: a word that stands where a method should stand and
//! is none is left out, and all that follows it (RFC 9112 §3). The head need not be complete.

use http::{Method, Version};

/// So much of a target is told, in bytes: it may be what was too long.
pub const TOLD: usize = 1024;

/// The first line of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestLine<'h> {
    /// Its method.
    pub method: Option<Method>,
    /// The first [`TOLD`] bytes of its target; empty when it has none.
    pub target: &'h [u8],
    /// Its version, when that is one of HTTP/1.
    pub version: Option<Version>,
}

/// Reads the first line of `head`.
pub fn read(head: &[u8]) -> RequestLine<'_> {
    let mut line = RequestLine::default();
    let mut words = first_line(head).split(|byte| *byte == b' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return line;
    };
    line.method = Method::from_bytes(method).ok();
    let (version, another) = (words.next(), words.next());
    // With a space in it, nobody knows where the target ends.
    if line.method.is_none() || another.is_some() {
        return line;
    }
    line.target = &target[..target.len().min(TOLD)];
    line.version = match version {
        Some(b"HTTP/1.1") => Some(Version::HTTP_11),
        Some(b"HTTP/1.0") => Some(Version::HTTP_10),
        _ => None,
    };
    line
}

/// The version of a head that was checked: HTTP/1.0 or HTTP/1.1.
pub fn version(head: &[u8]) -> Version {
    match first_line(head).ends_with(b" HTTP/1.0") {
        true => Version::HTTP_10,
        false => Version::HTTP_11,
    }
}

fn first_line(head: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'\r', b'\n', head).unwrap_or(head.len());
    &head[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(head: &str) -> (String, String, String) {
        let line = read(head.as_bytes());
        (
            line.method.map_or(String::new(), |m| m.to_string()),
            String::from_utf8_lossy(line.target).into_owned(),
            line.version.map_or(String::new(), |v| format!("{v:?}")),
        )
    }

    #[test]
    fn a_line_is_told_as_far_as_it_is_one() {
        for (head, method, target, version) in [
            (
                "GET /a?b HTTP/1.1\r\nHost: a\r\n",
                "GET",
                "/a?b",
                "HTTP/1.1",
            ),
            ("get / HTTP/1.0\n", "get", "/", "HTTP/1.0"),
            ("GET / HTTP/1.2\r\n", "GET", "/", ""),
            ("GET /", "GET", "/", ""),
            ("GET /a b HTTP/1.1\r\n", "GET", "", ""),
            ("GET", "", "", ""),
            ("\u{16}\u{3}\u{1} / HTTP/1.1\r\n", "", "", ""),
            (" / HTTP/1.1\r\n", "", "", ""),
            ("", "", "", ""),
        ] {
            let wanted = (method.to_owned(), target.to_owned(), version.to_owned());
            assert_eq!(told(head), wanted, "{head:?}");
        }
    }

    #[test]
    fn of_a_long_target_the_beginning_is_told() {
        let head = format!("GET /{} HTTP/1.1\r\n", "a".repeat(5000));
        assert_eq!(read(head.as_bytes()).target.len(), TOLD);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(head in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&head);
        }
    }
}
