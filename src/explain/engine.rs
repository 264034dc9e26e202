//! What Pingora does to a head between our phases.
//!
//! It reads the head, takes the standard hop-by-hop headers out before `decision::prepare`, and sees to framing and authority after it.
//! None of this can be called from outside, so it is done here again in the same order (pingora-proxy 0.9.1, `proxy_h1.rs` and
//! `proxy_common.rs`); that nothing is forgotten is what the comparison with a running proxy is for (`tests/e2e/explain`).

use http::{Version, header};
use pingora_core::Result;
use pingora_http::RequestHeader;

use super::explanation::Rewritten;
use crate::semantics::hop_by_hop;

/// Hop-by-hop headers, in the order in which Pingora removes them.
const ENDING_HERE: [&str; 10] = [
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "connection",
    "upgrade",
    "http2-settings",
];

/// A head that was checked, as Pingora has it.
///
/// # Errors
/// Pingora would refuse it.
pub(super) fn read(head: &[u8]) -> Result<RequestHeader> {
    let mut lines = [httparse::EMPTY_HEADER; crate::semantics::head::MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut lines);
    // It was checked by the same parser.
    let _ = parsed.parse(head);
    let target = parsed.path.unwrap_or_default().as_bytes();
    let method = parsed.method.unwrap_or_default();
    let mut request = RequestHeader::build(method, target, Some(parsed.headers.len()))?;
    request.set_version(match parsed.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    });
    for line in parsed.headers.iter() {
        request.append_header(line.name.to_owned(), line.value)?;
    }
    Ok(request)
}

/// The head that `decision::prepare` is given.
///
/// # Errors
/// None in practice: what is set can be set.
pub(super) fn without_hop_by_hop(request: &RequestHeader) -> Result<RequestHeader> {
    let mut cleaned = request.clone();
    cleaned.set_version(Version::HTTP_11);
    let is_websocket = hop_by_hop::asks_for_websocket(request.version, &request.headers);
    for name in ENDING_HERE {
        cleaned.remove_header(name);
    }
    if is_websocket {
        cleaned.insert_header(header::CONNECTION, "Upgrade")?;
        cleaned.insert_header(header::UPGRADE, "websocket")?;
    }
    Ok(cleaned)
}

/// What goes over the wire of the head that `decision::prepare` has made; `sent` is the client's.
///
/// # Errors
/// None in practice: what is set can be set.
pub(super) fn to_wire(request: &mut RequestHeader, sent: &RequestHeader) -> Result<Rewritten> {
    let is_chunked = sent.headers.contains_key(header::TRANSFER_ENCODING);
    if is_chunked && !request.headers.contains_key(header::CONTENT_LENGTH) {
        request.insert_header(header::TRANSFER_ENCODING, "chunked")?;
    }
    let host = request.headers.get(header::HOST);
    let host = host.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    let headers = request.case_header_iter().map(|(name, value)| {
        (
            String::from_utf8_lossy(name.as_slice()).into_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    Ok(Rewritten {
        version: "HTTP/1.1",
        proxy_protocol: None,
        method: request.method.to_string(),
        headers: headers.collect(),
        target: with_authority(
            &String::from_utf8_lossy(request.raw_path()),
            host.as_deref(),
        ),
    })
}

/// A target in absolute form names the same authority as `Host`.
fn with_authority(target: &str, host: Option<&str>) -> String {
    let absolute = target
        .split_once("://")
        .filter(|_| !target.starts_with('/'));
    let (Some((scheme, rest)), Some(host)) = (absolute, host) else {
        return target.to_owned();
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    format!("{scheme}://{host}{}", &rest[end..])
}
