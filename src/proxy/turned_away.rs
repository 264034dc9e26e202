//! Requests and clients that the engine never sees, for the access log.
//!
//! A head that cannot be served, a handshake that fails, a proxy in front that does not say who it speaks for: none of them becomes a request,
//! and an operator who is told "your site refuses me" looks for them all the same. Each has one record like any other's, with a word that
//! says why. A client that just goes away before it has said anything, as port scanners and health checks do, has none.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::{Proxy, reply};
use crate::clock::Clock;
use crate::decision::make_request_id;
use crate::observe::access_log::AccessLog;
use crate::observe::record::{Record, Tls};
use crate::runtime::Live;
use crate::semantics::authority::host_for_matching;
use crate::semantics::end::End;
use crate::semantics::head::Refused;
use crate::semantics::path::decode_for_matching;
use crate::semantics::request_line::RequestLine;

/// Why a client or its request was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The head cannot be served.
    Head(Refused),
    /// The head did not come in time.
    HeadTooSlow,
    /// The client went away within a head.
    HeadBrokeOff,
    /// The client speaks HTTP in the clear where TLS is spoken.
    InTheClear,
    /// There was no handshake of TLS.
    NoTls,
    /// There was none in time.
    TlsTooSlow,
    /// There must be a header of the PROXY protocol, and the peer is none of `trusted_proxies`.
    NotTrusted,
    /// There must be one, and there is none.
    NotIntroduced,
    /// It breaks the rules.
    IntroductionMalformed,
    /// It did not come in time.
    IntroductionTooSlow,
    /// The connection breaks the rules of HTTP/2.
    NoHttp2,
    /// The client has asked for too much on HTTP/2 that it did not want.
    Hasty,
}

impl Reason {
    /// What the access log calls it.
    fn word(self) -> &'static str {
        match self {
            Self::Head(Refused::Malformed) => "head_malformed",
            Self::Head(Refused::Host) => "host_malformed",
            Self::Head(Refused::Target) => "target_malformed",
            Self::Head(Refused::Framing) => "framing_malformed",
            Self::Head(Refused::Field) => "field_forbidden",
            Self::Head(Refused::TooLarge) => "head_too_large",
            Self::Head(Refused::TooManyHeaders) => "too_many_headers",
            Self::Head(Refused::TargetTooLong) => "target_too_long",
            Self::Head(Refused::Tunnel) => "tunnel_refused",
            Self::HeadTooSlow => "head_too_slow",
            Self::HeadBrokeOff => "client_closed_request",
            Self::InTheClear => "http_where_tls_is_spoken",
            Self::NoTls => "tls_handshake_failed",
            Self::TlsTooSlow => "tls_handshake_too_slow",
            Self::NotTrusted => "proxy_header_not_trusted",
            Self::NotIntroduced => "proxy_header_missing",
            Self::IntroductionMalformed => "proxy_header_malformed",
            Self::IntroductionTooSlow => "proxy_header_too_slow",
            Self::NoHttp2 => "http2_protocol_error",
            Self::Hasty => "http2_enhance_your_calm",
        }
    }

    /// The status of the answer; none where nothing can be answered. That of a client that has gone is logged and never sent.
    pub(crate) fn status(self) -> Option<StatusCode> {
        match self {
            Self::Head(refused) => Some(refused.status()),
            Self::HeadTooSlow => Some(StatusCode::REQUEST_TIMEOUT),
            Self::HeadBrokeOff => StatusCode::from_u16(499).ok(),
            Self::InTheClear => Some(StatusCode::BAD_REQUEST),
            _ => None,
        }
    }

    /// What a person is told.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Head(Refused::TargetTooLong) => "The request's target is too long.",
            Self::Head(Refused::TooLarge | Refused::TooManyHeaders) => {
                "The request's head is too large."
            }
            Self::Head(Refused::Tunnel) => "This is not a forward proxy: CONNECT is not supported.",
            Self::HeadTooSlow => "The request did not arrive in time.",
            Self::InTheClear => {
                "This port speaks HTTPS, and the request came in the clear; ask with https://."
            }
            _ => "The request is malformed.",
        }
    }
}

/// The connection of whom was turned away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) listener: &'a str,
    pub(crate) local: End,
    pub(crate) peer: End,
    pub(crate) tls: Option<&'a Tls>,
}

/// What is known of the request.
#[derive(Debug, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) line: RequestLine<'a>,
    /// As written; empty where it cannot be read.
    pub(crate) authority: &'a str,
    /// None where they cannot be read.
    pub(crate) headers: Option<&'a HeaderMap>,
    /// Bytes of it that came.
    pub(crate) bytes: u64,
    /// Since the first of them.
    pub(crate) since: Duration,
}

/// What was sent.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) id: Option<HeaderValue>,
    pub(crate) bytes: u64,
    pub(crate) body_bytes: u64,
}

/// Writes these records.
pub(crate) struct Reporter {
    live: Arc<Live>,
    access_log: Arc<AccessLog>,
    clock: Arc<dyn Clock>,
    hostname: String,
}

impl Reporter {
    pub(super) fn new(proxy: &Proxy) -> Self {
        Self {
            live: Arc::clone(&proxy.live),
            access_log: Arc::clone(&proxy.access_log),
            clock: Arc::clone(&proxy.clock),
            hostname: proxy.hostname.clone(),
        }
    }

    /// An id for a request that is turned away.
    pub(crate) fn new_id(&self) -> HeaderValue {
        make_request_id(self.clock.wall())
    }

    /// The header that it is sent in.
    pub(crate) fn id_header(&self) -> http::HeaderName {
        self.live.snapshot().request_id.name.clone()
    }

    /// The answer on HTTP/1, ready for the wire, and what will have been sent with it.
    pub(crate) fn answer(&self, status: StatusCode, sentence: &str) -> (Bytes, Sent) {
        let id = self.new_id();
        let snapshot = self.live.snapshot();
        let name = snapshot.request_id.written.as_str();
        let (answer, body) = reply::refused_head(status, sentence, (name, &id));
        let sent = Sent {
            id: Some(id),
            bytes: answer.len() as u64,
            body_bytes: body as u64,
        };
        (answer, sent)
    }

    /// Writes the record of a request, or of a client that did not get as far as one.
    pub(crate) fn report(&self, origin: Origin<'_>, why: Reason, asked: &Asked<'_>, sent: &Sent) {
        let no_headers = HeaderMap::new();
        let target = std::str::from_utf8(asked.line.target).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let ended = self.clock.wall();
        let id = sent.id.as_ref().and_then(|id| id.to_str().ok());
        if let Some(status) = why.status() {
            log::info!(
                "{}: {} refused: {} ({status}, {}, request {})",
                origin.listener,
                origin.peer,
                why.sentence(),
                why.word(),
                id.unwrap_or("-"),
            );
        }
        self.access_log.write(&Record {
            started: ended.checked_sub(asked.since).unwrap_or(ended),
            duration: asked.since,
            hostname: &self.hostname,
            listener: origin.listener,
            server_port: origin.local.port(),
            tls: origin.tls,
            peer: origin.peer.ip(),
            client: origin.peer.ip(),
            client_port: origin.peer.port(),
            request_id: id.unwrap_or_default(),
            method: asked.line.method.as_ref(),
            target: asked.line.target,
            host: &host_for_matching(asked.authority),
            path: &decode_for_matching(path),
            path_regex: None,
            version: asked.line.version,
            request_headers: asked.headers.unwrap_or(&no_headers),
            request_length: asked.bytes,
            route: None,
            upstream: None,
            attempts: &[],
            upstream_headers: None,
            status: why.status().map(|status| status.as_u16()),
            response_headers: None,
            bytes_sent: sent.bytes,
            body_bytes_sent: sent.body_bytes,
            error: Some(why.word()),
        });
    }
}
