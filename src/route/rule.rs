//! One route as the table sees it: everything it asks of a request, and how specific it is.
//!
//! Host first, then path, then the predicates in the contract's order; the first that fails is the answer. `explain` puts everything to
//! every route; the lookup leaves out what the index has already answered.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use super::Request;
use super::host::{Host, HostName};
use super::path::{self, Path};
use super::precedence::{HostRank, PathRank, Precedence};
use super::predicate::{OneOf, Predicate};
use crate::config::Match;

/// A route's side of the comparison.
#[derive(Debug)]
pub(super) struct Rule {
    hosts: Box<[Host]>,
    priority: i32,
    path: Option<Path>,
    predicates: Box<[Predicate]>,
    file_order: usize,
}

/// A route in its place among those of one host, with just enough to leave its [`Rule`] alone: most routes ask for nothing that the index
/// has not answered, and in a large table each rule is a trip to main memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ranked {
    /// Counted from the most specific route on, so the smaller one wins.
    pub(super) place: u32,
    /// Index in file order.
    pub(super) route: u32,
    /// Whether an index of hosts and literal paths answers everything that the route asks.
    pub(super) index_says_all: bool,
}

/// The first thing that a route asks and a request does not have.
#[derive(Debug, Clone, Copy)]
pub enum Miss<'t> {
    /// The host is none of these.
    Host(&'t [Host]),
    /// The path is not this.
    Path(&'t Path),
    /// This does not hold.
    Predicate(&'t Predicate),
}

/// A request's side of the comparison, brought to the form of the patterns once.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) host: HostName,
    pub(super) path: Cow<'a, str>,
    request: &'a Request<'a>,
}

impl Rule {
    pub(super) fn new(pattern: &Match, priority: i32, file_order: usize) -> Self {
        Self {
            hosts: pattern.hosts.iter().map(Host::new).collect(),
            priority,
            path: pattern.path.as_ref().map(Path::new),
            predicates: Predicate::all_of(pattern),
            file_order,
        }
    }

    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_ref()
    }

    pub(super) fn at(&self, place: usize) -> Ranked {
        Ranked {
            place: place as u32,
            route: self.file_order as u32,
            index_says_all: self.predicates.is_empty()
                && !matches!(self.path, Some(Path::Regex(_))),
        }
    }

    /// Whether the request may take the route; the error is the first thing that is missing.
    pub(super) fn check(&self, subject: &Subject<'_>) -> Result<(), Miss<'_>> {
        if !self.hosts.is_empty() && self.closest_host(&subject.host).is_none() {
            return Err(Miss::Host(&self.hosts));
        }
        self.check_below_host(subject)
    }

    /// The same for a request whose host is known to fit.
    pub(super) fn check_below_host(&self, subject: &Subject<'_>) -> Result<(), Miss<'_>> {
        if let Some(path) = &self.path
            && !path.accepts(&subject.path)
        {
            return Err(Miss::Path(path));
        }
        let mut predicates = self.predicates.iter();
        match predicates.find(|predicate| !predicate.accepts(subject.request)) {
            Some(predicate) => Err(Miss::Predicate(predicate)),
            None => Ok(()),
        }
    }

    /// How specific the route is for this request, or, when its host is another one, could be at best.
    pub(super) fn precedence(&self, subject: &Subject<'_>) -> Precedence {
        let closest = self
            .closest_host(&subject.host)
            .or_else(|| self.hosts.iter().map(Host::rank).max());
        self.precedence_under(closest.unwrap_or(HostRank::Any))
    }

    /// How specific the route is where its host has this rank.
    pub(super) fn precedence_under(&self, host: HostRank) -> Precedence {
        let path = self.path.as_ref();
        Precedence {
            host,
            priority: self.priority,
            path: path.map_or(PathRank::Any, |path| path.rank(self.file_order)),
            predicates: self.predicates.len(),
            file_order: Reverse(self.file_order),
        }
    }

    fn closest_host(&self, name: &HostName) -> Option<HostRank> {
        let fitting = self.hosts.iter().filter(|host| host.accepts(name));
        fitting.map(Host::rank).max()
    }
}

impl<'a> Subject<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        Self {
            host: HostName::new(request.host),
            path: path::for_matching(request.path),
            request,
        }
    }
}

impl fmt::Display for Miss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(hosts) => write!(f, "host is not {}", OneOf(hosts)),
            Self::Path(path) => write!(f, "path is not {path}"),
            Self::Predicate(predicate) => predicate.fmt(f),
        }
    }
}
