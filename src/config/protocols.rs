//! `protocols` of a listener: which versions of HTTP its clients may speak.

use super::collection::AtLeastOne;
use super::read::{Read, Show, Word};
use super::reader::Reader;
use super::schema;
use super::spot::Spot;
use super::tree::Tree;
use super::word::{show_word, word_of};
use serde_json::json;

/// The versions of HTTP that are spoken; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// HTTP/1.0 and 1.1.
    pub http1: bool,
    /// HTTP/2: agreed on in the handshake of TLS, and in the clear by clients that know of it.
    pub http2: bool,
}

impl Default for Protocols {
    fn default() -> Self {
        Protocols {
            http1: true,
            http2: true,
        }
    }
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

const PROTOCOLS: &[(&str, Protocol)] = &[("http1", Protocol::Http1), ("http2", Protocol::Http2)];

impl Read for Protocols {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let mut read = Protocols {
            http1: false,
            http2: false,
        };
        for protocol in AtLeastOne::<Spot<Protocol>>::read(tree, reader)?.0 {
            let is_there = match protocol.value {
                Protocol::Http1 => &mut read.http1,
                Protocol::Http2 => &mut read.http2,
            };
            if let (true, Some(place)) = (*is_there, &protocol.place) {
                reader.fault_at(place, "this stands here already; remove one of the two");
            }
            *is_there = true;
        }
        Some(read)
    }

    fn schema() -> serde_json::Value {
        json!({"type": "array", "items": <Protocol as Word>::schema(), "minItems": 1, "uniqueItems": true})
    }

    fn example() -> String {
        "[http1, http2]".to_owned()
    }
}

impl Show for Protocols {
    fn show(&self) -> serde_json::Value {
        let all = [(self.http1, Protocol::Http1), (self.http2, Protocol::Http2)];
        let spoken = all.iter().filter(|(is_spoken, _)| *is_spoken);
        let words = spoken.map(|(_, protocol)| show_word(protocol, PROTOCOLS));
        json!(words.collect::<Vec<_>>())
    }
}

impl Word for Protocol {
    const EXAMPLE: &'static str = "http1";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, PROTOCOLS)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(PROTOCOLS)
    }
}
