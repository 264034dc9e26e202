//! Durations: `500ms`, `2s`, `1m30s`.
//!
//! A number without a unit is refused: whether it means seconds or milliseconds is the kind of guess that is found
//! out at night. The grammar is that of Go and of nginx, without fractions: whole numbers, each with its unit, the
//! larger unit first.

use super::environment::Dollar;
use super::read::{Bounded, Show};
use super::reader::Reader;
use super::schema;
use super::tree::Tree;
use serde_json::json;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The shortest duration that can be written, and the unit of the smallest part.
pub(super) const MILLISECOND: Duration = Duration::from_millis(1);

/// The longest that any key takes.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Units in milliseconds, largest first.
const UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// What `text` says, or what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "{text} has no unit; write `{text}s` for seconds or `{text}ms` for milliseconds"
        ));
    }
    read(text)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{text:?} is no duration; write one like `500ms`, `2s` or `1m30s`"))
}

fn read(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut units = UNITS;
    let mut total: u64 = 0;
    loop {
        let (number, after) = leading(rest, |letter| letter.is_ascii_digit());
        let (unit, after) = leading(after, |letter| letter.is_ascii_alphabetic());
        let found = units.iter().position(|(name, _)| *name == unit)?;
        let (unit, smaller) = units.get(found..)?.split_first()?;
        let part = number.parse::<u64>().ok()?.checked_mul(unit.1)?;
        total = total.checked_add(part)?;
        if after.is_empty() {
            return Some(total);
        }
        (rest, units) = (after, smaller);
    }
}

/// The letters at the start that are of this kind, and what follows them.
fn leading(text: &str, is_of_kind: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|letter| !is_of_kind(letter));
    text.split_at(end.unwrap_or(text.len()))
}

/// The duration as it would be written; what is less than a millisecond is left out.
pub(super) fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest < 120_000 && rest.is_multiple_of(1_000) {
        return format!("{}s", rest / 1_000);
    }
    let mut text = String::new();
    for (unit, size) in UNITS {
        if rest >= *size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    text
}

impl Bounded for Duration {
    type Bounds = RangeInclusive<Duration>;

    fn read_within(tree: &Tree, reader: &mut Reader<'_>, bounds: Self::Bounds) -> Option<Self> {
        let text = reader.text(tree, Dollar::Environment, false, "2s")?;
        match parse(&text) {
            Ok(duration) if bounds.contains(&duration) => Some(duration),
            Ok(_) => {
                let (low, high) = (format(*bounds.start()), format(*bounds.end()));
                reader.fault(
                    tree,
                    format!("{text} cannot stand here; write a duration from {low} to {high}"),
                );
                None
            }
            Err(message) => {
                reader.fault(tree, message);
                None
            }
        }
    }

    fn schema_within(_: Self::Bounds) -> serde_json::Value {
        schema::text_like("^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$")
    }

    fn example(bounds: Self::Bounds) -> String {
        let usual = Duration::from_secs(2).clamp(*bounds.start(), *bounds.end());
        format(usual)
    }
}

impl Show for Duration {
    fn show(&self) -> serde_json::Value {
        json!(format(*self))
    }
}

#[cfg(test)]
mod tests {
    use super::{format, parse};
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn a_duration_that_is_written_reads_back_the_same(milliseconds in 0..u64::MAX) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_the_duration_reader_panic(text in "[0-9hms.ü -]{0,24}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn units_add_up_from_large_to_small() {
        assert_eq!(parse("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("1h1ms"), Ok(Duration::from_millis(3_600_001)));
        for wrong in [
            "",
            "s",
            "1s1m",
            "1s1s",
            "1.5s",
            "-1s",
            "1 s",
            "1d",
            "99999999999999999999s",
            "5124095576030h18446744073709551615ms",
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
