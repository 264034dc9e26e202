//! `balance`: how a backend is picked for a request.
//!
//! A policy is written as its name; `hash` alone has arguments, and one of them it must have. Its key is a template, and
//! is rendered before there is an attempt: a variable that is only known later would be empty for every request, and
//! all of them would go to one backend. Such variables are refused here, as is a key without any.

use super::collection::only_entry;
use super::early::late_variable;
use super::environment::Dollar;
use super::percent;
use super::read::{Read, Show, Word};
use super::reader::Reader;
use super::schema;
use super::section::section;
use super::tree::{Tree, Value};
use super::vocabulary::Own;
use super::word::{show_word, word_of};
use crate::template::Template;
use serde_json::json;
use std::num::NonZeroU32;

/// How a backend is picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Balance {
    /// In turn, in proportion to weight.
    RoundRobin,
    /// The one with the fewest requests in flight for its weight.
    LeastRequests,
    /// Of two the one with the lower latency × requests in flight.
    PeakEwma,
    /// By chance, in proportion to weight.
    Random,
    /// Of two the one with fewer requests in flight for its weight.
    P2c,
    /// The same key goes to the same backend.
    Hash(Hash),
    /// As a policy says that the program has registered.
    Own(Own),
}

section! {
    /// The same key goes to the same backend, as far as backends stay.
    #[derive(PartialEq, Eq)]
    pub struct Hash {
        /// A text with variables of the request; requests with the same text go to the same backend.
        pub key: HashKey,
        /// How much of its share of all requests in flight a backend may have: `125%` or `1.25`. What is above goes to
        /// the next backend. No bound by default.
        pub max_load: Option<MaxLoad>,
    }
}

/// What requests are hashed by: at least one variable, and only those that are known when a backend is picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashKey(pub Template);

/// What a backend may have of the requests in flight, in percent of its share: 101 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxLoad(pub NonZeroU32);

const HASH: &str = "hash";

const HASH_EXAMPLE: &str = "hash: { key: $remote_addr }";

/// The policies without arguments.
const POLICIES: &[(&str, Balance)] = &[
    ("round_robin", Balance::RoundRobin),
    ("least_requests", Balance::LeastRequests),
    ("peak_ewma", Balance::PeakEwma),
    ("random", Balance::Random),
    ("p2c", Balance::P2c),
];

impl Balance {
    /// Whether a policy of this name is always there.
    pub(crate) fn is_built_in(name: &str) -> bool {
        names().any(|known| known == name)
    }
}

impl Read for Balance {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(tree.value, Value::Mapping(_)) {
            return with_arguments(tree, reader);
        }
        let text = reader.text(tree, Dollar::Environment, false, "round_robin")?;
        let no_settings = Tree {
            at: tree.at,
            value: Value::Mapping(Vec::new()),
        };
        let own = &reader.vocabulary().policies;
        if let Some(own) = own.read(&text, &no_settings, reader) {
            return own.map(Balance::Own);
        }
        without_arguments(&text, own.names())
            .map_err(|message| reader.fault(tree, message))
            .ok()
    }

    fn schema() -> serde_json::Value {
        let about = "A policy with arguments.";
        let mut with_arguments = schema::Section::new(about);
        let about = "The same key goes to the same backend, as far as backends stay.";
        with_arguments.key(HASH, about, Hash::schema(), None, true);
        json!({"anyOf": [schema::one_of(POLICIES), with_arguments.finish()]})
    }

    fn example() -> String {
        "round_robin".to_owned()
    }
}

impl Show for Balance {
    fn show(&self) -> serde_json::Value {
        show_word(self, POLICIES)
    }
}

fn without_arguments<'w>(
    text: &str,
    own: impl Iterator<Item = &'w str>,
) -> Result<Balance, String> {
    if text == HASH {
        return Err(format!(
            "`hash` needs to know what to hash; write for example `{HASH_EXAMPLE}`"
        ));
    }
    // The policies with their names as values, so that a typo of `hash` gets its suggestion as well.
    let names = names().map(|name| -> &'w str { name }).chain(own);
    let words: Vec<(&str, &str)> = names.map(|name| (name, name)).collect();
    let name = word_of(text, &words)?;
    word_of(name, POLICIES)
}

fn with_arguments(tree: &Tree, reader: &mut Reader<'_>) -> Option<Balance> {
    if let Value::Mapping(entries) = &tree.value
        && let [
            (
                Tree {
                    value: Value::Text(name),
                    ..
                },
                block,
            ),
        ] = entries.as_slice()
    {
        let own = &reader.vocabulary().policies;
        let read = reader.under(name, |reader| own.read(name, block, reader));
        if let Some(own) = read {
            return own.map(Balance::Own);
        }
    }
    let known: Vec<&'static str> = names().collect();
    let example = format!("{{ {HASH_EXAMPLE} }}");
    let (policy, arguments) = only_entry(tree, &known, &example, reader)?;
    reader.under(policy, |reader| {
        if policy == HASH {
            return Hash::read(arguments, reader).map(Balance::Hash);
        }
        reader.fault(
            arguments,
            format!("`{policy}` takes no arguments; write `balance: {policy}`"),
        );
        None
    })
}

fn names() -> impl Iterator<Item = &'static str> {
    POLICIES.iter().map(|(name, _)| *name).chain([HASH])
}

impl Word for HashKey {
    const EXAMPLE: &'static str = "$remote_addr";
    const DOLLAR: Dollar = Dollar::Template;

    fn parse(text: &str) -> Result<Self, String> {
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        if let Some(late) = late_variable(&template, |_| false) {
            return Err(format!(
                "${late} is not known yet when a backend is picked; \
write a variable of the request, such as $remote_addr or $http_NAME"
            ));
        }
        if template.variables().next().is_none() {
            return Err(format!(
                "{text:?} is the same for every request, so one backend would get them all; \
write a variable, such as $remote_addr"
            ));
        }
        Ok(HashKey(template))
    }

    fn template(&self) -> Option<&Template> {
        Some(&self.0)
    }
}

impl Word for MaxLoad {
    const EXAMPLE: &'static str = "125%";

    fn parse(text: &str) -> Result<Self, String> {
        percent::parse(text)
            .filter(|percent| (101..=1000).contains(percent))
            .and_then(NonZeroU32::new)
            .map(MaxLoad)
            .ok_or_else(|| {
                format!(
                    "{text:?} is no bound; write 101% to 1000% in whole percent, or 1.01 to 10, \
such as `125%` or `1.25`"
                )
            })
    }

    fn schema() -> serde_json::Value {
        json!({"type": ["number", "string"], "minimum": 1.01, "maximum": 10, "pattern": "^[0-9]+%$|^[0-9]+(\\.[0-9]{1,2})?$|\\$\\{"})
    }
}
