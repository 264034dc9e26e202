//! The request as the backend gets it, in three steps: [`without_hop_by_hop`], [`prepare`] and [`frame`].
//!
//! For a backend that speaks HTTP/2, and for a request that may end in a tunnel, the first and the last are Pingora's (0.9.1,
//! `proxy_common.rs`), which comes to the same. What `prepare` sets stays.

use http::{HeaderName, HeaderValue, Version, header};
use pingora_core::Result;
use pingora_http::RequestHeader;

use super::headers::{Editable, restore_order};
use crate::config::WrittenHeader;
use crate::filter::Touched;
use crate::semantics::forwarded::{self, Facts, HostHeader};
use crate::semantics::hop_by_hop;
use crate::upstream::Backend;

/// What a backend is to be told.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The head as the client sent it.
    pub sent: &'a RequestHeader,
    /// Whether filters have changed it.
    pub is_changed: bool,
    /// The headers on which filters have the last word.
    pub touched: &'a Touched,
    /// The request's id, and the header that carries it.
    pub request_id: Option<(&'a WrittenHeader, &'a HeaderValue)>,
    /// What of the client the route tells.
    pub forwarded: &'a forwarded::Policy,
    /// Who the client is.
    pub facts: Facts<'a>,
    /// The backend that it goes to.
    pub backend: Option<&'a Backend>,
}

/// Headers that end at this hop, nominated or not, in the order in which Pingora removes them.
const ENDING_HERE: [HeaderName; 10] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// The head of a request for a backend that speaks HTTP/1, before [`prepare`]. Of the upgrades only the one to a WebSocket stays.
///
/// # Errors
/// None in practice: what is set can be set.
pub fn without_hop_by_hop(sent: &RequestHeader) -> Result<RequestHeader> {
    let mut request = sent.clone();
    request.set_version(Version::HTTP_11);
    for name in &ENDING_HERE {
        if request.headers.contains_key(name) {
            request.remove_header(name);
        }
    }
    if hop_by_hop::asks_for_websocket(sent.version, &sent.headers) {
        request.insert_header(header::CONNECTION, "Upgrade")?;
        request.insert_header(header::UPGRADE, "websocket")?;
    }
    Ok(request)
}

/// Says how the body is framed, after [`prepare`]: by its length, or else in chunks.
///
/// # Errors
/// None in practice: what is set can be set.
pub fn frame(request: &mut RequestHeader, has_body: bool) -> Result<()> {
    if has_body && !request.headers.contains_key(header::CONTENT_LENGTH) {
        request.insert_header(header::TRANSFER_ENCODING, "chunked")?;
    }
    Ok(())
}

/// Takes out what the client meant for this hop only; sets the forwarded headers, the request id and, if so configured, the backend's own
/// `Host`.
///
/// # Errors
/// None in practice: every name and value can be a header's.
pub fn prepare(request: &mut RequestHeader, outgoing: &Outgoing<'_>) -> Result<()> {
    let Outgoing { sent, touched, .. } = outgoing;
    for name in hop_by_hop::nominated(sent.headers.get_all(header::CONNECTION).iter()) {
        if !hop_by_hop::is_hop_by_hop(&name) && !touched.contains(&name) {
            request.remove_header(&name);
        }
    }
    let mut has_removed = request.headers.len() < sent.headers.len() || outgoing.is_changed;
    if let Some((header, id)) = outgoing.request_id
        && !touched.contains(&header.name)
    {
        request.insert_header(header.written.clone(), id.clone())?;
    }
    let mut headers = Editable::new(request, touched);
    forwarded::apply(outgoing.forwarded, &outgoing.facts, &mut headers);
    has_removed |= headers.has_removed();
    if outgoing.forwarded.host == HostHeader::Upstream
        && !touched.contains(&header::HOST)
        && let Some(host) = outgoing.backend.and_then(Backend::host)
    {
        request.insert_header("Host", host)?;
    }
    if has_removed {
        restore_order(request, sent)?;
    }
    Ok(())
}
