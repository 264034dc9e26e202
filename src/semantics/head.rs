//! Whether the head of an HTTP/1 request can be served, before any engine reads it.
//!
//! The engine that follows refuses malformed heads too, but answers them in words of its own and tells nobody. So what it would refuse is
//! refused here first, along with what it would accept and a backend might read differently: no `Host` or two (RFC 9112 §3.2), one that is
//! no authority (RFC 9110 §7.2), an absolute target that names another (RFC 9112 §3.2.2), a length beside a transfer coding, differing
//! lengths, any coding but `chunked` (RFC 9112 §6.1, §6.3), a coding in HTTP/1.0. `httparse` does the parsing. `CONNECT` would make this
//! a tunnel, which it is not.

use http::StatusCode;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

use super::authority::Authority;

/// Request line and header lines together, in bytes.
pub const LIMIT: usize = 32 * 1024;

/// Header lines that a request may have.
pub const MAX_HEADERS: usize = 100;

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not HTTP/1, or can be read in two ways.
    Malformed,
    /// It has more than [`MAX_HEADERS`] header lines.
    TooManyHeaders,
    /// It asks for a tunnel.
    Tunnel,
}

impl Refused {
    /// What the client is answered.
    pub fn status(self) -> StatusCode {
        match self {
            Refused::Malformed => StatusCode::BAD_REQUEST,
            Refused::TooManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refused::Tunnel => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

/// Checks a head that is complete up to and with its empty line.
///
/// # Errors
/// The first reason to refuse it.
pub fn check(head: &[u8]) -> Result<(), Refused> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut lines);
    match request.parse(head) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::TooManyHeaders),
        Ok(_) | Err(_) => return Err(Refused::Malformed),
    }
    if request.method == Some("CONNECT") {
        return Err(Refused::Tunnel);
    }
    let is_old = request.version == Some(0);
    let host = host(request.headers, is_old)?;
    check_target(request.path.unwrap_or_default(), host)?;
    check_framing(request.headers, is_old)
}

/// The one `Host`; HTTP/1.0 may leave it out.
fn host<'h>(lines: &[httparse::Header<'h>], is_old: bool) -> Result<Option<&'h str>, Refused> {
    let mut hosts = values(lines, HOST.as_str());
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if is_old => return Ok(None),
        (Some(host), None) => host,
        _ => return Err(Refused::Malformed),
    };
    let host = std::str::from_utf8(host).map_err(|_| Refused::Malformed)?;
    Authority::parse(host).map_err(|_| Refused::Malformed)?;
    Ok(Some(host))
}

/// A target in absolute form must name the same authority as `Host`; one in origin form names none. Visible ASCII and, as browsers and
/// nginx have it, bytes above it; a fragment never leaves a client.
fn check_target(target: &str, host: Option<&str>) -> Result<(), Refused> {
    if target.contains('#') {
        return Err(Refused::Malformed);
    }
    if target.starts_with('/') || target == "*" {
        return Ok(());
    }
    let after_scheme = ["http://", "https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let rest = after_scheme.ok_or(Refused::Malformed)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = &rest[..end];
    Authority::parse(authority).map_err(|_| Refused::Malformed)?;
    match host {
        Some(host) if !host.eq_ignore_ascii_case(authority) => Err(Refused::Malformed),
        _ => Ok(()),
    }
}

fn check_framing(lines: &[httparse::Header<'_>], is_old: bool) -> Result<(), Refused> {
    let mut codings = values(lines, TRANSFER_ENCODING.as_str());
    let mut lengths = values(lines, CONTENT_LENGTH.as_str());
    let length = lengths.next();
    if let Some(coding) = codings.next() {
        let is_chunked = coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
        return if is_chunked && length.is_none() && !is_old {
            Ok(())
        } else {
            Err(Refused::Malformed)
        };
    }
    match length {
        Some(length) if !is_length(length) || lengths.any(|other| other != length) => {
            Err(Refused::Malformed)
        }
        _ => Ok(()),
    }
}

/// Whether this is a `Content-Length` that everybody reads alike.
pub(super) fn is_length(value: &[u8]) -> bool {
    // Nineteen digits always fit into 64 bits.
    (1..=19).contains(&value.len()) && value.iter().all(u8::is_ascii_digit)
}

fn values<'l, 'h>(
    lines: &'l [httparse::Header<'h>],
    name: &'l str,
) -> impl Iterator<Item = &'h [u8]> + use<'l, 'h> {
    lines
        .iter()
        .filter(move |line| line.name.eq_ignore_ascii_case(name))
        .map(|line| line.value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdict(first_line: &str, lines: &[&str]) -> Result<(), Refused> {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        check(format!("{first_line}\r\n{lines}\r\n").as_bytes())
    }

    fn get(lines: &[&str]) -> Result<(), Refused> {
        verdict("GET / HTTP/1.1", lines)
    }

    fn post(lines: &[&str]) -> Result<(), Refused> {
        verdict("POST / HTTP/1.1", &[&["Host: a"], lines].concat())
    }

    const MALFORMED: Result<(), Refused> = Err(Refused::Malformed);

    #[test]
    fn an_ordinary_request_passes() {
        assert_eq!(get(&["Host: example.com:8080", "Accept: */*"]), Ok(()));
        assert_eq!(
            verdict("GET /a?b=%20 HTTP/1.1", &["host: [::1]:80"]),
            Ok(())
        );
        assert_eq!(verdict("OPTIONS * HTTP/1.1", &["Host: a"]), Ok(()));
    }

    #[test]
    fn exactly_one_host_is_needed() {
        assert_eq!(get(&[]), MALFORMED);
        assert_eq!(get(&["Host: a", "Host: a"]), MALFORMED);
        assert_eq!(verdict("GET / HTTP/1.0", &[]), Ok(()));
        assert_eq!(
            verdict("GET / HTTP/1.0", &["Host: a", "host: b"]),
            MALFORMED
        );
    }

    #[test]
    fn the_host_must_be_an_authority() {
        for host in ["", "a b", "user@a", "a/b", "a:99999", "[::1", "a,b\u{7f}"] {
            assert_eq!(get(&[&format!("Host: {host}")]), MALFORMED, "{host:?}");
        }
    }

    #[test]
    fn an_absolute_target_must_agree_with_the_host() {
        assert_eq!(verdict("GET http://a/x HTTP/1.1", &["Host: A"]), Ok(()));
        assert_eq!(verdict("GET http://b/x HTTP/1.1", &["Host: a"]), MALFORMED);
        assert_eq!(verdict("GET http://u@a/ HTTP/1.1", &["Host: a"]), MALFORMED);
        assert_eq!(verdict("GET ftp://a/ HTTP/1.1", &["Host: a"]), MALFORMED);
        assert_eq!(verdict("GET a/b HTTP/1.1", &["Host: a"]), MALFORMED);
        assert_eq!(verdict("GET /a#b HTTP/1.1", &["Host: a"]), MALFORMED);
    }

    #[test]
    fn a_length_that_can_be_read_in_two_ways_is_refused() {
        assert_eq!(post(&["Content-Length: 5"]), Ok(()));
        assert_eq!(post(&["Content-Length: 5", "Content-Length: 5"]), Ok(()));
        assert_eq!(post(&["Content-Length: 5", "Content-Length: 6"]), MALFORMED);
        for length in ["", "+5", "-5", "5, 5", "0x5", "5 5", "99999999999999999999"] {
            assert_eq!(
                post(&[&format!("Content-Length: {length}")]),
                MALFORMED,
                "{length:?}"
            );
        }
    }

    #[test]
    fn a_transfer_coding_is_chunked_alone_and_without_a_length() {
        assert_eq!(post(&["Transfer-Encoding: chunked"]), Ok(()));
        assert_eq!(
            post(&["Transfer-Encoding: chunked", "Content-Length: 5"]),
            MALFORMED
        );
        assert_eq!(
            post(&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
            MALFORMED
        );
        for coding in ["gzip, chunked", "chunked, identity", "xchunked", ""] {
            assert_eq!(
                post(&[&format!("Transfer-Encoding: {coding}")]),
                MALFORMED,
                "{coding:?}"
            );
        }
        let old = verdict("POST / HTTP/1.0", &["Transfer-Encoding: chunked"]);
        assert_eq!(old, MALFORMED);
    }

    #[test]
    fn what_is_not_http_is_refused() {
        assert_eq!(check(b"GARBAGE\r\n\r\n"), MALFORMED);
        assert_eq!(verdict("GET / HTTP/2.0", &["Host: a"]), MALFORMED);
        assert_eq!(verdict("GET /a b HTTP/1.1", &["Host: a"]), MALFORMED);
        assert_eq!(get(&["Host: a", "Name : value"]), MALFORMED);
        assert_eq!(get(&["Host: a", " folded"]), MALFORMED);
        assert_eq!(get(&["Host: a", "x: a\u{0}b"]), MALFORMED);
    }

    #[test]
    fn a_tunnel_and_too_many_headers_have_answers_of_their_own() {
        assert_eq!(
            verdict("CONNECT a:443 HTTP/1.1", &["Host: a:443"]),
            Err(Refused::Tunnel)
        );
        let many = ["x: y"; MAX_HEADERS + 1];
        assert_eq!(get(&many), Err(Refused::TooManyHeaders));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(head in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = check(&head);
        }
    }
}
