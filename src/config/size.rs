//! Sizes: `10MiB`, `32KiB`, or a number of bytes.
//!
//! The units are IEC's, and no others: whether `10M` means 10,000,000 or 10,485,760 bytes is a question that nobody should
//! have to ask at night.

use super::environment::Dollar;
use super::read::{Bounded, Show, Word};
use super::reader::Reader;
use super::tree::Tree;
use super::word::plain;
use serde_json::json;
use std::ops::RangeInclusive;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// Units in bytes.
const UNITS: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

impl Word for Size {
    const EXAMPLE: &'static str = "10MiB";

    fn parse(text: &str) -> Result<Self, String> {
        let end = text.find(|letter: char| !letter.is_ascii_digit());
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let factor = match unit {
            "" => Some(1),
            unit => UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .map(|(_, factor)| *factor),
        };
        let size = number.parse::<u64>().ok().zip(factor);
        match size.and_then(|(number, factor)| number.checked_mul(factor)) {
            Some(size) => Ok(Size(size)),
            None => Err(format!(
                "{text:?} is no size; write whole bytes, or a whole number with KiB, MiB, GiB or TiB, such as `10MiB`"
            )),
        }
    }

    fn schema() -> serde_json::Value {
        json!({"type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+([KMGT]iB)?$|\\$\\{"})
    }
}

impl Bounded for Size {
    type Bounds = RangeInclusive<u64>;

    fn read_within(tree: &Tree, reader: &mut Reader<'_>, bounds: Self::Bounds) -> Option<Self> {
        let text = reader.text(tree, Dollar::Environment, false, Self::EXAMPLE)?;
        let message = match Self::parse(&text) {
            Ok(size) if bounds.contains(&size.0) => return Some(size),
            Ok(_) => {
                let written = |bytes: &u64| plain(&Size(*bytes).show());
                let (low, high) = (written(bounds.start()), written(bounds.end()));
                format!("{text} cannot stand here; write a size from {low} to {high}")
            }
            Err(message) => message,
        };
        reader.fault(tree, message);
        None
    }

    fn schema_within(_: Self::Bounds) -> serde_json::Value {
        <Self as Word>::schema()
    }

    fn example(bounds: Self::Bounds) -> String {
        plain(&Size(*bounds.end()).show())
    }
}

impl Show for Size {
    fn show(&self) -> serde_json::Value {
        let fits = |(_, factor): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*factor);
        match UNITS.iter().rev().find(fits) {
            Some((unit, factor)) => json!(format!("{}{unit}", self.0 / factor)),
            None => json!(self.0),
        }
    }
}
