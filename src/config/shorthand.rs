//! Sections that may also be written as one word: `access_log: off`, `backends: [10.0.0.1:80]`.

use super::environment::Dollar;
use super::read::Read;
use super::reader::Reader;
use super::tree::{Tree, Value};
use serde_json::json;

/// A section with a short form.
pub(super) trait Shorthand: Read {
    /// The short form, for messages.
    const EXAMPLE: &'static str;

    /// The section that the word stands for, or what is wrong with it.
    fn from_word(text: &str) -> Result<Self, String>;

    /// What the word may be, as JSON Schema.
    fn word_schema() -> serde_json::Value;
}

/// A section that is read in either form.
#[derive(Clone, Debug)]
pub(super) struct Short<T>(pub(super) T);

impl<T: Shorthand> Read for Short<T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(tree.value, Value::Mapping(_)) {
            return T::read(tree, reader).map(Short);
        }
        let text = reader.text(tree, Dollar::Environment, false, T::EXAMPLE)?;
        T::from_word(&text)
            .map_err(|message| reader.fault(tree, message))
            .ok()
            .map(Short)
    }

    fn absent() -> Option<Self> {
        T::absent().map(Short)
    }

    fn schema() -> serde_json::Value {
        json!({"anyOf": [T::word_schema(), T::schema()]})
    }

    fn example() -> String {
        T::EXAMPLE.to_owned()
    }
}

/// A section that is in force as it is, or with what is said in it, unless `off` is written.
#[derive(Clone, Debug)]
pub(super) struct OnUnlessOff<T>(pub(super) Option<T>);

impl<T: Read> Read for OnUnlessOff<T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(tree.value, Value::Mapping(_)) {
            return T::read(tree, reader).map(|section| OnUnlessOff(Some(section)));
        }
        let text = reader.text(tree, Dollar::Environment, false, &T::example())?;
        if text == "off" {
            return Some(OnUnlessOff(None));
        }
        reader.fault(
            tree,
            format!(
                "{text:?} is not understood here; write for example `{}`, or `off`",
                T::example()
            ),
        );
        None
    }

    fn absent() -> Option<Self> {
        T::absent().map(|section| OnUnlessOff(Some(section)))
    }

    fn schema() -> serde_json::Value {
        json!({"anyOf": [{"const": "off"}, T::schema()]})
    }

    fn example() -> String {
        T::example()
    }
}
