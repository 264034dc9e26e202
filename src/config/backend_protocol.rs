//! `protocol` of an upstream: which version of HTTP its backends are spoken to in.

use super::diagnostic::Place;
use super::read::{Show, Word};
use super::reader::Reader;
use super::schema;
use super::spot::Spot;
use super::word::{show_word, word_of};

/// The version of HTTP that backends are spoken to in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendProtocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; in the clear without asking first.
    Http2,
    /// What the handshake of TLS comes to.
    Auto,
}

const PROTOCOLS: &[(&str, BackendProtocol)] = &[
    ("http1", BackendProtocol::Http1),
    ("http2", BackendProtocol::Http2),
    ("auto", BackendProtocol::Auto),
];

impl Word for BackendProtocol {
    const EXAMPLE: &'static str = "http2";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, PROTOCOLS)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(PROTOCOLS)
    }
}

impl Show for BackendProtocol {
    fn show(&self) -> serde_json::Value {
        show_word(self, PROTOCOLS)
    }
}

impl Spot<BackendProtocol> {
    /// The protocol, once it is seen to fit to what stands beside it: whether there is TLS, and where `http2_streams` was written.
    pub(super) fn build(
        self,
        has_tls: bool,
        streams: Option<&Place>,
        reader: &mut Reader<'_>,
    ) -> BackendProtocol {
        if let (BackendProtocol::Auto, false, Some(place)) = (self.value, has_tls, &self.place) {
            reader.fault_at(
                place,
                "in the clear there is no handshake in which to agree on one; add `tls`, or write `http1` or `http2`",
            );
        }
        if let (BackendProtocol::Http1, Some(place)) = (self.value, streams) {
            reader.fault_at(
                place,
                "backends are spoken to over HTTP/1, where a connection has one request at a time; \
write `protocol: http2` beside `connections`, or remove this",
            );
        }
        self.value
    }
}
