//! `proxy_protocol` of a listener: whether proxies in front say who a client is, before anything else.

use super::read::{Show, Word};
use super::schema;
use super::word::{show_word, word_of};

/// Whether connections begin with a header of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// None does; one that did would be a malformed request.
    Off,
    /// Those of trusted proxies may.
    Accept,
    /// All do, and all come from trusted proxies.
    Require,
}

const WORDS: &[(&str, ProxyProtocol)] = &[
    ("off", ProxyProtocol::Off),
    ("accept", ProxyProtocol::Accept),
    ("require", ProxyProtocol::Require),
];

impl Word for ProxyProtocol {
    const EXAMPLE: &'static str = "accept";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, WORDS)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(WORDS)
    }
}

impl Show for ProxyProtocol {
    fn show(&self) -> serde_json::Value {
        show_word(self, WORDS)
    }
}
