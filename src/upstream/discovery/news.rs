//! What is worth a line in the log, and the line.
//!
//! A name that stops to resolve is a warning, with the reason and what happens now; all else is for information. Nothing is said twice: a
//! lookup that finds what the one before has found is no news.

use std::fmt;
use std::net::SocketAddr;

use log::Level;

use super::srv::Preference;

/// So many addresses are written in one line.
const SHOWN: usize = 20;

/// One address that a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Located {
    pub(super) address: SocketAddr,
    pub(super) preference: Preference,
}

/// What is worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// The first lookup that failed.
    Fails { reason: String, is_known: bool },
    /// The first one that succeeded after that.
    ResolvesAgain,
    /// Its first addresses.
    Resolves(Vec<Located>),
    /// Other addresses, or other preferences among them.
    Changed(Change),
}

/// What is other than before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    came: Vec<Located>,
    went: Vec<Located>,
    /// The same address with another priority or weight.
    differ: Vec<Located>,
}

impl News {
    pub(super) fn level(&self) -> Level {
        match self {
            Self::Fails { .. } => Level::Warn,
            Self::ResolvesAgain | Self::Resolves(_) | Self::Changed(_) => Level::Info,
        }
    }

    /// The line about `name`, as it was written.
    pub(super) fn line(&self, name: &dyn fmt::Display) -> String {
        match self {
            Self::Fails { reason, is_known } => {
                let consequence = if *is_known {
                    "its last good addresses stay in use"
                } else {
                    "it gets no requests until it resolves"
                };
                format!("cannot resolve {name}: {reason}; {consequence}")
            }
            Self::ResolvesAgain => format!("{name} resolves again"),
            Self::Resolves(located) => format!("{name} resolves to {}", list(located)),
            Self::Changed(change) => {
                let parts = [
                    ("new", &change.came),
                    ("gone", &change.went),
                    ("now", &change.differ),
                ];
                let parts = parts.iter().filter(|(_, located)| !located.is_empty());
                let parts: Vec<_> = parts
                    .map(|(what, located)| format!("{what} {}", list(located)))
                    .collect();
                format!("{name} has changed: {}", parts.join("; "))
            }
        }
    }
}

impl Change {
    /// Both are sorted by address.
    pub(super) fn between(before: &[Located], after: &[Located]) -> Self {
        let find = |one: &Located, all: &[Located]| {
            let found = all.binary_search_by_key(&one.address, |other| other.address);
            found.ok().and_then(|index| all.get(index).copied())
        };
        let without = |these: &[Located], others: &[Located]| {
            let these = these.iter().filter(|one| find(one, others).is_none());
            these.copied().collect()
        };
        let differ = after.iter().filter(|one| {
            let earlier = find(one, before);
            earlier.is_some_and(|earlier| earlier.preference != one.preference)
        });
        Self {
            came: without(after, before),
            went: without(before, after),
            differ: differ.copied().collect(),
        }
    }
}

impl fmt::Display for Located {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.address)?;
        let Preference { priority, weight } = self.preference;
        if self.preference != Preference::default() {
            write!(formatter, " (priority {priority}, weight {weight})")?;
        }
        Ok(())
    }
}

fn list(located: &[Located]) -> String {
    let shown: Vec<_> = located.iter().take(SHOWN).map(Located::to_string).collect();
    let mut list = shown.join(", ");
    if let Some(more) = located.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        list.push_str(&format!(" and {more} more"));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(address: &str, priority: u16, weight: u16) -> Located {
        Located {
            address: address.parse().unwrap(),
            preference: Preference { priority, weight },
        }
    }

    #[test]
    fn what_came_what_went_and_what_differs_stands_in_one_line() {
        let before = [
            located("10.0.0.1:80", 1, 5),
            located("10.0.0.2:80", 1, 5),
            located("10.0.0.3:80", 1, 5),
        ];
        let after = [
            located("10.0.0.2:80", 1, 6),
            located("10.0.0.3:80", 1, 5),
            located("10.0.0.4:80", 0, 0),
        ];
        let news = News::Changed(Change::between(&before, &after));
        assert_eq!(
            news.line(&"_http._tcp.web"),
            "_http._tcp.web has changed: new 10.0.0.4:80; gone 10.0.0.1:80 (priority 1, weight 5); \
             now 10.0.0.2:80 (priority 1, weight 6)"
        );
    }

    #[test]
    fn a_line_does_not_grow_without_end() {
        let many: Vec<_> = (1..=25)
            .map(|port| located(&format!("10.0.0.1:{port}"), 0, 0))
            .collect();
        let line = News::Resolves(many).line(&"web:80");
        assert!(line.ends_with("10.0.0.1:20 and 5 more"), "{line}");
    }
}
