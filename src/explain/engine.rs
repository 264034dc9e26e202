//! A head as Pingora reads it, and as it goes over the wire.
//!
//! None of this can be called from outside, so it is done here again (pingora-proxy 0.9.1); that nothing is forgotten is what the comparison
//! with a running proxy is for (`tests/e2e/explain`).

use http::{Version, header};
use pingora_core::Result;
use pingora_http::RequestHeader;

use super::explanation::Rewritten;
use crate::decision;

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

/// What goes over the wire of the head that `decision::prepare` has made; `sent` is the client's.
///
/// # Errors
/// None in practice: what is set can be set.
pub(super) fn to_wire(request: &mut RequestHeader, sent: &RequestHeader) -> Result<Rewritten> {
    decision::frame(
        request,
        sent.headers.contains_key(header::TRANSFER_ENCODING),
    )?;
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
