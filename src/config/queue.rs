//! `queue`: requests that wait while every backend has as many as it may.
//!
//! Only `max_requests` makes a backend full. Where none has it, nobody would ever wait, and a queue that looks as if it
//! protected the backends is refused.

use super::backend::Backend;
use super::diagnostic::Place;
use super::duration::{DAY, MILLISECOND};
use super::reader::Reader;
use super::section::section;
use super::shorthand::Shorthand;
use super::spot::Spot;
use serde_json::json;
use std::time::Duration;

section! {
    /// Requests that wait while every backend is at its `max_requests`, first come, first served.
    #[derive(PartialEq, Eq)]
    pub struct Queue {
        /// How many requests may wait; one more is answered 503 at once.
        pub size: usize [1..=1_000_000],
        /// How long a request may wait; it is then answered 503.
        pub timeout: Duration [MILLISECOND..=DAY],
    }
}

impl Spot<Queue> {
    /// The queue, once it is seen that there can be something to wait for.
    pub(super) fn build(self, backends: &[Backend], reader: &mut Reader<'_>) -> Queue {
        let is_unlimited = |backend: &Backend| backend.max_requests.is_none();
        if let Some(place) = &self.place
            && backends.iter().all(is_unlimited)
            && !reader.has_faults_below(&beside(place, "backends"))
        {
            reader.fault_at(
                place,
                "no backend has `max_requests`, so none is ever full and nothing would wait here; \
set `max_requests` at the backends, or remove the queue",
            );
        }
        self.value
    }
}

/// The path of another key in the section that this one is in.
fn beside(place: &Place, key: &str) -> String {
    let section = place.path.rsplit_once('.');
    format!("{}.{key}", section.map_or("", |(section, _)| section))
}

impl Shorthand for Option<Spot<Queue>> {
    const EXAMPLE: &'static str = "{ size: 100, timeout: 5s }";

    fn from_word(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(None),
            _ => Err(format!(
                "{text:?} is not understood here; write `{}`, or `off`",
                Self::EXAMPLE
            )),
        }
    }

    fn word_schema() -> serde_json::Value {
        json!({"const": "off"})
    }
}
