//! Lists and mappings, and what may be one value or several.

use super::read::{Bounded, Read, Word};
use super::reader::Reader;
use super::spot::Spot;
use super::tree::{Tree, Value};
use super::word::alternatives;
use serde_json::json;

/// A key that may be left out.
impl<T: Read> Read for Option<T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        T::read(tree, reader).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn schema() -> serde_json::Value {
        T::schema()
    }

    fn example() -> String {
        T::example()
    }
}

impl<T: Bounded> Bounded for Option<T> {
    type Bounds = T::Bounds;

    fn read_within(tree: &Tree, reader: &mut Reader<'_>, bounds: T::Bounds) -> Option<Self> {
        T::read_within(tree, reader, bounds).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn schema_within(bounds: T::Bounds) -> serde_json::Value {
        T::schema_within(bounds)
    }

    fn example(bounds: T::Bounds) -> String {
        T::example(bounds)
    }
}

/// A list; elements with faults are left out of it.
impl<T: Read> Read for Vec<T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let Value::List(items) = &tree.value else {
            let example = match &tree.value {
                Value::Text(text) if text.starts_with(['*', '&', '!']) => format!("{text:?}"),
                Value::Text(text) => text.clone(),
                _ => T::example(),
            };
            reader.wrong_kind(tree, "a list", &format!("[{example}]"));
            return None;
        };
        let read = |(index, item)| reader.element(index, |reader| T::read(item, reader));
        Some(items.iter().enumerate().filter_map(read).collect())
    }

    fn absent() -> Option<Self> {
        Some(Vec::new())
    }

    fn schema() -> serde_json::Value {
        json!({"type": "array", "items": T::schema(), "default": []})
    }

    fn example() -> String {
        format!("[{}]", T::example())
    }
}

/// A list that must be there and have an element.
#[derive(Clone, Debug)]
pub(super) struct AtLeastOne<T>(pub(super) Vec<T>);

impl<T: Read> Read for AtLeastOne<T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(&tree.value, Value::List(items) if items.is_empty()) {
            reader.fault(
                tree,
                format!(
                    "this list is empty; add an element, such as `{}`",
                    T::example()
                ),
            );
            return None;
        }
        Vec::read(tree, reader).map(AtLeastOne)
    }

    fn stand_in() -> Option<Self> {
        Some(AtLeastOne(Vec::new()))
    }

    fn schema() -> serde_json::Value {
        json!({"type": "array", "items": T::schema(), "minItems": 1})
    }

    fn example() -> String {
        format!("[{}]", T::example())
    }
}

/// One value, or a list of at least one.
#[derive(Clone, Debug)]
pub(super) struct OneOrMany<T>(pub(super) Vec<T>);

impl<T: Read> Read for OneOrMany<T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        match &tree.value {
            Value::List(items) if items.is_empty() => {
                reader.fault(tree, "this list is empty; leave the key out to take any");
                None
            }
            Value::List(_) => Vec::read(tree, reader).map(OneOrMany),
            _ => T::read(tree, reader).map(|value| OneOrMany(vec![value])),
        }
    }

    fn schema() -> serde_json::Value {
        json!({"anyOf": [T::schema(), {"type": "array", "items": T::schema(), "minItems": 1}]})
    }

    fn example() -> String {
        T::example()
    }
}

/// A mapping whose keys are the operator's own; entries with faults keep their key.
#[derive(Clone, Debug)]
pub(super) struct Entries<K, T>(pub(super) Vec<(Spot<K>, Option<T>)>);

impl<K, T> Entries<K, T> {
    /// Key and value of each entry without faults.
    pub(super) fn complete(self) -> impl Iterator<Item = (K, T)> {
        self.0
            .into_iter()
            .filter_map(|(key, value)| Some((key.value, value?)))
    }
}

impl<K: Word + PartialEq, T: Read> Read for Entries<K, T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let mut entries: Vec<(Spot<K>, Option<T>)> = Vec::new();
        for (text, key, value) in reader.entries(tree, &Self::example())? {
            reader.under(&text, |reader| {
                let value_read = T::read(value, reader);
                match K::parse(&text) {
                    Ok(name) if entries.iter().any(|(earlier, _)| earlier.value == name) => {
                        reader.fault(
                            key,
                            "this key is there twice, in another case; keep one of them",
                        );
                    }
                    Ok(name) => {
                        let place = Some(reader.place(key));
                        entries.push((Spot { place, value: name }, value_read));
                    }
                    Err(message) => reader.fault(key, message),
                }
            });
        }
        Some(Entries(entries))
    }

    fn absent() -> Option<Self> {
        Some(Entries(Vec::new()))
    }

    fn schema() -> serde_json::Value {
        json!({"type": "object", "additionalProperties": T::schema()})
    }

    fn example() -> String {
        format!("{{ {}: {} }}", K::EXAMPLE, T::example())
    }
}

/// The only entry of a mapping that chooses one of `known`, such as `{exact: /x}`.
pub(super) fn only_entry<'t>(
    tree: &'t Tree,
    known: &[&'static str],
    example: &str,
    reader: &mut Reader<'_>,
) -> Option<(&'static str, &'t Tree)> {
    let fields = reader.fields(tree, known, example)?;
    match fields.found.as_slice() {
        [only] => Some(*only),
        [] if fields.has_unknown_keys() => None,
        [] => {
            reader.fault(
                tree,
                format!("one key is needed here; write for example `{example}`"),
            );
            None
        }
        _ => {
            reader.fault(
                tree,
                format!(
                    "only one of {} can stand here; keep one",
                    alternatives(known)
                ),
            );
            None
        }
    }
}
