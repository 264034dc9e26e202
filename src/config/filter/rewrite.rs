//! `rewrite`: another path for the backend.

use super::text::{PathText, on_request, refuse_what_is_no_path};
use crate::config::diagnostic::Place;
use crate::config::environment::Dollar;
use crate::config::read::{Read, Word};
use crate::config::reader::Reader;
use crate::config::section::section;
use crate::config::spot::Spot;
use crate::config::tree::Tree;
use crate::template::Template;
use regex::Regex;
use serde_json::json;

/// How the path is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// These segments at the start go, where they are there.
    StripPrefix(String),
    /// These segments come first.
    AddPrefix(String),
    /// This path takes its place.
    Path(PathText),
    /// What is put together here takes its place, where the expression finds a match.
    Regex(Expression, Vec<Piece>),
}

/// An expression that is looked for in the path as sent.
#[derive(Clone, Debug)]
pub struct Expression(pub Regex);

/// A piece of a new path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// What this group of the expression has matched.
    Group(usize),
    /// A text with variables.
    Text(Template),
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Expression {}

section! {
    /// Changes the path that the backend is sent; the query stays. One of `strip_prefix`, `add_prefix`, `path`, and
    /// `regex` with `to`.
    struct Entry {
        /// Segments at the start of the path that go: of `/api/x` stays `/x` without `/api`. Other paths stay as they are.
        strip_prefix: Option<Prefix>,
        /// Segments that come before the path.
        add_prefix: Option<Prefix>,
        /// The new path, a text with variables.
        path: Option<PathText>,
        /// An expression that is looked for in the path as sent; where there is no match, the path stays as it is.
        regex: Option<Regex>,
        /// The new path where `regex` matches: a text with variables, in which `$1` is the first group of `regex` and
        /// `$path_NAME` its group of that name, or else the one of the route's path.
        to: Option<Spot<To>>,
    }
}

impl Read for Rewrite {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let faults = reader.count();
        let entry = Entry::read(tree, reader)?;
        if reader.count() > faults {
            return None;
        }
        let rule = match entry {
            Entry {
                strip_prefix: Some(prefix),
                add_prefix: None,
                path: None,
                regex: None,
                to: None,
            } => Rewrite::StripPrefix(prefix.0),
            Entry {
                strip_prefix: None,
                add_prefix: Some(prefix),
                path: None,
                regex: None,
                to: None,
            } => Rewrite::AddPrefix(prefix.0),
            Entry {
                strip_prefix: None,
                add_prefix: None,
                path: Some(path),
                regex: None,
                to: None,
            } => Rewrite::Path(path),
            Entry {
                strip_prefix: None,
                add_prefix: None,
                path: None,
                regex: Some(regex),
                to: Some(to),
            } => {
                let pieces = pieces(&to.value.0, &regex);
                let refused = |message| {
                    reader.under("to", |reader| match &to.place {
                        Some(place) => reader.fault_at(place, message),
                        None => reader.fault(tree, message),
                    })
                };
                let pieces = pieces.map_err(refused).ok()?;
                if let Some(place) = &to.place {
                    note_path_groups(&pieces, place, reader);
                }
                Rewrite::Regex(Expression(regex), pieces)
            }
            _ => {
                reader.fault(tree, "one of `strip_prefix`, `add_prefix`, `path`, and `regex` with `to` is needed here; \
write for example `{ strip_prefix: /api }`");
                return None;
            }
        };
        Some(rule)
    }

    fn schema() -> serde_json::Value {
        Entry::schema()
    }

    fn example() -> String {
        "{ strip_prefix: /api }".to_owned()
    }
}

/// What `regex` has no group for may be a group of the route's path.
fn note_path_groups(pieces: &[Piece], place: &Place, reader: &mut Reader<'_>) {
    for piece in pieces {
        if let Piece::Text(template) = piece {
            reader.note_path_groups(place, template);
        }
    }
}

/// Segments of a path: a slash at the start, none at the end.
#[derive(Clone, Debug)]
struct Prefix(String);

impl Word for Prefix {
    const EXAMPLE: &'static str = "/api";

    fn parse(text: &str) -> Result<Self, String> {
        refuse_what_is_no_path(text)?;
        let prefix = text.strip_suffix('/').unwrap_or(text);
        if !text.starts_with('/') || prefix.is_empty() {
            return Err(format!(
                "{text:?} is no prefix of a path; write a slash and at least one segment, such as `/api`"
            ));
        }
        Ok(Prefix(prefix.to_owned()))
    }

    fn schema() -> serde_json::Value {
        crate::config::schema::text_like("^/[^?#]+$")
    }
}

#[derive(Clone, Debug)]
struct To(String);

impl Word for To {
    const EXAMPLE: &'static str = "/new/$1";
    const DOLLAR: Dollar = Dollar::Template;
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        refuse_what_is_no_path(text)?;
        if !text.starts_with(['/', '$']) {
            return Err(format!("{text:?} is no path; it starts with a slash"));
        }
        Ok(To(text.to_owned()))
    }

    fn schema() -> serde_json::Value {
        json!({"type": "string"})
    }
}

/// Takes a text apart into groups of the expression and everything else.
fn pieces(text: &str, regex: &Regex) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut other = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from_dollar) = rest.split_at(at);
        other.push_str(before);
        let (written, name) = reference(from_dollar);
        match group(name, regex)? {
            Some(group) => {
                push(&mut pieces, &mut other)?;
                pieces.push(Piece::Group(group));
            }
            None => other.push_str(written),
        }
        rest = from_dollar.get(written.len()..).unwrap_or_default();
    }
    other.push_str(rest);
    push(&mut pieces, &mut other)?;
    Ok(pieces)
}

/// What begins with a dollar, as written, and the name in it.
fn reference(text: &str) -> (&str, &str) {
    if text.starts_with("$$") {
        return (text.get(..2).unwrap_or(text), "");
    }
    if let Some(inner) = text.strip_prefix("${")
        && let Some((name, _)) = inner.split_once('}')
    {
        return (text.get(..name.len() + 3).unwrap_or(text), name);
    }
    let name = text.get(1..).unwrap_or_default();
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let end = match name.find(|letter: char| !letter.is_ascii_digit()) {
        Some(0) => name.find(|letter| !is_name(letter)).unwrap_or(name.len()),
        digits => digits.unwrap_or(name.len()),
    };
    let name = name.get(..end).unwrap_or_default();
    (text.get(..=end).unwrap_or(text), name)
}

/// The group that `$1` or `$path_NAME` means; none for any other variable.
fn group(name: &str, regex: &Regex) -> Result<Option<usize>, String> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        let groups = regex.captures_len() - 1;
        let number: usize = name.parse().unwrap_or(usize::MAX);
        return match number {
            number if number <= groups => Ok(Some(number)),
            _ => Err(format!(
                "there is no ${name}: `regex` has {}",
                match groups {
                    0 => "no groups; put what is wanted in parentheses".to_owned(),
                    1 => "one group; write `$1`".to_owned(),
                    groups => format!("{groups} groups"),
                }
            )),
        };
    }
    let name = name.strip_prefix("path_");
    Ok(name.and_then(|name| regex.capture_names().position(|group| group == Some(name))))
}

fn push(pieces: &mut Vec<Piece>, other: &mut String) -> Result<(), String> {
    if !other.is_empty() {
        pieces.push(Piece::Text(on_request(&std::mem::take(other))?));
    }
    Ok(())
}
