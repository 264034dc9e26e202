//! What a route may ask beside host and path: method, headers, query, listener.
//!
//! All predicates of a route have to hold. Where a request may carry several values (repeated header lines, repeated query
//! parameters), one that fits is enough. Query names and values are read as forms write them, `+` and `%20` both a space (URL Standard
//! §5.1). A header value that is not UTF-8 is present, and equals and matches nothing. `GET` does not stand for `HEAD`.

use std::fmt;

use http::{HeaderName, Method};
use regex::Regex;

use super::Request;
use crate::config::{Match, ValuePattern};

/// One question to a request.
#[derive(Debug, Clone)]
pub enum Predicate {
    /// It has one of these methods.
    Method(Box<[Method]>),
    /// The header with this name passes the test.
    Header(HeaderName, Test),
    /// The query parameter with this decoded name passes the test.
    Query(Box<str>, Test),
    /// It came in on the listener with one of these names.
    Listener(Box<[String]>),
}

/// What is asked of a named value.
#[derive(Debug, Clone)]
pub enum Test {
    /// It is exactly this.
    Equals(Box<str>),
    /// This is found in it.
    Matches(Regex),
    /// There is one.
    Present,
    /// There is none.
    Absent,
}

impl Predicate {
    /// All that `pattern` asks beside host and path, in the order in which it is asked.
    pub(super) fn all_of(pattern: &Match) -> Box<[Self]> {
        let methods = Some(&pattern.methods).filter(|methods| !methods.is_empty());
        let listeners = Some(&pattern.listeners).filter(|listeners| !listeners.is_empty());
        let headers = pattern.headers.iter();
        let query = pattern.query.iter();
        methods
            .map(|methods| Self::Method(methods.as_slice().into()))
            .into_iter()
            .chain(headers.map(|header| Self::Header(header.name.clone(), (&header.value).into())))
            .chain(
                query.map(|query| Self::Query(query.name.as_str().into(), (&query.value).into())),
            )
            .chain(listeners.map(|listeners| Self::Listener(listeners.as_slice().into())))
            .collect()
    }

    pub(super) fn accepts(&self, request: &Request<'_>) -> bool {
        match self {
            Self::Method(methods) => methods.contains(request.method),
            Self::Header(name, test) => {
                let lines = request.headers.get_all(name).into_iter();
                test.accepts(lines.map(|line| std::str::from_utf8(line.as_bytes()).ok()))
            }
            Self::Query(name, test) => test.accepts_parameter(name, request.query.unwrap_or("")),
            Self::Listener(names) => names.iter().any(|name| name == request.listener),
        }
    }
}

impl Test {
    fn accepts<V: AsRef<str>>(&self, mut values: impl Iterator<Item = Option<V>>) -> bool {
        match self {
            Self::Equals(text) => {
                values.any(|value| value.is_some_and(|value| value.as_ref() == &**text))
            }
            Self::Matches(regex) => {
                values.any(|value| value.is_some_and(|value| regex.is_match(value.as_ref())))
            }
            Self::Present => values.next().is_some(),
            Self::Absent => values.next().is_none(),
        }
    }

    fn accepts_parameter(&self, name: &str, query: &str) -> bool {
        let parameters = form_urlencoded::parse(query.as_bytes());
        self.accepts(parameters.filter_map(|(key, value)| (key == name).then_some(Some(value))))
    }
}

impl From<&ValuePattern> for Test {
    fn from(pattern: &ValuePattern) -> Self {
        match pattern {
            ValuePattern::Exact(text) => Self::Equals(text.as_str().into()),
            ValuePattern::Regex(regex) => Self::Matches(regex.clone()),
            ValuePattern::Present(true) => Self::Present,
            ValuePattern::Present(false) => Self::Absent,
        }
    }
}

impl fmt::Display for Predicate {
    /// Says what does not hold, for a predicate that failed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(methods) => write!(f, "method is not {}", OneOf(methods)),
            Self::Header(name, test) => write!(f, "header {name} {test}"),
            Self::Query(name, test) => write!(f, "query parameter {name} {test}"),
            Self::Listener(names) => write!(f, "listener is not {}", OneOf(names)),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(text) => write!(f, "is not {text:?}"),
            Self::Matches(regex) => write!(f, "is not matched by /{}/", regex.as_str()),
            Self::Present => f.write_str("is missing"),
            Self::Absent => f.write_str("is present"),
        }
    }
}

/// Shows as `a, b or c`.
pub(super) struct OneOf<'a, T>(pub(super) &'a [T]);

impl<T: fmt::Display> fmt::Display for OneOf<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, choice) in self.0.iter().enumerate() {
            let separator = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{separator}{choice}")?;
        }
        Ok(())
    }
}
