//! What is chosen from outside, through the environment, so that `make bench ONLY=small,tls` works.

use std::env;
use std::str::FromStr;

use crate::contestants::CONTESTANTS;
use crate::scenarios::SCENARIOS;

pub(crate) struct Options {
    /// ONLY: names of scenarios; by default all.
    only: Vec<String>,
    /// AGAINST: names of contestants; by default all.
    against: Vec<String>,
    /// ROUNDS, at least one.
    pub(crate) rounds: usize,
    /// SECONDS that each measurement at the fixed rate lasts; one of what goes at most lasts half of that.
    pub(crate) seconds: u64,
    /// WORKERS: which numbers of them. With more than one, only the scenarios that are marked so, unless ONLY names them.
    pub(crate) workers: Vec<usize>,
    /// RATE: requests a second at the fixed rate; by default half of what the slowest can do.
    pub(crate) rate: Option<f64>,
    /// RECORD=yes writes the results to docs/.
    pub(crate) record: bool,
}

impl Options {
    pub(crate) fn from_environment() -> Result<Self, String> {
        let options = Self {
            only: names("ONLY", SCENARIOS.iter().map(|scenario| scenario.name))?,
            against: names(
                "AGAINST",
                CONTESTANTS.iter().map(|contestant| contestant.name),
            )?,
            rounds: number("ROUNDS")?.unwrap_or(3),
            seconds: number("SECONDS")?.unwrap_or(2),
            workers: match text("WORKERS") {
                None => vec![1, 2],
                Some(list) => list
                    .split(',')
                    .map(|word| {
                        word.parse()
                            .map_err(|_| format!("WORKERS: {word:?} is no number"))
                    })
                    .collect::<Result<_, _>>()?,
            },
            rate: number("RATE")?,
            record: text("RECORD").is_some_and(|word| word == "yes"),
        };
        if options.rounds == 0 || options.seconds == 0 || options.workers.contains(&0) {
            return Err("ROUNDS, SECONDS and WORKERS are at least 1".into());
        }
        Ok(options)
    }

    pub(crate) fn runs(&self, scenario: &crate::scenarios::Scenario, workers: usize) -> bool {
        if self.only.is_empty() {
            workers == 1 || scenario.with_two
        } else {
            self.only.iter().any(|name| name == scenario.name)
        }
    }

    pub(crate) fn admits(&self, contestant: &str) -> bool {
        self.against.is_empty() || self.against.iter().any(|name| name == contestant)
    }
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

fn number<T: FromStr>(name: &str) -> Result<Option<T>, String> {
    let Some(text) = text(name) else {
        return Ok(None);
    };
    let number = text.parse();
    number
        .map(Some)
        .map_err(|_| format!("{name}: {text:?} is no number"))
}

fn names<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let known: Vec<&str> = known.collect();
    let list = text(name).unwrap_or_default();
    let chosen: Vec<String> = list
        .split(',')
        .filter(|word| !word.is_empty())
        .map(Into::into)
        .collect();
    match chosen.iter().find(|word| !known.contains(&word.as_str())) {
        Some(word) => Err(format!(
            "{name}: no {word:?}; there are {}",
            known.join(", ")
        )),
        None => Ok(chosen),
    }
}
