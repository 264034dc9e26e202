//! Whether the head of an HTTP/1 request can be served, before any engine reads it.
//!
//! The engine that follows refuses malformed heads too, but answers them in words of its own and tells nobody. So what it would refuse is
//! refused here first, along with what it would accept and a backend might read differently: no `Host` or two (RFC 9112 §3.2), one that is
//! no authority (RFC 9110 §7.2), an absolute target that names another (RFC 9112 §3.2.2), a length beside a transfer coding, two
//! lengths, any coding but `chunked` (RFC 9112 §6.1, §6.3), a coding in HTTP/1.0. `httparse` does the parsing. `CONNECT` would make this
//! a tunnel, which it is not.

use std::mem::MaybeUninit;

use http::StatusCode;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};

use super::authority::Authority;

/// Header lines that a request may have at most, whatever its [`Limits`] are: the engine takes no more.
pub const MOST_HEADERS: usize = 256;

/// What a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request line and header lines together, in bytes.
    pub bytes: usize,
    /// Header lines.
    pub headers: usize,
    /// The request's target, in bytes.
    pub target: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 32 * 1024,
            headers: 100,
            target: 16 * 1024,
        }
    }
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not HTTP/1.
    Malformed,
    /// It has no `Host`, or two, or one that is none.
    Host,
    /// Its target is none, or contradicts its `Host`.
    Target,
    /// Where its body ends can be read in two ways.
    Framing,
    /// It has a field that its version of HTTP forbids.
    Field,
    /// It has more bytes than [`Limits::bytes`].
    TooLarge,
    /// It has more header lines than [`Limits::headers`].
    TooManyHeaders,
    /// Its target is longer than [`Limits::target`].
    TargetTooLong,
    /// It asks for a tunnel.
    Tunnel,
}

impl Refused {
    /// What the client is answered.
    pub fn status(self) -> StatusCode {
        match self {
            Refused::Malformed
            | Refused::Host
            | Refused::Target
            | Refused::Framing
            | Refused::Field => StatusCode::BAD_REQUEST,
            Refused::TooLarge | Refused::TooManyHeaders => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Refused::TargetTooLong => StatusCode::URI_TOO_LONG,
            Refused::Tunnel => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

/// Checks a head that is complete up to and with its empty line.
///
/// # Errors
/// The first reason to refuse it.
pub fn check(head: &[u8], limits: &Limits) -> Result<(), Refused> {
    if head.len() > limits.bytes {
        return Err(too_large(head, limits));
    }
    if !begins_and_ends_lines_well(head) {
        return Err(Refused::Malformed);
    }
    let mut lines = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let lines = &mut lines[..limits.headers.min(MOST_HEADERS)];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, lines) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::TooManyHeaders),
        Ok(_) | Err(_) => return Err(Refused::Malformed),
    }
    if request
        .path
        .is_some_and(|target| target.len() > limits.target)
    {
        return Err(Refused::TargetTooLong);
    }
    if request.method == Some("CONNECT") {
        return Err(Refused::Tunnel);
    }
    let is_old = request.version == Some(0);
    let host = host(request.headers, is_old)?;
    check_target(&request, host)?;
    check_framing(request.headers, is_old)
}

/// Whether the first byte is one of a method, and no line ends with a bare LF: the parser passes over the one and takes the other, as not
/// everybody does (RFC 9112 §2.2).
fn begins_and_ends_lines_well(head: &[u8]) -> bool {
    head.first().is_some_and(u8::is_ascii_graphic)
        && memchr::memchr_iter(b'\n', head).all(|at| at > 0 && head[at - 1] == b'\r')
}

/// What is wrong with a head of which more than [`Limits::bytes`] have come: its target, or the rest of it. It need not be complete.
pub fn too_large(head: &[u8], limits: &Limits) -> Refused {
    let line = head.split(|byte| *byte == b'\r').next();
    let mut words = line.unwrap_or_default().split(|byte| *byte == b' ');
    match words.nth(1) {
        Some(target) if target.len() > limits.target => Refused::TargetTooLong,
        _ => Refused::TooLarge,
    }
}

/// The one `Host`; HTTP/1.0 may leave it out.
fn host<'h>(lines: &[httparse::Header<'h>], is_old: bool) -> Result<Option<&'h str>, Refused> {
    let mut hosts = values(lines, HOST.as_str());
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if is_old => return Ok(None),
        (Some(host), None) => host,
        _ => return Err(Refused::Host),
    };
    let host = std::str::from_utf8(host).map_err(|_| Refused::Host)?;
    Authority::parse(host).map_err(|_| Refused::Host)?;
    Ok(Some(host))
}

/// A target in absolute form must name the same authority as `Host`; one in origin form names none. Visible ASCII and, as browsers and
/// nginx have it, bytes above it; a fragment never leaves a client.
fn check_target(request: &httparse::Request<'_, '_>, host: Option<&str>) -> Result<(), Refused> {
    let target = request.path.unwrap_or_default();
    if target.contains('#') {
        return Err(Refused::Target);
    }
    let is_of_the_server = target == "*" && request.method == Some("OPTIONS");
    if target.starts_with('/') || is_of_the_server {
        return Ok(());
    }
    let (authority, _) = absolute(target).ok_or(Refused::Target)?;
    Authority::parse(authority).map_err(|_| Refused::Target)?;
    match host {
        Some(host) if !host.eq_ignore_ascii_case(authority) => Err(Refused::Target),
        _ => Ok(()),
    }
}

/// Authority and rest of a target in absolute form.
fn absolute(target: &str) -> Option<(&str, &str)> {
    let rest = ["http://", "https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    Some(rest.split_at(end))
}

/// A head that was [checked](check) with its target in the form that every server and every filter knows, where it had an absolute one; none
/// where it has that form already. `OPTIONS` without a path asks for the server itself (RFC 9112 §3.2.4), and the authority becomes a `Host`
/// where HTTP/1.0 had none.
pub fn in_origin_form(head: &[u8]) -> Option<Vec<u8>> {
    let (method, rest) = head.split_at(memchr::memchr(b' ', head)?);
    if matches!(rest, [_, b'/', ..]) {
        return None;
    }
    let line = memchr::memmem::find(rest, b"\r\n")?;
    let (words, lines) = rest.split_at(line);
    let (target, version) = std::str::from_utf8(words).ok()?[1..].split_once(' ')?;
    let (authority, rest) = absolute(target)?;
    let target = match rest {
        "" if method == b"OPTIONS" => "*".to_owned(),
        _ if rest.starts_with('/') => rest.to_owned(),
        _ => format!("/{rest}"),
    };
    let has_host = memchr::memchr_iter(b'\n', lines).any(|at| {
        let name = lines.get(at + 1..at + 6).unwrap_or_default();
        name.eq_ignore_ascii_case(b"host:")
    });
    let host = match has_host {
        true => String::new(),
        false => format!("\r\nHost: {authority}"),
    };
    let line = format!(" {target} {version}{host}");
    Some([method, line.as_bytes(), lines].concat())
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
            Err(Refused::Framing)
        };
    }
    match length {
        Some(length) if !is_length(length) || lengths.next().is_some() => Err(Refused::Framing),
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
mod tests;
