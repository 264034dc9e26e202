//! `retry`: which failed attempts are made again, at another backend.
//!
//! Keys that contradict each other are refused: whoever has written `on: [503]` beside `attempts: 1` believes in a second attempt.

use super::diagnostic::Place;
use super::duration::{DAY, MILLISECOND};
use super::percent::Percent;
use super::read::{Read, Show, Word};
use super::reader::Reader;
use super::schema;
use super::section::section;
use super::spot::Spot;
use super::tree::Tree;
use super::word::{show_word, word_of};
use serde_json::json;
use std::time::Duration;

/// Which failed attempts are made again, at another backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all that reach a backend.
    pub attempts: u32,
    /// What an attempt may have failed with; at least one.
    pub on: Triggers,
    /// The share of the upstream's requests that may be sent again.
    pub budget: Percent,
    /// No attempt begins later than this after the first one.
    pub deadline: Option<Duration>,
    /// Whether requests are sent again even when their method is not idempotent.
    pub non_idempotent: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            attempts: 2,
            on: Triggers(vec![Trigger::Connect, Trigger::Reset]),
            budget: Percent(20),
            deadline: None,
            non_idempotent: false,
        }
    }
}

section! {
    /// Which failed attempts are made again, at another backend; `off` for none.
    pub(super) struct RetryEntry {
        /// Attempts in all that reach a backend. A connection that could not be made reached none and does not count:
        /// such a request goes on until each backend was tried once.
        pub(super) attempts: u32 [1..=100] = Retry::default().attempts,
        /// What an attempt may have failed with: `connect`, `reset`, `timeout`, `502`, `503`, `504`, `5xx`.
        pub(super) on: Spot<Triggers> = Spot::default_value(Retry::default().on),
        /// Requests that a backend may have seen are sent again as long as these are no more than this share of the
        /// upstream's requests of the last ten seconds, and 100 more.
        pub(super) budget: Spot<Percent> [1..=100] = Spot::default_value(Retry::default().budget),
        /// No attempt begins later than this after the first one; no limit by default.
        pub(super) deadline: Option<Duration> [MILLISECOND..=DAY],
        /// Whether requests that a backend may have acted upon are sent again even when their method is not idempotent,
        /// such as POST.
        pub(super) non_idempotent: bool = Retry::default().non_idempotent,
    }
}

impl RetryEntry {
    /// The rules, once its keys are seen to fit together.
    pub(super) fn build(self, reader: &mut Reader<'_>) -> Retry {
        let on_is_whole = |place: &Place| !reader.has_faults_below(&place.path);
        let on_is_whole = self.on.place.as_ref().is_none_or(on_is_whole);
        let only_unsent = self.on.value.0 == [Trigger::Connect] && on_is_whole;
        if let Some(place) = &self.on.place
            && on_is_whole
        {
            if self.on.value.0.is_empty() {
                let message = "nothing stands here, so nothing is tried again; add an element, or write `retry: off`";
                reader.fault_at(place, message);
            } else if self.attempts == 1 && !only_unsent {
                let message = "`attempts: 1` makes only connections again that could not be made; \
write `attempts: 2`, or here `[connect]`";
                reader.fault_at(place, message);
            }
        }
        if let Some(place) = &self.budget.place
            && (self.attempts == 1 || only_unsent)
        {
            let because = if only_unsent {
                "`on: [connect]`"
            } else {
                "`attempts: 1`"
            };
            reader.fault_at(
                place,
                format!("with {because} nothing is sent again that this could be a share of; remove one of the two"),
            );
        }
        Retry {
            attempts: self.attempts,
            on: self.on.value,
            budget: self.budget.value,
            deadline: self.deadline,
            non_idempotent: self.non_idempotent,
        }
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

impl Trigger {
    /// Each with the word that stands for it in `retry.on`.
    pub const WORDS: &[(&str, Trigger)] = &[
        ("connect", Trigger::Connect),
        ("reset", Trigger::Reset),
        ("timeout", Trigger::Timeout),
        ("502", Trigger::Status(502)),
        ("503", Trigger::Status(503)),
        ("504", Trigger::Status(504)),
        ("5xx", Trigger::ServerError),
    ];
}

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
            .map(|trigger| show_word(trigger, Trigger::WORDS))
            .collect();
        json!(words)
    }
}

impl Word for Trigger {
    const EXAMPLE: &'static str = "connect";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, Trigger::WORDS)
    }

    fn schema() -> serde_json::Value {
        let mut schema = schema::one_of(Trigger::WORDS);
        if let Some(choices) = schema["anyOf"].as_array_mut() {
            choices.push(json!({"enum": [502, 503, 504]}));
        }
        schema
    }
}
