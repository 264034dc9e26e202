//! Media types, and sets of them: `text/html`, `text/*`, `application/*+json` (RFC 9110 §8.3.1, RFC 6838 §4.2.8).

use crate::config::collection::AtLeastOne;
use crate::config::read::{Read, Show, Word};
use crate::config::reader::Reader;
use crate::config::schema;
use crate::config::tree::Tree;
use crate::semantics::rfc7239::is_token;
use serde_json::json;

/// A media type, or a set of them; in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaRange {
    /// This one.
    One(String),
    /// All that begin and end like this: `text/` and nothing, `application/` and `+json`.
    Between(String, String),
}

/// The answers to `EventSource`: each line must reach the script when it is sent, and nothing is gained.
const EVENT_STREAM: &str = "text/event-stream";

/// What is text in one way or another; pictures, films and archives are compressed already.
const USUAL: &[&str] = &[
    "text/*",
    "application/json",
    "application/*+json",
    "application/javascript",
    "application/xml",
    "application/*+xml",
    "application/wasm",
    "image/svg+xml",
    "font/ttf",
    "font/otf",
];

impl MediaRange {
    /// Whether the type in this `Content-Type` is in the set. Event streams are in none.
    pub fn holds(&self, content_type: &str) -> bool {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case(EVENT_STREAM) {
            return false;
        }
        match self {
            MediaRange::One(one) => kind.eq_ignore_ascii_case(one),
            MediaRange::Between(start, end) => {
                let (kind, start, end) = (kind.as_bytes(), start.as_bytes(), end.as_bytes());
                let is = |part: Option<&[u8]>, wanted: &[u8]| {
                    part.is_some_and(|part| part.eq_ignore_ascii_case(wanted))
                };
                kind.len() > start.len() + end.len()
                    && is(kind.get(..start.len()), start)
                    && is(kind.get(kind.len() - end.len()..), end)
            }
        }
    }
}

impl Word for MediaRange {
    const EXAMPLE: &'static str = "text/html";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |advice: &str| Err(format!("{text:?} is no media type; {advice}"));
        let lower = text.to_ascii_lowercase();
        if lower == EVENT_STREAM {
            return Err(format!(
                "{text:?} is never compressed, since each event must arrive when it is sent; remove it"
            ));
        }
        if let Some((kind, _)) = text.split_once(';') {
            return wrong(&format!("leave out what follows it: `{}`", kind.trim_end()));
        }
        if lower == "*" || lower == "*/*" {
            return wrong(
                "pictures and archives are compressed already; write for example `text/*`",
            );
        }
        let Some((kind, below)) = lower.split_once('/') else {
            return wrong("write for example `text/html` or `text/*`");
        };
        let is_name = |text: &str| is_token(text.as_bytes()) && !text.contains('*');
        if !is_name(kind) {
            return wrong("write for example `text/html` or `text/*`");
        }
        match below.strip_prefix('*') {
            None if is_name(below) => Ok(MediaRange::One(lower)),
            Some("") => Ok(MediaRange::Between(format!("{kind}/"), String::new())),
            Some(end) if end.starts_with('+') && end.len() > 1 && is_name(end) => {
                Ok(MediaRange::Between(format!("{kind}/"), end.to_owned()))
            }
            _ => wrong("write for example `text/html`, `text/*` or `application/*+json`"),
        }
    }

    fn schema() -> serde_json::Value {
        schema::text_like("^[^/;]+/[^/;]+$")
    }
}

/// A list of at least one set.
#[derive(Clone, Debug)]
pub(super) struct MediaRanges(pub(super) Vec<MediaRange>);

impl MediaRanges {
    pub(super) fn usual() -> Self {
        let ranges = USUAL.iter().map(|text| MediaRange::parse(text));
        MediaRanges(ranges.filter_map(Result::ok).collect())
    }
}

impl Read for MediaRanges {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        AtLeastOne::read(tree, reader).map(|ranges| MediaRanges(ranges.0))
    }

    fn schema() -> serde_json::Value {
        AtLeastOne::<MediaRange>::schema()
    }

    fn example() -> String {
        "[text/*, application/json]".to_owned()
    }
}

impl Show for MediaRanges {
    fn show(&self) -> serde_json::Value {
        let written = |range: &MediaRange| match range {
            MediaRange::One(one) => one.clone(),
            MediaRange::Between(start, end) => format!("{start}*{end}"),
        };
        json!(self.0.iter().map(written).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_types_whatever_their_case_and_parameters() {
        for (range, kind, wanted) in [
            ("text/html", "text/html", true),
            ("Text/HTML", "text/html; charset=utf-8", true),
            ("text/html", "TEXT/Html ;charset=utf-8", true),
            ("text/html", "text/htm", false),
            ("text/*", "text/css", true),
            ("text/*", "text/", false),
            ("text/*", "textile/css", false),
            ("text/*", "text/event-stream", false),
            ("text/*", "Text/Event-Stream; charset=utf-8", false),
            ("application/*+json", "application/problem+json", true),
            ("application/*+json", "application/PROBLEM+JSON", true),
            ("application/*+json", "application/json", false),
            ("application/*+json", "application/+json", false),
            ("application/*+json", "application/a+json+xml", false),
            ("application/*+json", "", false),
        ] {
            let range = MediaRange::parse(range).unwrap();
            assert_eq!(range.holds(kind), wanted, "{range:?} {kind:?}");
        }
    }

    #[test]
    fn the_usual_types_are_all_types() {
        let usual = MediaRanges::usual();
        assert_eq!(usual.0.len(), USUAL.len());
        assert_eq!(usual.show(), json!(USUAL));
    }
}
