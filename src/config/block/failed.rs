//! Why a block could not be read, in the words of the other messages.

use crate::config::diagnostic::Place;
use serde::de::{self, Expected, Unexpected};
use std::fmt;

/// Why a block could not be read. What has been noted already has no message.
#[derive(Debug)]
pub(in crate::config) struct Failed {
    pub(in crate::config) message: Option<String>,
    pub(in crate::config) place: Option<Place>,
    pub(super) missing: Option<&'static str>,
}

impl Failed {
    pub(super) fn noted() -> Self {
        Failed {
            message: None,
            place: None,
            missing: None,
        }
    }

    pub(super) fn at(self, place: Place) -> Self {
        Failed {
            place: Some(self.place.unwrap_or(place)),
            ..self
        }
    }
}

impl de::Error for Failed {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Failed {
            message: Some(message.to_string()),
            ..Failed::noted()
        }
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let wanted = name_of(&wanted.to_string());
        Self::custom(match found {
            Unexpected::Unit => format!("nothing stands here; write {wanted}"),
            found => format!("{wanted} is needed here, not {}", describe(&found)),
        })
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let found = describe(&found);
        let wanted = name_of(&wanted.to_string());
        Self::custom(format!("{found} cannot stand here; write {wanted}"))
    }

    fn missing_field(key: &'static str) -> Self {
        Failed {
            missing: Some(key),
            ..Self::custom(format!("the key `{key}` is missing; add it"))
        }
    }
}

/// What serde calls a kind of value, in the words of the other messages.
fn name_of(wanted: &str) -> String {
    let number = |low: i128, high: i128| format!("a whole number from {low} to {high}");
    match wanted {
        "u8" => number(0, u8::MAX.into()),
        "u16" => number(0, u16::MAX.into()),
        "u32" => number(0, u32::MAX.into()),
        "u64" | "usize" => "a whole number from 0 on".to_owned(),
        "i8" => number(i8::MIN.into(), i8::MAX.into()),
        "i16" => number(i16::MIN.into(), i16::MAX.into()),
        "i32" => number(i32::MIN.into(), i32::MAX.into()),
        "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" | "unit" => "a mapping".to_owned(),
        other if other.starts_with("struct ") => "a mapping".to_owned(),
        other => other.to_owned(),
    }
}

fn describe(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Unit => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

impl std::error::Error for Failed {}

impl fmt::Display for Failed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.message.as_deref().unwrap_or_default())
    }
}
