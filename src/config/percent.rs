//! Shares: `20%`, or `0.2`.

use super::environment::Dollar;
use super::read::{Bounded, Show};
use super::reader::Reader;
use super::tree::Tree;
use serde_json::json;
use std::ops::RangeInclusive;

/// A share in whole percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(pub u32);

impl Percent {
    /// The share of `whole`, rounded down.
    pub fn of(self, whole: u64) -> u64 {
        let share = u128::from(whole) * u128::from(self.0) / 100;
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

/// `125%`, or `1.25` with at most two decimals; in percent.
pub(super) fn parse(text: &str) -> Option<u32> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(percent) = text.strip_suffix('%') {
        return digits(percent).then(|| percent.parse().ok())?;
    }
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if !digits(whole) || !digits(decimals) || !matches!(decimals.len(), 1 | 2) {
        return None;
    }
    let hundredths: u32 = format!("{decimals:0<2}").parse().ok()?;
    let whole: u32 = whole.parse().ok()?;
    whole.checked_mul(100)?.checked_add(hundredths)
}

impl Bounded for Percent {
    type Bounds = RangeInclusive<u32>;

    fn read_within(tree: &Tree, reader: &mut Reader<'_>, bounds: Self::Bounds) -> Option<Self> {
        let text = reader.text(tree, Dollar::Environment, false, "20%")?;
        let found = parse(&text).filter(|percent| bounds.contains(percent));
        if found.is_none() {
            let (low, high) = bounds.into_inner();
            reader.fault(
                tree,
                format!("{text:?} cannot stand here; write whole percent from {low}% to {high}%"),
            );
        }
        found.map(Percent)
    }

    fn schema_within(bounds: Self::Bounds) -> serde_json::Value {
        let (low, high) = bounds.into_inner();
        json!({
            "type": ["number", "string"],
            "minimum": f64::from(low) / 100.0,
            "maximum": f64::from(high) / 100.0,
            "pattern": "^[0-9]+%$|^[0-9]+(\\.[0-9]{1,2})?$|\\$\\{",
        })
    }

    fn example(bounds: Self::Bounds) -> String {
        format!("{}%", bounds.start())
    }
}

impl Show for Percent {
    fn show(&self) -> serde_json::Value {
        json!(format!("{}%", self.0))
    }
}
