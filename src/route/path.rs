//! Paths: what a route may ask of one.
//!
//! A request's path and the patterns are percent-decoded by the same function, once, so that it does not matter which side was written
//! with escapes. An encoded slash stays encoded and is no segment border (RFC 3986 §2.2). A regex is a search in the decoded path, so
//! it is to be anchored by whoever wrote it. No prefix matches `*` (`OPTIONS *`), since that is no path; only a route without a path,
//! `exact: '*'` or a regex does.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use regex::Regex;

use super::precedence::PathRank;
use crate::config::PathPattern;
use crate::semantics::path::{decode_for_matching, prefix_matches};

/// What a route asks of the path, decoded.
#[derive(Debug, Clone)]
pub enum Path {
    /// This prefix, on segment borders; one slash at its end means nothing.
    Prefix(Box<str>),
    /// This path.
    Exact(Box<str>),
    /// A path in which this is found.
    Regex(Regex),
}

impl Path {
    pub(super) fn new(pattern: &PathPattern) -> Self {
        match pattern {
            PathPattern::Prefix(prefix) => Self::Prefix(decode_for_matching(prefix).into()),
            PathPattern::Exact(path) => Self::Exact(for_matching(path).into()),
            PathPattern::Regex(regex) => Self::Regex(regex.clone()),
        }
    }

    /// Whether a request for `path`, as [`for_matching`] returns it, may take the route.
    pub(super) fn accepts(&self, path: &str) -> bool {
        match self {
            Self::Prefix(prefix) => prefix_matches(prefix, path),
            Self::Exact(exact) => **exact == *path,
            Self::Regex(regex) => regex.is_match(path),
        }
    }

    pub(super) fn rank(&self, file_order: usize) -> PathRank {
        match self {
            Self::Prefix(prefix) => PathRank::Prefix(without_last_slash(prefix).len()),
            Self::Regex(_) => PathRank::Regex(Reverse(file_order)),
            Self::Exact(_) => PathRank::Exact,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => write!(f, "under {prefix:?}"),
            Self::Exact(path) => write!(f, "{path:?}"),
            Self::Regex(regex) => write!(f, "matched by /{}/", regex.as_str()),
        }
    }
}

/// The path of a request in the form that patterns are compared with; allocates only when it holds escapes.
pub(super) fn for_matching(sent: &str) -> Cow<'_, str> {
    match sent {
        "" => Cow::Borrowed("/"),
        _ => decode_for_matching(sent),
    }
}

/// What two prefixes have to have in common to be the same: `/api/` is `/api`, and `/` is empty.
pub(super) fn without_last_slash(prefix: &str) -> &str {
    prefix.strip_suffix('/').unwrap_or(prefix)
}
