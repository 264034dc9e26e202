//! The file as a tree, before anything in it has a meaning.
//!
//! serde's derived readers stop at the first fault and keep only the last of two equal keys; an operator wants all
//! faults at once. So the file is first read into this tree, which keeps every entry, and the typed readers walk the
//! tree. Anchors, aliases and merge keys (`<<`) are resolved here; tags and further documents are refused. Depth and
//! the number of values are bounded, so that a few lines of nested aliases cannot fill the memory.
//!
//! serde_yaml tells no positions, except for an error that is raised while it reads. So each value carries its
//! ordinal, its place in the order of reading, and `locate` reads the text a second time and raises an error at that
//! ordinal. Only faults pay for this.

use super::diagnostic::Position;
use super::syntax;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// No sensible file comes near this depth; the deepest key of the schema stands at seven.
const DEPTH: usize = 32;

/// Values after aliases are resolved: some ten thousand routes.
const VALUES: usize = 500_000;

/// One value of the file.
#[derive(Debug)]
pub(super) struct Tree {
    /// Its ordinal, for `locate`.
    pub(super) at: usize,
    /// What stands there.
    pub(super) value: Value,
}

/// What can stand in a YAML file.
#[derive(Debug)]
pub(super) enum Value {
    /// `null`, `~`, or nothing after the colon.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Text, quoted or not.
    Text(String),
    /// `[a, b]`, or lines that start with a dash.
    List(Vec<Tree>),
    /// `{a: b}`, or lines with a colon; keys in file order, equal ones kept.
    Mapping(Vec<(Tree, Tree)>),
}

impl Value {
    /// What it is, in the words of a message: `the number 5`.
    pub(super) fn describe(&self) -> String {
        match self {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Integer(number) => format!("the number {number}"),
            Value::Float(number) => format!("the number {number}"),
            Value::Text(text) => format!("the text {text:?}"),
            Value::List(_) => "a list".to_owned(),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }
}

impl Tree {
    /// The value of a key, when this is a mapping that has it.
    pub(super) fn value_of(&self, key: &str) -> Option<&Tree> {
        let Value::Mapping(entries) = &self.value else {
            return None;
        };
        let is_it = |found: &Tree| matches!(&found.value, Value::Text(text) if text == key);
        entries
            .iter()
            .find(|(found, _)| is_it(found))
            .map(|(_, value)| value)
    }

    /// What was written, to compare it with another.
    pub(super) fn plain(&self) -> serde_json::Value {
        use serde_json::Value as Plain;
        match &self.value {
            Value::Null => Plain::Null,
            Value::Bool(value) => (*value).into(),
            Value::Integer(number) => number.to_string().into(),
            Value::Float(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Tree::plain).collect(),
            Value::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| Plain::Array(vec![key.plain(), value.plain()]))
                .collect(),
        }
    }
}

/// Reads `text` into a tree, or tells why it is no usable YAML, and where.
pub(super) fn read(text: &str) -> Result<Tree, (Position, String)> {
    let mut documents = serde_yaml::Deserializer::from_str(text);
    let mut walk = Walk::default();
    let Some(first) = documents.next() else {
        return Err((Position::START, "there is nothing in it".to_owned()));
    };
    let tree = walk.seed().deserialize(first).map_err(|error| {
        let message = match walk.refusal {
            Some(refusal) => refusal.to_owned(),
            None => syntax::explain(text, &error),
        };
        (position(&error).unwrap_or_else(|| walk.last(text)), message)
    })?;
    match documents.next() {
        None => Ok(tree),
        Some(second) => {
            let position = stop_at(second, 0).unwrap_or(Position::START);
            let message =
                "a second document starts here; keep one, and remove the line `---` between them";
            Err((position, message.to_owned()))
        }
    }
}

/// Where in `text` the value with this ordinal stands.
pub(super) fn locate(text: &str, ordinal: usize) -> Position {
    serde_yaml::Deserializer::from_str(text)
        .next()
        .and_then(|document| stop_at(document, ordinal))
        .unwrap_or(Position::START)
}

fn stop_at(document: serde_yaml::Deserializer<'_>, ordinal: usize) -> Option<Position> {
    let mut walk = Walk {
        stop_at: Some(ordinal),
        ..Walk::default()
    };
    let error = walk.seed().deserialize(document).err()?;
    position(&error)
}

fn position(error: &serde_yaml::Error) -> Option<Position> {
    error.location().map(|location| Position {
        line: location.line(),
        column: location.column(),
    })
}

/// One reading of the text: how far it has come, and why it was broken off.
#[derive(Default)]
struct Walk {
    seen: usize,
    stop_at: Option<usize>,
    refusal: Option<&'static str>,
}

impl Walk {
    fn seed(&mut self) -> Seed<'_> {
        Seed {
            walk: self,
            depth: 0,
        }
    }

    /// The value that was read last; for the errors to which serde_yaml gives no position.
    fn last(&self, text: &str) -> Position {
        locate(text, self.seen.saturating_sub(1))
    }
}

struct Seed<'walk> {
    walk: &'walk mut Walk,
    depth: usize,
}

impl Seed<'_> {
    fn below(&mut self) -> Seed<'_> {
        Seed {
            walk: self.walk,
            depth: self.depth + 1,
        }
    }

    /// Counts this value; an error when it is the one to be located, or one too many.
    fn count<E: de::Error>(&mut self) -> Result<usize, E> {
        let at = self.walk.seen;
        if self.walk.stop_at == Some(at) {
            return Err(E::custom("located"));
        }
        self.walk.seen += 1;
        if self.walk.seen > VALUES {
            return self.refuse(
                "the file holds too many values; mind that each alias (`*name`) counts in full",
            );
        }
        if self.depth > DEPTH {
            return self.refuse(
                "lists and mappings are nested too deep here; \
check the brackets and the indentation",
            );
        }
        Ok(at)
    }

    fn refuse<T, E: de::Error>(&mut self, why: &'static str) -> Result<T, E> {
        self.walk.refusal = Some(why);
        Err(E::custom(why))
    }

    fn leaf<E: de::Error>(mut self, value: Value) -> Result<Tree, E> {
        let at = self.count()?;
        Ok(Tree { at, value })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Tree;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree, E> {
        self.leaf(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Tree, E> {
        self.leaf(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Tree, E> {
        self.leaf(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Tree, E> {
        self.leaf(Value::Integer(number.into()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Tree, E> {
        self.leaf(Value::Integer(number.into()))
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Tree, E> {
        self.leaf(Value::Integer(number))
    }

    fn visit_u128<E: de::Error>(self, number: u128) -> Result<Tree, E> {
        self.leaf(Value::Integer(i128::try_from(number).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Tree, E> {
        self.leaf(Value::Float(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Tree, E> {
        self.leaf(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Tree, A::Error> {
        let at = self.count()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.below())? {
            list.push(item);
        }
        let value = Value::List(list);
        Ok(Tree { at, value })
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Tree, A::Error> {
        let at = self.count()?;
        let mut mapping = Vec::new();
        let mut merged = Vec::new();
        while let Some(key) = entries.next_key_seed(self.below())? {
            let value = entries.next_value_seed(self.below())?;
            if !matches!(&key.value, Value::Text(text) if text == "<<") {
                mapping.push((key, value));
            } else if merge(value, &mut merged).is_none() {
                return self.refuse(
                    "`<<` merges mappings; write `<<: *name`, where `&name` marks a mapping",
                );
            }
        }
        merged.retain(|(key, _)| !mapping.iter().any(|(own, _)| same_text(own, key)));
        mapping.append(&mut merged);
        let value = Value::Mapping(mapping);
        Ok(Tree { at, value })
    }

    fn visit_enum<A: de::EnumAccess<'de>>(mut self, _: A) -> Result<Tree, A::Error> {
        self.count::<A::Error>()?;
        self.refuse(
            "tags such as `!name` have no meaning here; remove it, or put the text in quotes",
        )
    }
}

/// Adds what a merge key brings; of equal keys the first one stays. None when it is no mapping.
fn merge(value: Tree, into: &mut Vec<(Tree, Tree)>) -> Option<()> {
    match value.value {
        Value::Mapping(entries) => {
            for entry in entries {
                if !into.iter().any(|(key, _)| same_text(key, &entry.0)) {
                    into.push(entry);
                }
            }
            Some(())
        }
        Value::List(items) => items.into_iter().try_for_each(|item| merge(item, into)),
        _ => None,
    }
}

fn same_text(left: &Tree, right: &Tree) -> bool {
    matches!((&left.value, &right.value), (Value::Text(left), Value::Text(right)) if left == right)
}
