//! Whether the head of an HTTP/2 request can be served, and what it says in the words of HTTP/1.
//!
//! The `h2` crate has decoded it, and resets streams whose pseudo-headers are incomplete or whose fields HTTP/2 forbids. What two readers
//! could still understand differently is refused here: no authority, or a `Host` that says another one than `:authority` (RFC 9113
//! §8.3.1), userinfo, a `:path` in another form than that of an origin, fields that belong to a connection (§8.2.2), lengths that differ.
//! A fragment cannot be seen: the parser of targets drops it, so that neither a route nor a backend ever gets one.
//!
//! What follows is made for HTTP/1: there the authority is in `Host`, the target is its path alone, and cookies are one line (§8.2.3).

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{Method, Uri};

use super::authority::Authority;
use super::head::{Limits, Refused, is_length};

/// The names that speak of a connection, besides those that the `http` crate has constants for.
const OF_CONNECTIONS: [&str; 2] = ["keep-alive", "proxy-connection"];

/// What HPACK counts for a field besides its name and value (RFC 7541 §4.1).
const OVERHEAD: usize = 32;

/// Checks a head, and turns it into the form in which HTTP/1 would have it.
///
/// # Errors
/// The first reason to refuse it.
pub fn translate(parts: &mut Parts, limits: &Limits) -> Result<(), Refused> {
    if parts.method == Method::CONNECT {
        return Err(Refused::Tunnel);
    }
    if parts.headers.len() > limits.headers {
        return Err(Refused::TooManyHeaders);
    }
    let target_bytes = parts.uri.path_and_query().map(|path| path.as_str().len());
    if target_bytes.is_some_and(|bytes| bytes > limits.target) {
        return Err(Refused::TargetTooLong);
    }
    if length(parts) > limits.bytes {
        return Err(Refused::TooLarge);
    }
    let host = host(parts)?;
    let target = target(parts)?;
    check_fields(&parts.headers)?;
    parts.uri = target;
    parts.headers = with_host_first(std::mem::take(&mut parts.headers), host);
    Ok(())
}

/// The bytes of a head, as both sides count them against the limit (RFC 9113 §6.5.2).
pub fn length(parts: &Parts) -> usize {
    let fields = parts.headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len() + OVERHEAD);
    let authority = parts.uri.authority().map_or(0, |text| text.as_str().len());
    let path = parts
        .uri
        .path_and_query()
        .map_or(0, |text| text.as_str().len());
    fields.sum::<usize>() + parts.method.as_str().len() + authority + path
}

/// The one authority: `:authority`, or `Host` where a client has translated a request from HTTP/1.
fn host(parts: &Parts) -> Result<HeaderValue, Refused> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (written, another) = (hosts.next(), hosts.next());
    let authority = parts.uri.authority().map(|text| text.as_str());
    let host = match (authority, written, another) {
        (_, _, Some(_)) | (None, None, _) => return Err(Refused::Host),
        (Some(authority), None, None) => authority,
        (None, Some(host), None) => host.to_str().map_err(|_| Refused::Host)?,
        (Some(authority), Some(host), None)
            if host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) =>
        {
            authority
        }
        _ => return Err(Refused::Host),
    };
    Authority::parse(host).map_err(|_| Refused::Host)?;
    HeaderValue::from_str(host).map_err(|_| Refused::Host)
}

/// The target in origin form, or the `*` of `OPTIONS`.
fn target(parts: &Parts) -> Result<Uri, Refused> {
    let scheme = parts.uri.scheme_str();
    if scheme.is_some_and(|scheme| scheme != "http" && scheme != "https") {
        return Err(Refused::Target);
    }
    let path = parts.uri.path_and_query().ok_or(Refused::Target)?;
    let is_origin = path.as_str().starts_with('/');
    let is_asterisk = path == "*" && parts.method == Method::OPTIONS;
    let is_visible = path
        .as_str()
        .bytes()
        .all(|byte| byte > b' ' && byte != 0x7f);
    if !(is_origin || is_asterisk) || !is_visible {
        return Err(Refused::Target);
    }
    Ok(Uri::from(path.clone()))
}

fn check_fields(headers: &HeaderMap) -> Result<(), Refused> {
    let is_of_connections = |name: &HeaderName| {
        *name == CONNECTION
            || *name == TRANSFER_ENCODING
            || *name == UPGRADE
            || OF_CONNECTIONS.contains(&name.as_str())
    };
    if headers.keys().any(is_of_connections) {
        return Err(Refused::Field);
    }
    let mut codings = headers.get_all(TE).iter();
    if codings.any(|coding| coding != "trailers") {
        return Err(Refused::Field);
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match lengths.next() {
        Some(length) if !is_length(length.as_bytes()) || lengths.next().is_some() => {
            Err(Refused::Framing)
        }
        _ => Ok(()),
    }
}

/// The fields with `Host` in front, as HTTP/1 would like it (RFC 9110 §7.2), and one line of cookies.
fn with_host_first(mut headers: HeaderMap, host: HeaderValue) -> HeaderMap {
    headers.remove(HOST);
    if let Some(cookies) = joined_cookies(&headers) {
        headers.insert(COOKIE, cookies);
    }
    let mut sorted = HeaderMap::with_capacity(headers.len() + 1);
    sorted.insert(HOST, host);
    sorted.extend(headers);
    sorted
}

/// The lines of cookies as one, where there are several.
fn joined_cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines = headers.get_all(COOKIE).iter();
    let lines: Vec<_> = lines.map(HeaderValue::as_bytes).collect();
    if lines.len() < 2 {
        return None;
    }
    // What was in several values can be in one.
    HeaderValue::from_bytes(&lines.join(&b"; "[..])).ok()
}

#[cfg(test)]
mod tests;
