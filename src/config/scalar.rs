//! Booleans and whole numbers.

use super::environment::Dollar;
use super::read::{Bounded, Read, Show};
use super::reader::Reader;
use super::tree::{Tree, Value};
use serde_json::json;
use std::ops::RangeInclusive;

impl Read for bool {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if let Value::Bool(value) = &tree.value {
            return Some(*value);
        }
        let text = reader.text(tree, Dollar::Environment, false, "true")?;
        match text.as_ref() {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                reader.fault(
                    tree,
                    format!("{other:?} is neither true nor false; write `true` or `false`"),
                );
                None
            }
        }
    }

    fn schema() -> serde_json::Value {
        json!({"type": ["boolean", "string"], "pattern": "\\$\\{"})
    }

    fn example() -> String {
        "true".to_owned()
    }
}

impl Show for bool {
    fn show(&self) -> serde_json::Value {
        json!(self)
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Bounded for $type {
            type Bounds = RangeInclusive<$type>;

            fn read_within(tree: &Tree, reader: &mut Reader<'_>, bounds: Self::Bounds) -> Option<Self> {
                let (low, high) = bounds.into_inner();
                let text = reader.text(tree, Dollar::Environment, false, &low.to_string())?;
                let is_plain = text == "0" || !text.trim_start_matches('-').starts_with(['0', '+']);
                match text.parse() {
                    Ok(number) if is_plain && (low..=high).contains(&number) => Some(number),
                    _ => {
                        let found = match &tree.value {
                            Value::Text(_) => format!("the text {text:?}"),
                            other => other.describe(),
                        };
                        reader.fault(tree, format!("{found} cannot stand here; \
write a whole number from {low} to {high}"));
                        None
                    }
                }
            }

            fn schema_within(bounds: Self::Bounds) -> serde_json::Value {
                let (low, high) = bounds.into_inner();
                json!({"type": ["integer", "string"], "minimum": low, "maximum": high, "pattern": "\\$\\{"})
            }

            fn example(bounds: Self::Bounds) -> String {
                bounds.start().to_string()
            }
        }

        impl Show for $type {
            fn show(&self) -> serde_json::Value {
                json!(self)
            }
        }
    )*};
}

whole_numbers!(u16, u32, i32, usize);
