//! Each rule of routing as a line of the feature list; one file per question, and the laws that hold for every table.

mod allocations;
mod explanations;
mod hosts;
mod laws;
mod paths;
mod precedence;
mod predicates;

use http::{HeaderMap, Method};

use super::{Request, Table};
use crate::config::{HostPattern, Match, PathPattern};

/// A request of which only what a test is about is written out.
fn get<'a>(host: &'a str, path: &'a str, headers: &'a HeaderMap) -> Request<'a> {
    Request {
        host,
        path,
        query: None,
        method: &Method::GET,
        headers,
        listener: "main",
    }
}

/// The route that a GET without headers takes.
fn route(table: &Table, host: &str, path: &str) -> Option<usize> {
    table.find(&get(host, path, &HeaderMap::new()))
}

fn table(matches: &[Match]) -> Table {
    Table::new(matches.iter().map(|pattern| (pattern, 0)))
}

fn anything() -> Match {
    Match::default()
}

/// `*.example.com` or a name, as in the file.
fn host(pattern: &str) -> Match {
    Match {
        hosts: vec![host_pattern(pattern)],
        ..anything()
    }
}

fn host_pattern(pattern: &str) -> HostPattern {
    match pattern.strip_prefix("*.") {
        Some(suffix) => HostPattern::Wildcard(suffix.to_owned()),
        None => HostPattern::Exact(pattern.to_owned()),
    }
}

fn prefix(path: &str) -> Match {
    with_path(PathPattern::Prefix(path.to_owned()))
}

fn exact(path: &str) -> Match {
    with_path(PathPattern::Exact(path.to_owned()))
}

fn regex(pattern: &str) -> Match {
    with_path(PathPattern::Regex(compiled(pattern)))
}

fn with_path(path: PathPattern) -> Match {
    Match {
        path: Some(path),
        ..anything()
    }
}

fn compiled(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).expect("a test's pattern is a regex")
}
