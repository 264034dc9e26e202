//! The regexes of one host, searched together.
//!
//! One automaton holds all of them and says in one pass which is the first, in order of precedence, that matches; with a thousand
//! regexes the 999 that do not match cost nothing of their own. `regex::RegexSet` answers the same question but allocates a set for
//! each answer. The way around: each pattern is led by `\A(?s:.*?)`, so all matches begin at the start, and of matches that begin at
//! one place the automaton prefers the earlier pattern (leftmost-first, as in an alternation).
//!
//! It only proposes. Where the automaton cannot be built (too big, or a verbose pattern that ends in a comment), all are proposed.

use regex_automata::meta;

/// Regexes with the slot of each, best first.
#[derive(Debug)]
pub(super) struct Regexes {
    together: Option<meta::Regex>,
    slots: Box<[u32]>,
}

impl Regexes {
    /// Takes each pattern with its slot, best first.
    pub(super) fn new<'p>(patterns: impl Iterator<Item = (&'p str, u32)>) -> Self {
        let (patterns, slots): (Vec<_>, Vec<_>) = patterns
            .map(|(pattern, slot)| (format!(r"\A(?s:.*?)(?:{pattern})"), slot))
            .unzip();
        Self {
            together: build(&patterns),
            slots: slots.into(),
        }
    }

    /// The slot of the best regex, whether it matches or not.
    pub(super) fn best(&self) -> Option<u32> {
        self.slots.first().copied()
    }

    /// Slots, best first, in which every regex that matches `path` is to be found; the first is one, unless nothing is known.
    pub(super) fn candidates(&self, path: &str) -> &[u32] {
        let Some(together) = &self.together else {
            return &self.slots;
        };
        let first = together.search_half(&regex_automata::Input::new(path));
        first
            .and_then(|first| self.slots.get(first.pattern().as_usize()..))
            .unwrap_or_default()
    }
}

/// `None` for a single pattern too: it is searched by itself anyway.
fn build(patterns: &[String]) -> Option<meta::Regex> {
    match patterns {
        [] | [_] => None,
        _ => meta::Regex::new_many(patterns).ok(),
    }
}
