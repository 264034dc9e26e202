//! `retry`: which failed attempts are made again, at another backend.

use super::duration::{DAY, MILLISECOND};
use super::percent::Percent;
use super::read::{Read, Show, Word};
use super::reader::Reader;
use super::schema;
use super::section::section;
use super::tree::Tree;
use super::word::{show_word, word_of};
use serde_json::json;
use std::time::Duration;

section! {
    /// Which failed attempts are made again, at another backend; `off` for none.
    #[derive(PartialEq, Eq)]
    pub struct Retry {
        /// Attempts in all that reach a backend. A connection that could not be made reached none and does not count:
        /// such a request goes on until each backend was tried once.
        pub attempts: u32 [1..=100] = 2,
        /// What an attempt may have failed with: `connect`, `reset`, `timeout`, `502`, `503`, `504`, `5xx`.
        pub on: Triggers = Triggers(vec![Trigger::Connect, Trigger::Reset]),
        /// Requests that a backend may have seen are sent again as long as these are no more than this share of the
        /// upstream's requests of the last ten seconds, and 100 more.
        pub budget: Percent [1..=100] = Percent(20),
        /// No attempt begins later than this after the first one; no limit by default.
        pub deadline: Option<Duration> [MILLISECOND..=DAY],
        /// Whether requests that a backend may have acted upon are sent again even when their method is not idempotent,
        /// such as POST.
        pub non_idempotent: bool = false,
    }
}

/// What a list of triggers holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triggers(pub Vec<Trigger>);

/// What an attempt has failed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The connection could not be made: nothing was sent.
    Connect,
    /// The connection broke off before the answer had begun.
    Reset,
    /// The backend took too long to take the request or to begin its answer.
    Timeout,
    /// It answered with this status.
    Status(u16),
    /// It answered with a status from 500 to 599.
    ServerError,
}

const TRIGGERS: &[(&str, Trigger)] = &[
    ("connect", Trigger::Connect),
    ("reset", Trigger::Reset),
    ("timeout", Trigger::Timeout),
    ("502", Trigger::Status(502)),
    ("503", Trigger::Status(503)),
    ("504", Trigger::Status(504)),
    ("5xx", Trigger::ServerError),
];

impl Triggers {
    /// Whether what happened is among them. A status is asked for as [`Trigger::Status`].
    pub fn include(&self, happened: Trigger) -> bool {
        self.0.iter().any(|trigger| match (trigger, happened) {
            (Trigger::ServerError, Trigger::Status(status)) => (500..600).contains(&status),
            (trigger, happened) => *trigger == happened,
        })
    }
}

impl Read for Triggers {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        Vec::read(tree, reader).map(Triggers)
    }

    fn schema() -> serde_json::Value {
        json!({"type": "array", "items": <Trigger as Word>::schema()})
    }

    fn example() -> String {
        "[connect, reset]".to_owned()
    }
}

impl Show for Triggers {
    fn show(&self) -> serde_json::Value {
        let words: Vec<_> = self
            .0
            .iter()
            .map(|trigger| show_word(trigger, TRIGGERS))
            .collect();
        json!(words)
    }
}

impl Word for Trigger {
    const EXAMPLE: &'static str = "connect";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, TRIGGERS)
    }

    fn schema() -> serde_json::Value {
        let mut schema = schema::one_of(TRIGGERS);
        if let Some(choices) = schema["anyOf"].as_array_mut() {
            choices.push(json!({"enum": [502, 503, 504]}));
        }
        schema
    }
}
