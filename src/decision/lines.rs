//! The header lines of a request on their way to a backend.
//!
//! What the client sent is not copied: a line points to the head it comes from, or is one of ours. There are few, so that going through all
//! of them is cheaper than any map of them; and they are in order without being put back into it.

use bytes::{BufMut, BytesMut};
use http::uri::{self, Authority, Scheme, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Version, header};
use pingora_http::RequestHeader;

use crate::filter::Touched;
use crate::semantics::headers::{Field, Headers};
use crate::semantics::hop_by_hop;

/// Lines that are ours: the request's id, six of `forwarded`, the framing, and one more.
const OWN: usize = 9;

/// Header lines, in order.
#[derive(Debug)]
pub struct Lines<'a> {
    lines: Vec<Line<'a>>,
    /// The headers on which filters have the last word.
    touched: &'a Touched,
}

#[derive(Debug)]
enum Line<'a> {
    Sent {
        name: &'a HeaderName,
        written: &'a [u8],
        value: &'a HeaderValue,
    },
    Own {
        name: HeaderName,
        written: &'a str,
        value: HeaderValue,
    },
}

impl<'a> Lines<'a> {
    /// The lines of `head` that do not end at this hop, in the order in which the client `sent` them; what filters have added comes behind.
    /// Of the upgrades the one to a WebSocket stays if `keeps_upgrade`.
    pub(super) fn of(
        head: &'a RequestHeader,
        sent: &'a RequestHeader,
        keeps_upgrade: bool,
        touched: &'a Touched,
    ) -> Self {
        let mut lines = Vec::with_capacity(head.headers.len() + OWN);
        let keeps_upgrade =
            keeps_upgrade && hop_by_hop::asks_for_websocket(head.version, &head.headers);
        let pairs = head.headers.iter().zip(head.case_header_iter());
        for ((name, value), (written, _)) in pairs {
            if !hop_by_hop::ends_here(name) {
                let written = written.as_slice();
                lines.push(Line::Sent {
                    name,
                    written,
                    value,
                });
            } else if keeps_upgrade && lines.last().is_none_or(|last| last.name() != name) {
                lines.extend(Line::of_upgrade(name));
            }
        }
        let mut lines = Self { lines, touched };
        if !std::ptr::eq(head, sent) {
            lines.put_in_order(sent);
        }
        lines
    }

    /// A filter's change may have moved a line to the place of another.
    fn put_in_order(&mut self, sent: &RequestHeader) {
        let place = |name: &HeaderName| sent.headers.keys().position(|other| other == name);
        self.lines
            .sort_by_key(|line| place(line.name()).unwrap_or(usize::MAX));
    }

    /// The value of the first line of this name.
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let line = self.lines.iter().find(|line| line.name() == name)?;
        Some(line.value())
    }

    /// Says that the body comes in chunks, unless its length is known.
    pub(super) fn frame(&mut self) {
        if self.get(&header::CONTENT_LENGTH).is_none() {
            let line = Line::own(header::TRANSFER_ENCODING, "Transfer-Encoding", "chunked");
            self.lines.push(line);
        }
    }

    /// Names, as they are written, and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &HeaderValue)> {
        self.lines.iter().map(|line| (line.written(), line.value()))
    }

    /// The head of a request with these lines, as HTTP/1 writes it (RFC 9112 §2.1); method and target are those of `head`. None where the
    /// target is none.
    pub fn to_wire(&self, head: &RequestHeader) -> Option<BytesMut> {
        let (method, target) = (head.method.as_str(), head.raw_path());
        if target
            .iter()
            .any(|byte| matches!(byte, 0 | b'\r' | b'\n' | b' '))
        {
            return None;
        }
        let lines = self.iter();
        let length: usize = lines
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        let mut wire = BytesMut::with_capacity(method.len() + target.len() + length + 14);
        wire.put_slice(method.as_bytes());
        wire.put_u8(b' ');
        wire.put_slice(target);
        wire.put_slice(b" HTTP/1.1\r\n");
        for (name, value) in self.iter() {
            wire.put_slice(name);
            wire.put_slice(b": ");
            wire.put_slice(value.as_bytes());
            wire.put_slice(b"\r\n");
        }
        wire.put_slice(b"\r\n");
        Some(wire)
    }

    /// The same head as HTTP/2 has it (RFC 9113 §8.3.1), for a backend that a request calls nothing: then what `fallback` says. None where
    /// the target or the host cannot be one there.
    pub fn to_http2(
        &self,
        head: &RequestHeader,
        scheme: Scheme,
        fallback: impl FnOnce() -> Option<HeaderValue>,
    ) -> Option<Request<()>> {
        let host = self.get(&header::HOST).cloned();
        let authority = host.filter(|host| !host.is_empty()).or_else(fallback)?;
        let target = head.uri.path_and_query();
        let target = target.filter(|target| target.as_str().as_bytes() == head.raw_path())?;
        let mut uri = uri::Parts::default();
        uri.scheme = Some(scheme);
        uri.authority = Some(Authority::try_from(authority.as_bytes()).ok()?);
        uri.path_and_query = Some(target.clone());
        let mut request = Request::new(());
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = Uri::from_parts(uri).ok()?;
        *request.version_mut() = Version::HTTP_2;
        let mut fields = HeaderMap::with_capacity(self.lines.len() + 1);
        let lines = self.lines.iter();
        for line in lines.filter(|line| *line.name() != header::HOST) {
            fields.append(line.name().clone(), line.value().clone());
        }
        // On HTTP/1 no trailers cross; gRPC's servers ask for it.
        if let (Version::HTTP_2, Some(te)) = (head.version, head.headers.get(header::TE)) {
            fields.insert(header::TE, te.clone());
        }
        *request.headers_mut() = fields;
        Some(request)
    }

    /// Makes this the one line of its name.
    pub(super) fn put(&mut self, name: &HeaderName, written: &'a str, value: HeaderValue) {
        if self.touched.contains(name) {
            return;
        }
        // The first line of that name takes it, and the others go.
        let mut value = Some(value);
        self.lines.retain_mut(|line| {
            if line.name() != name {
                return true;
            }
            let Some(value) = value.take() else {
                return false;
            };
            let name = name.clone();
            *line = Line::Own {
                name,
                written,
                value,
            };
            true
        });
        if let Some(value) = value {
            let name = name.clone();
            self.lines.push(Line::Own {
                name,
                written,
                value,
            });
        }
    }
}

impl<'a> Line<'a> {
    fn own(name: HeaderName, written: &'a str, value: &'static str) -> Self {
        Self::Own {
            name,
            written,
            value: HeaderValue::from_static(value),
        }
    }

    /// What an upgrade says under this name, if anything.
    fn of_upgrade(name: &HeaderName) -> Option<Self> {
        match *name {
            header::CONNECTION => Some(Self::own(header::CONNECTION, "Connection", "Upgrade")),
            header::UPGRADE => Some(Self::own(header::UPGRADE, "Upgrade", "websocket")),
            _ => None,
        }
    }

    fn name(&self) -> &HeaderName {
        match self {
            Self::Sent { name, .. } => name,
            Self::Own { name, .. } => name,
        }
    }

    fn written(&self) -> &[u8] {
        match self {
            Self::Sent { written, .. } => written,
            Self::Own { written, .. } => written.as_bytes(),
        }
    }

    fn value(&self) -> &HeaderValue {
        match self {
            Self::Sent { value, .. } => value,
            Self::Own { value, .. } => value,
        }
    }
}

impl<'a> Headers for Lines<'a> {
    fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.lines.iter().map(Line::name)
    }

    fn values<'h>(
        &'h self,
        name: &HeaderName,
    ) -> impl DoubleEndedIterator<Item = &'h HeaderValue> + use<'h, 'a> {
        let name = name.clone();
        let lines = self.lines.iter();
        lines
            .filter(move |line| *line.name() == name)
            .map(Line::value)
    }

    fn set(&mut self, field: &Field, value: HeaderValue) {
        self.put(&field.name, field.written, value);
    }

    fn remove(&mut self, name: &HeaderName) {
        if !self.touched.contains(name) {
            self.lines.retain(|line| line.name() != name);
        }
    }
}
