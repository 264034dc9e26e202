//! The regexes of one host, searched together.
//!
//! One automaton holds all of them and says in one pass which is the first, in order of precedence, that matches; with a thousand
//! regexes the 999 that do not match cost nothing of their own. `regex::RegexSet` answers the same question but allocates a set for
//! each answer. The way around: each pattern is led by `\A(?s:.*?)`, so all matches begin at the start, and of matches that begin at
//! one place the automaton prefers the earlier pattern (leftmost-first, as in an alternation).
//!
//! It only proposes. Where the automaton cannot be built (too big, or a verbose pattern that ends in a comment), all are proposed.

use regex_automata::meta;

use super::rule::Ranked;

/// The regexes of some routes, best first.
#[derive(Debug)]
pub(super) struct Regexes {
    together: Option<meta::Regex>,
    routes: Box<[Ranked]>,
}

impl Regexes {
    /// Takes each pattern with its route, best first.
    pub(super) fn new<'p>(patterns: impl Iterator<Item = (&'p str, Ranked)>) -> Self {
        let (patterns, routes): (Vec<_>, Vec<_>) = patterns
            .map(|(pattern, route)| (format!(r"\A(?s:.*?)(?:{pattern})"), route))
            .unzip();
        Self {
            together: build(&patterns),
            routes: routes.into(),
        }
    }

    /// The best route, whether it matches or not.
    pub(super) fn best(&self) -> Option<Ranked> {
        self.routes.first().copied()
    }

    /// Routes, best first, among which are all whose regex matches `path`; the first is one of those, unless nothing is known.
    pub(super) fn candidates(&self, path: &str) -> &[Ranked] {
        let Some(together) = &self.together else {
            return &self.routes;
        };
        let first = together.search_half(&regex_automata::Input::new(path));
        first
            .and_then(|first| self.routes.get(first.pattern().as_usize()..))
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
