//! What a type says of itself to be read from the file.
//!
//! A `Read` type takes a value of the tree and gives itself, or notes what is wrong and gives nothing; whoever asked
//! goes on with the next value, so that one run finds all faults. The same trait describes the type as JSON Schema:
//! what is read and what is documented stand side by side and cannot part. `Word` is the short form for whatever is
//! written as one scalar.

use super::environment::Dollar;
use super::reader::Reader;
use super::tree::Tree;
use crate::template::Template;
use serde_json::json;

/// A type that can be read from the file.
pub(super) trait Read: Sized {
    /// Reads it; None when something was wrong and has been noted.
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self>;

    /// Its value when the key is left out; None when it must not be.
    fn absent() -> Option<Self> {
        None
    }

    /// A value to go on with when a fault has been noted, so that the checks between keys can still be made.
    fn stand_in() -> Option<Self> {
        Self::absent()
    }

    /// What it may be, as JSON Schema (draft 2020-12).
    fn schema() -> serde_json::Value;

    /// An example, for messages.
    fn example() -> String;
}

/// A type that is read within bounds, which its key gives.
pub(super) trait Bounded: Sized {
    /// The bounds.
    type Bounds;

    /// As [`Read::read`], and what is out of bounds is refused.
    fn read_within(tree: &Tree, reader: &mut Reader<'_>, bounds: Self::Bounds) -> Option<Self>;

    /// As [`Read::absent`].
    fn absent() -> Option<Self> {
        None
    }

    /// As [`Read::schema`], with the bounds.
    fn schema_within(bounds: Self::Bounds) -> serde_json::Value;

    /// As [`Read::example`]: something within the bounds.
    fn example(bounds: Self::Bounds) -> String;
}

/// A type that can stand as a default, and so has to be shown.
pub(super) trait Show {
    /// The value as it would be written in the file.
    fn show(&self) -> serde_json::Value;
}

/// A type that is written as one scalar.
pub(super) trait Word: Sized {
    /// An example, for messages.
    const EXAMPLE: &'static str;

    /// What `$` means in it.
    const DOLLAR: Dollar = Dollar::Environment;

    /// Whether numbers and booleans must stand in quotes, since YAML would change how they are spelled.
    const QUOTED: bool = false;

    /// Understands the text, or says what is wrong and what to do.
    fn parse(text: &str) -> Result<Self, String>;

    /// The template in it, when it is one.
    fn template(&self) -> Option<&Template> {
        None
    }

    /// As [`Read::schema`].
    fn schema() -> serde_json::Value {
        json!({"type": "string"})
    }
}

impl<W: Word> Read for W {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(tree, W::DOLLAR, W::QUOTED, W::EXAMPLE)?;
        let word = W::parse(&text)
            .map_err(|message| reader.fault(tree, message))
            .ok()?;
        if let Some(template) = word.template() {
            let place = reader.place(tree);
            reader.note_path_groups(&place, template);
        }
        Some(word)
    }

    fn schema() -> serde_json::Value {
        <W as Word>::schema()
    }

    fn example() -> String {
        W::EXAMPLE.to_owned()
    }
}
