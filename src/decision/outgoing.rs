//! The request as the backend gets it.
//!
//! One set of edits, on two forms of a head: for a backend that speaks HTTP/1 on [`Lines`], which is all that it is sent ([`lines`]); for one
//! that speaks HTTP/2 on Pingora's head ([`prepare`]), before and after which Pingora sees to what its version of HTTP asks for.

use http::{HeaderName, HeaderValue, header};
use pingora_core::Result;
use pingora_http::RequestHeader;

use super::headers::{Editable, restore_order};
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

/// Header lines that go to a backend; `'a` is how long what is written of names is there.
pub(super) trait Outbound<'a>: Headers {
    /// Makes this the one line of its name.
    fn put(&mut self, name: &HeaderName, written: &'a str, value: HeaderValue);
}

/// The lines of a request for a backend that speaks HTTP/1: those of `head`, without what the client meant for this hop only, and with the
/// forwarded headers, the request id and, if so configured, the backend's own `Host`.
///
/// `has_body` is for the framing. `keeps_upgrade`: an upgrade to a WebSocket may cross.
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

/// The same for a backend that speaks HTTP/2, in the head that Pingora has made for it.
///
/// # Errors
/// None in practice: every name and value can be a header's.
pub fn prepare(request: &mut RequestHeader, outgoing: &Outgoing<'_>) -> Result<()> {
    let sent = outgoing.sent;
    let mut has_removed = request.headers.len() < sent.headers.len() || outgoing.is_changed;
    let mut headers = Editable::new(request, outgoing.touched);
    edit(&mut headers, outgoing);
    has_removed |= headers.has_removed();
    if has_removed {
        restore_order(request, sent)?;
    }
    Ok(())
}

fn edit<'a>(headers: &mut impl Outbound<'a>, outgoing: &Outgoing<'a>) {
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
