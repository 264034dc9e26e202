//! All routes, ready to be asked.
//!
//! The routes of each host pattern form a section, in which they are sorted by precedence once; so at run time the better of two is the
//! one with the smaller place. A lookup goes through the sections for the request's host, closest first, and in each through the lists
//! of routes whose path can fit: exact, regexes, prefixes from long to short, any path. A list is left as soon as it cannot beat what is
//! already found; so a high `priority` on a short prefix costs one more look, not a scan.

use std::collections::BTreeMap;

use super::Request;
use super::host::{Host, HostIndex};
use super::path::{self, Path};
use super::precedence::{HostRank, Precedence};
use super::regexes::Regexes;
use super::rule::{Miss, Ranked, Rule, Subject};
use super::tree::{Ends, Forest, Listed, Reached, Root};

/// The routes of one snapshot.
#[derive(Debug)]
pub struct Table {
    /// In file order.
    rules: Box<[Rule]>,
    sections: HostIndex<Section>,
    forest: Forest,
}

/// What became of one route in [`Table::consider`].
#[derive(Debug, Clone, Copy)]
pub struct Considered<'t> {
    /// Index of the route in file order.
    pub route: usize,
    /// How specific the route is for the request, or, when its host is another one, could be at best.
    pub precedence: Precedence,
    /// Whether it matches; the error says what is missing first.
    pub outcome: Result<(), Miss<'t>>,
}

/// The routes for one host pattern.
#[derive(Debug)]
struct Section {
    root: Root,
    regexes: Option<Box<Regexes>>,
    any_path: Listed,
}

impl Table {
    /// Takes what each route matches and its priority, in file order.
    pub fn new<'c>(routes: impl IntoIterator<Item = (&'c crate::config::Match, i32)>) -> Self {
        let numbered = routes.into_iter().enumerate();
        let rules: Box<[Rule]> = numbered
            .map(|(index, (pattern, priority))| Rule::new(pattern, priority, index))
            .collect();
        let mut forest = Forest::default();
        let sections = HostIndex::new(by_host(&rules).into_iter().map(|(host, members)| {
            let rank = host.map_or(HostRank::Any, Host::rank);
            let best_first = sorted(members, rank);
            let section = Section::new(&best_first, &mut forest);
            (host.cloned(), section)
        }));
        Self {
            sections,
            forest,
            rules,
        }
    }

    /// The route that the request takes, as its index in file order. `None` is a 404.
    ///
    /// Does not allocate, unless the path holds escapes, or the query does and a route asks for a parameter. A thread's first search with
    /// a regex makes that regex's caches.
    pub fn find(&self, request: &Request<'_>) -> Option<usize> {
        let subject = Subject::new(request);
        let mut sections = self.sections.closest_first(&subject.host);
        let winner = sections.find_map(|section| self.best_of(section, &subject))?;
        Some(winner.route as usize)
    }

    /// What becomes of each route, the most specific first: the first one that matches is what [`Table::find`] answers.
    ///
    /// Asks every route; meant for explanations, not for traffic.
    pub fn consider(&self, request: &Request<'_>) -> Vec<Considered<'_>> {
        let subject = Subject::new(request);
        let rules = self.rules.iter().enumerate();
        let mut considered: Vec<_> = rules
            .map(|(route, rule)| Considered {
                route,
                precedence: rule.precedence(&subject),
                outcome: rule.check(&subject),
            })
            .collect();
        considered.sort_unstable_by_key(|considered| std::cmp::Reverse(considered.precedence));
        considered
    }

    fn best_of(&self, section: &Section, subject: &Subject<'_>) -> Option<Ranked> {
        let reached = self.forest.reach(section.root, &subject.path);
        let exact = reached.map(Reached::exact).unwrap_or_default();
        let mut best = self.better(None, exact, subject);
        if let Some(regexes) = &section.regexes
            && beats(regexes.best(), best)
        {
            best = self.better(best, regexes.candidates(&subject.path), subject);
        }
        for prefix in reached.into_iter().flat_map(Reached::prefixes) {
            best = self.better(best, prefix, subject);
        }
        self.better(best, self.forest.listed(section.any_path), subject)
    }

    /// The first of `routes`, which are sorted, that matches and is better than `best`; otherwise `best`.
    fn better(
        &self,
        best: Option<Ranked>,
        routes: &[Ranked],
        subject: &Subject<'_>,
    ) -> Option<Ranked> {
        let worth_asking = routes.iter().take_while(|route| beats(Some(**route), best));
        let mut matching = worth_asking.filter(|route| self.matches(**route, subject));
        matching.next().copied().or(best)
    }

    fn matches(&self, ranked: Ranked, subject: &Subject<'_>) -> bool {
        let rule = || self.rules.get(ranked.route as usize);
        ranked.index_says_all || rule().is_some_and(|rule| rule.check_below_host(subject).is_ok())
    }
}

impl Considered<'_> {
    /// Whether the request could take the route.
    pub fn matched(&self) -> bool {
        self.outcome.is_ok()
    }
}

impl Section {
    /// Takes the routes of one host, best first.
    fn new(best_first: &[&Rule], forest: &mut Forest) -> Self {
        let mut ends: BTreeMap<&[u8], Ends> = BTreeMap::new();
        let mut regexes = Vec::new();
        let mut any_path = Vec::new();
        for (place, rule) in best_first.iter().enumerate() {
            let ranked = rule.at(place);
            match rule.path() {
                Some(Path::Exact(path)) => {
                    ends.entry(path.as_bytes()).or_default().exact.push(ranked);
                }
                Some(Path::Prefix(prefix)) => {
                    let key = path::without_last_slash(prefix).as_bytes();
                    ends.entry(key).or_default().prefix.push(ranked);
                }
                Some(Path::Regex(regex)) => regexes.push((regex.as_str(), ranked)),
                None => any_path.push(ranked),
            }
        }
        let keys: Vec<_> = ends.into_iter().collect();
        Self {
            root: forest.plant(&keys),
            regexes: (!regexes.is_empty()).then(|| Box::new(Regexes::new(regexes.into_iter()))),
            any_path: forest.list(&any_path),
        }
    }
}

fn by_host(rules: &[Rule]) -> BTreeMap<Option<&Host>, Vec<&Rule>> {
    let mut members: BTreeMap<Option<&Host>, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        if rule.hosts().is_empty() {
            members.entry(None).or_default().push(rule);
        }
        for host in rule.hosts() {
            members.entry(Some(host)).or_default().push(rule);
        }
    }
    members
}

fn sorted(mut members: Vec<&Rule>, host: HostRank) -> Vec<&Rule> {
    members.sort_unstable_by_key(|rule| std::cmp::Reverse(rule.precedence_under(host)));
    members
}

/// Whether one route of a section is better than another.
fn beats(ranked: Option<Ranked>, other: Option<Ranked>) -> bool {
    match (ranked, other) {
        (Some(ranked), Some(other)) => ranked.place < other.place,
        (ranked, None) => ranked.is_some(),
        (None, Some(_)) => false,
    }
}
