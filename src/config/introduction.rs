//! `proxy_protocol` of an upstream: whether its backends are told, at the start of each connection, whom it is made for.

use super::backend_protocol::BackendProtocol;
use super::read::{Show, Word};
use super::reader::Reader;
use super::schema;
use super::spot::Spot;
use super::word::{show_word, word_of};
use crate::semantics::proxy_protocol::Version;

/// The header that connections to backends begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Introduction(pub(super) Option<Version>);

const WORDS: &[(&str, Introduction)] = &[
    ("off", Introduction(None)),
    ("v1", Introduction(Some(Version::Text))),
    ("v2", Introduction(Some(Version::Binary))),
];

impl Word for Introduction {
    const EXAMPLE: &'static str = "v2";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, WORDS)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(WORDS)
    }
}

impl Show for Introduction {
    fn show(&self) -> serde_json::Value {
        show_word(self, WORDS)
    }
}

impl Spot<Introduction> {
    /// The header, once it is seen to fit to the version of HTTP.
    ///
    /// With `auto` Pingora remembers for each kind of connection which version it came to, without end; here each client's would be one.
    pub(super) fn build(
        self,
        protocol: BackendProtocol,
        reader: &mut Reader<'_>,
    ) -> Option<Version> {
        if let (Some(_), BackendProtocol::Auto, Some(place)) = (self.value.0, protocol, &self.place)
        {
            reader.fault_at(
                place,
                "each client has connections of its own here, for which the version of HTTP cannot be found out anew; \
write `protocol: http1` or `http2`",
            );
        }
        self.value.0
    }
}
