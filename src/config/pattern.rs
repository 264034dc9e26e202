//! What a route may ask of a request, in the forms in which it is written.
//!
//! A path is text (a prefix), `{exact: …}` or `{regex: …}`; the value of a header or query argument is text (exact),
//! `{regex: …}` or `{present: …}`. Expressions are the `regex` crate's: they run in linear time, and that crate
//! bounds what they may grow to, so no expression in the file can slow a request down beyond its length.

use super::collection::only_entry;
use super::read::{Read, Word};
use super::reader::Reader;
use super::tree::{Tree, Value};
use http::{HeaderName, Method};
use regex::Regex;
use serde_json::json;

/// A path, compared with the request's path after decoding for matching.
#[derive(Clone, Debug)]
pub enum PathPattern {
    /// This path and everything below it, on segment borders.
    Prefix(String),
    /// This path and no other.
    Exact(String),
    /// Paths that the expression finds a match in.
    Regex(Regex),
}

impl PathPattern {
    const EXAMPLE: &'static str = "/api/";
}

impl Read for PathPattern {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(tree.value, Value::Mapping(_)) {
            return Path::read(tree, reader).map(|path| PathPattern::Prefix(path.0));
        }
        let (key, below) = only_entry(tree, &["exact", "regex"], "{ exact: /x }", reader)?;
        reader.under(key, |reader| match key {
            "exact" => ExactPath::read(below, reader).map(|path| PathPattern::Exact(path.0)),
            _ => Regex::read(below, reader).map(PathPattern::Regex),
        })
    }

    fn schema() -> serde_json::Value {
        json!({"anyOf": [
            <Path as Read>::schema(),
            one_key("exact", "This path and no other.", <ExactPath as Read>::schema()),
            one_key("regex", "Paths that the expression finds a match in; \
        it is anchored by `^` and `$` only.", <Regex as Read>::schema()),
        ]})
    }

    fn example() -> String {
        PathPattern::EXAMPLE.to_owned()
    }
}

/// A prefix of paths: never a query, never an expression.
struct Path(String);

impl Word for Path {
    const EXAMPLE: &'static str = PathPattern::EXAMPLE;

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |advice: String| Err(format!("{text:?} is no path; {advice}"));
        if text.starts_with(['^', '~']) {
            let expression = text.trim_start_matches(['~', '*', ' ']);
            return wrong(format!(
                "write `{{ regex: '{expression}' }}` for an expression"
            ));
        }
        if !text.starts_with('/') {
            return wrong(format!("it starts with a slash, such as `/{text}`"));
        }
        if text.contains('*') {
            return wrong(
                "`/api/` takes everything below it without a `*`; \
write `{ regex: … }` for more than that"
                    .to_owned(),
            );
        }
        ExactPath::parse(text).map(|path| Path(path.0))
    }

    fn schema() -> serde_json::Value {
        super::schema::text_like("^/[^?#*]*$")
    }
}

/// A whole path; `*` is what `OPTIONS *` asks for.
struct ExactPath(String);

impl Word for ExactPath {
    const EXAMPLE: &'static str = "/x";

    fn parse(text: &str) -> Result<Self, String> {
        let advice = if text != "*" && !text.starts_with('/') {
            "it starts with a slash"
        } else if text.contains(['?', '#']) {
            "leave out the query; `query` matches that"
        } else if text.contains(char::is_control) {
            "leave out control characters"
        } else {
            return Ok(ExactPath(text.to_owned()));
        };
        Err(format!("{text:?} is no path; {advice}"))
    }

    fn schema() -> serde_json::Value {
        super::schema::text_like("^/[^?#]*$|^\\*$")
    }
}

/// A header and what its value must be.
#[derive(Clone, Debug)]
pub struct HeaderPattern {
    /// The header.
    pub name: HeaderName,
    /// Its value.
    pub value: ValuePattern,
}

/// A query argument and what its value must be.
#[derive(Clone, Debug)]
pub struct QueryPattern {
    /// The argument's name.
    pub name: String,
    /// Its value.
    pub value: ValuePattern,
}

/// What a value must be.
#[derive(Clone, Debug)]
pub enum ValuePattern {
    /// This text and no other.
    Exact(String),
    /// Text that the expression finds a match in.
    Regex(Regex),
    /// There, with any value (true), or not there (false).
    Present(bool),
}

impl Read for ValuePattern {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(tree.value, Value::Mapping(_)) {
            return String::read(tree, reader).map(ValuePattern::Exact);
        }
        let (key, below) = only_entry(tree, &["regex", "present"], "{ present: true }", reader)?;
        reader.under(key, |reader| match key {
            "regex" => Regex::read(below, reader).map(ValuePattern::Regex),
            _ => bool::read(below, reader).map(ValuePattern::Present),
        })
    }

    fn schema() -> serde_json::Value {
        json!({"anyOf": [
            <String as Read>::schema(),
            one_key("regex", "Values that the expression finds a match in; \
        it is anchored by `^` and `$` only.", <Regex as Read>::schema()),
            one_key("present", "There with any value (true), or not there (false).", bool::schema()),
        ]})
    }

    fn example() -> String {
        "some text".to_owned()
    }
}

fn one_key(key: &str, about: &str, mut schema: serde_json::Value) -> serde_json::Value {
    schema["description"] = json!(about);
    json!({"type": "object", "properties": {key: schema}, "required": [key], "additionalProperties": false})
}

impl Word for Regex {
    const EXAMPLE: &'static str = "^/v[0-9]+/";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Regex::new(text).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                "this regular expression grows too large; use fewer or smaller repetitions"
                    .to_owned()
            }
            error => format!(
                "this regular expression is wrong: {}; see the syntax of Rust's regex crate",
                last_line(&error.to_string())
            ),
        })
    }

    fn schema() -> serde_json::Value {
        json!({"type": "string", "format": "regex"})
    }
}

/// The regex crate draws the expression with a mark under it; the reason is on the last line.
fn last_line(message: &str) -> &str {
    let line = message.lines().last().unwrap_or(message);
    line.strip_prefix("error: ").unwrap_or(line)
}

impl Word for Method {
    const EXAMPLE: &'static str = "GET";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(method) if text.bytes().any(|byte| byte.is_ascii_lowercase()) => Err(format!(
                "methods are case-sensitive; write `{}` instead of {method:?}",
                text.to_ascii_uppercase()
            )),
            Ok(method) => Ok(method),
            Err(_) => Err(format!("{text:?} is no method; write for example `GET`")),
        }
    }
}
