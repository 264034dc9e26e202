//! Headers that end at this hop.
//!
//! A proxy takes out what speaks about one connection only: the fields below, and those that the sender names in
//! `Connection` (RFC 9110 §7.6.1; `Keep-Alive` RFC 2068 §19.7.1; `Proxy-Connection` RFC 9112 appendix C.2.2).
//! `Trailer` is among them because trailers do not cross either (RFC 9110 §6.5.1). In answers `Proxy-Authenticate` passes: RFC 9110 §11.7 lets
//! a proxy relay it, and nothing here consumes it.
//!
//! A sender may not nominate what is meant for all recipients (§7.6.1), and a client that does wants to strip
//! `Cookie`, `Host` or `X-Forwarded-For` off its request before the backend sees it. Such nominations are ignored:
//! the header stays.

use http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, COOKIE, DATE, ETAG, EXPECT,
    EXPIRES, FORWARDED, HOST, LAST_MODIFIED, LOCATION, MAX_FORWARDS, ORIGIN, PRAGMA,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RANGE, REFERER, RETRY_AFTER, SERVER, SET_COOKIE,
    STRICT_TRANSPORT_SECURITY, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT, VARY, VIA,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

/// Whether a header ends at every hop, nominated or not.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// The same of a name that was not looked up, in any spelling.
pub fn is_hop_by_hop_name(name: &str) -> bool {
    HOP_BY_HOP
        .iter()
        .any(|other| other.as_str().eq_ignore_ascii_case(name))
}

/// Whether a line of `Connection` has no option but those for the connection itself.
pub fn nominates_nothing(line: &[u8]) -> bool {
    options(line).all(is_of_connection)
}

/// Whether a header of a request goes no further than to us, nominated or not: besides the others, what is said to proxies about
/// themselves, and what is said of HTTP/2 in an upgrade to it (RFC 7540 §3.2.1).
pub fn ends_here(name: &HeaderName) -> bool {
    is_hop_by_hop(name) || TO_PROXIES.contains(name)
}

/// The headers that `Connection` lines nominate, in order. Options that are no header or go anyway (`close`,
/// `keep-alive`), names that HTTP does not allow and headers meant for all recipients are passed over.
pub fn nominated<'a>(
    connection: impl Iterator<Item = &'a HeaderValue>,
) -> impl Iterator<Item = HeaderName> {
    connection
        .flat_map(|line| options(line.as_bytes()))
        .filter(|option| !is_of_connection(option))
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .filter(|name| !is_end_to_end(name))
}

/// The names that are there and must not cross, each once. Nothing is allocated when there are none.
///
/// Those of them that are `kept` are somebody else's to replace.
pub fn to_remove(headers: &HeaderMap, kept: &[HeaderName]) -> Vec<HeaderName> {
    let names = headers.keys();
    let names = names.filter(|name| is_hop_by_hop(name) && !kept.contains(name));
    let mut names: Vec<HeaderName> = names.cloned().collect();
    for name in nominated(headers.get_all(CONNECTION).iter()) {
        if headers.contains_key(&name) && !is_hop_by_hop(&name) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Whether a request asks to become a WebSocket and nothing else (RFC 6455 §4.2.1).
///
/// Any other protocol in `Upgrade` makes it false: a backend that is allowed to switch to `h2c` would leave every
/// rule of the proxy behind. So does a body: a WebSocket's request has none, and what comes behind the head is then
/// the new protocol's. The request goes on as one that asks for nothing (RFC 9110 §7.8).
pub fn asks_for_websocket(version: Version, headers: &HeaderMap) -> bool {
    // Nearly every request ends here.
    if version != Version::HTTP_11 || !headers.contains_key(UPGRADE) {
        return false;
    }
    let connection = headers.get_all(CONNECTION).iter();
    let mut connection = connection.flat_map(|line| options(line.as_bytes()));
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    is_websocket_or_nothing(headers)
        && connection.any(|option| option.eq_ignore_ascii_case(b"upgrade"))
        && !headers.contains_key(TRANSFER_ENCODING)
        && lengths.all(|length| length.as_bytes() == b"0")
}

/// Whether `Upgrade` names no other protocol than a WebSocket's.
pub fn is_websocket_or_nothing(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(UPGRADE).iter();
    protocols.all(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

const TO_PROXIES: [HeaderName; 3] = [
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("http2-settings"),
];

/// Meant for all recipients, or written by us: no `Connection` takes these away.
const END_TO_END: [HeaderName; 27] = [
    AGE,
    AUTHORIZATION,
    CACHE_CONTROL,
    COOKIE,
    DATE,
    ETAG,
    EXPECT,
    EXPIRES,
    FORWARDED,
    HOST,
    LAST_MODIFIED,
    LOCATION,
    MAX_FORWARDS,
    ORIGIN,
    PRAGMA,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    RANGE,
    REFERER,
    RETRY_AFTER,
    SERVER,
    SET_COOKIE,
    STRICT_TRANSPORT_SECURITY,
    USER_AGENT,
    VARY,
    VIA,
    WWW_AUTHENTICATE,
];

/// Families of the same kind.
const END_TO_END_PREFIXES: [&str; 8] = [
    "accept",
    "access-control-",
    "content-",
    "if-",
    "sec-",
    "x-forwarded-",
    "x-real-ip",
    "x-request-id",
];

fn is_end_to_end(name: &HeaderName) -> bool {
    let text = name.as_str();
    END_TO_END.contains(name)
        || END_TO_END_PREFIXES
            .iter()
            .any(|prefix| text.starts_with(prefix))
}

/// What `Connection` says of the connection, and not of a header.
fn is_of_connection(option: &[u8]) -> bool {
    option.eq_ignore_ascii_case(b"close") || option.eq_ignore_ascii_case(b"keep-alive")
}

/// The members of a comma-separated line, without empty ones.
fn options(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|option| !option.is_empty())
}

#[cfg(test)]
mod tests;
