//! The request as the backend gets it.

use http::{HeaderValue, header};
use pingora_http::RequestHeader;

use super::lines::Lines;
use crate::config::WrittenHeader;
use crate::filter::Touched;
use crate::semantics::forwarded::{self, Facts, HostHeader};
use crate::semantics::headers::Headers;
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

/// The lines of a request for a backend: those of `head`, without what the client meant for this hop only, and with the
/// forwarded headers, the request id and, if so configured, the backend's own `Host`.
///
/// `has_body` is for the framing, which over HTTP/2 no line tells. `keeps_upgrade`: an upgrade to a WebSocket may cross.
pub fn lines<'a>(
    head: &'a RequestHeader,
    outgoing: &Outgoing<'a>,
    has_body: bool,
    keeps_upgrade: bool,
) -> Lines<'a> {
    let mut lines = Lines::of(head, outgoing.sent, keeps_upgrade, outgoing.touched);
    edit(&mut lines, outgoing);
    if has_body {
        lines.frame();
    }
    lines
}

fn edit<'a>(headers: &mut Lines<'a>, outgoing: &Outgoing<'a>) {
    let nominations = outgoing.sent.headers.get_all(header::CONNECTION);
    for name in hop_by_hop::nominated(nominations.iter()) {
        if !hop_by_hop::is_hop_by_hop(&name) {
            headers.remove(&name);
        }
    }
    if let Some((header, id)) = outgoing.request_id {
        headers.put(&header.name, &header.written, id.clone());
    }
    forwarded::apply(outgoing.forwarded, &outgoing.facts, headers);
    if outgoing.forwarded.host == HostHeader::Upstream
        && let Some(host) = outgoing.backend.and_then(Backend::host)
    {
        headers.put(&header::HOST, "Host", host);
    }
}
