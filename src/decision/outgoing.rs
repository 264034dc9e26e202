//! The request as the backend gets it.
//!
//! Pingora has taken the standard hop-by-hop headers out before this, so what is set here stays.

use http::{HeaderValue, header};
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
