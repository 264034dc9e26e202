//! HTTP statuses, and sets of them: `200`, `200-299`, `[200, 204-206]`.

use super::collection::OneOrMany;
use super::read::{Read, Show, Word};
use super::reader::Reader;
use super::tree::Tree;
use http::StatusCode;
use serde_json::json;
use std::ops::RangeInclusive;

/// A set of HTTP statuses; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRanges(Vec<RangeInclusive<u16>>);

impl StatusRanges {
    /// 200 to 299.
    pub(super) fn successful() -> Self {
        StatusRanges(vec![200..=299])
    }

    /// Whether `status` is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Read for StatusRanges {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let ranges = OneOrMany::<StatusRange>::read(tree, reader)?;
        Some(StatusRanges(
            ranges.0.into_iter().map(|range| range.0).collect(),
        ))
    }

    fn schema() -> serde_json::Value {
        OneOrMany::<StatusRange>::schema()
    }

    fn example() -> String {
        StatusRange::EXAMPLE.to_owned()
    }
}

impl Show for StatusRanges {
    fn show(&self) -> serde_json::Value {
        let ranges: Vec<_> = self.0.iter().map(show).collect();
        match ranges.as_slice() {
            [only] => only.clone(),
            ranges => json!(ranges),
        }
    }
}

fn show(range: &RangeInclusive<u16>) -> serde_json::Value {
    match (range.start(), range.end()) {
        (low, high) if low == high => json!(low),
        (low, high) => json!(format!("{low}-{high}")),
    }
}

/// `200` or `200-299`.
struct StatusRange(RangeInclusive<u16>);

impl Word for StatusRange {
    const EXAMPLE: &'static str = "200-299";

    fn parse(text: &str) -> Result<Self, String> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        match (status(low.trim_end()), status(high.trim_start())) {
            (Some(low), Some(high)) if low <= high => Ok(StatusRange(low..=high)),
            _ => Err(format!(
                "{text:?} is no HTTP status and no range of them; \
write for example `200`, `200-299` or `[200, 204-206]`"
            )),
        }
    }

    fn schema() -> serde_json::Value {
        json!({"type": ["integer", "string"], "minimum": 100, "maximum": 599, "pattern": "^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$|\\$\\{"})
    }
}

fn status(text: &str) -> Option<u16> {
    text.parse()
        .ok()
        .filter(|status| (100..=599).contains(status))
}

impl Word for StatusCode {
    const EXAMPLE: &'static str = "200";

    fn parse(text: &str) -> Result<Self, String> {
        match status(text).and_then(|status| StatusCode::from_u16(status).ok()) {
            Some(status) if !status.is_informational() => Ok(status),
            _ => Err(format!(
                "{text:?} is no final HTTP status; write one from 200 to 599"
            )),
        }
    }

    fn schema() -> serde_json::Value {
        json!({"type": ["integer", "string"], "minimum": 200, "maximum": 599, "pattern": "\\$\\{"})
    }
}

impl Show for StatusCode {
    fn show(&self) -> serde_json::Value {
        json!(self.as_u16())
    }
}
