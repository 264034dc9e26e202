//! `slow_start`: how long a backend that has come back is spared.

use super::duration::{self, DAY, MILLISECOND, format};
use super::read::{Show, Word};
use super::schema;
use serde_json::json;
use std::time::Duration;

/// The time in which the weight of a backend that has come back grows to its full size; `off` for at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowStart(pub Option<Duration>);

impl Word for SlowStart {
    const EXAMPLE: &'static str = "30s";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(SlowStart(None));
        }
        match duration::parse(text) {
            Ok(ramp) if (MILLISECOND..=DAY).contains(&ramp) => Ok(SlowStart(Some(ramp))),
            Ok(_) => Err(format!(
                "{text} cannot stand here; write `off`, or a duration from {} to {}",
                format(MILLISECOND),
                format(DAY)
            )),
            Err(message) => Err(message),
        }
    }

    fn schema() -> serde_json::Value {
        schema::text_like("^off$|^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$")
    }
}

impl Show for SlowStart {
    fn show(&self) -> serde_json::Value {
        match self.0 {
            None => json!("off"),
            Some(ramp) => json!(format(ramp)),
        }
    }
}
