//! A head as Pingora reads it, and as it goes over the wire.
//!
//! None of this can be called from outside, so it is done here again (pingora-proxy 0.9.1); that nothing is forgotten is what the comparison
//! with a running proxy is for (`tests/e2e/explain`).

use http::Version;
use pingora_core::Result;
use pingora_http::RequestHeader;

use super::explanation::Rewritten;
use crate::decision::Lines;

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

/// What goes over the wire of a head with these lines.
pub(super) fn to_wire(head: &RequestHeader, lines: &Lines<'_>) -> Rewritten {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = lines.iter();
    let headers = headers.map(|(name, value)| (text(name), text(value.as_bytes())));
    Rewritten {
        version: "HTTP/1.1",
        proxy_protocol: None,
        method: head.method.to_string(),
        headers: headers.collect(),
        target: text(head.raw_path()),
    }
}
