//! Which of two matching routes wins.
//!
//! The rule is a type: [`Precedence`] derives `Ord`, the greater one wins, and the order of its fields (and of its ranks' variants) *is*
//! the rule of the contract, so that no comparison is written by hand anywhere. File order is the last field and never equal for two
//! routes; so there is always exactly one winner.

use std::cmp::Reverse;
use std::fmt;

/// How specific a route is for one request; the greatest of the matching routes wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Precedence {
    /// How closely the host is named.
    pub host: HostRank,
    /// `priority` of the route, higher first.
    pub priority: i32,
    /// How closely the path is named.
    pub path: PathRank,
    /// How many further predicates the route has: each header and each query parameter is one, all methods together are one, and all
    /// listeners together are one.
    pub predicates: usize,
    /// Index of the route in the file; the earlier route wins.
    pub file_order: Reverse<usize>,
}

/// How closely a route names the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostRank {
    /// It does not.
    Any,
    /// By `*.` and a suffix of so many bytes; the longer one wins.
    Wildcard(usize),
    /// By its full name.
    Exact,
}

/// How closely a route names the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathRank {
    /// It does not.
    Any,
    /// By a prefix of so many bytes, decoded and without its last slash; the longer one wins.
    Prefix(usize),
    /// By a regex; the one that stands first in the file wins.
    Regex(Reverse<usize>),
    /// By the full path.
    Exact,
}

/// The field that decided between two routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The host was named more closely.
    Host,
    /// The priority was higher.
    Priority,
    /// The path was named more closely.
    Path,
    /// There were more predicates.
    Predicates,
    /// It stood earlier in the file.
    FileOrder,
}

impl Precedence {
    /// Why the greater of two precedences is the greater one: the first field in which they differ.
    pub fn decided_by(&self, other: &Self) -> Reason {
        if self.host != other.host {
            Reason::Host
        } else if self.priority != other.priority {
            Reason::Priority
        } else if self.path != other.path {
            Reason::Path
        } else if self.predicates != other.predicates {
            Reason::Predicates
        } else {
            Reason::FileOrder
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "it names the host more closely",
            Self::Priority => "its priority is higher",
            Self::Path => "it names the path more closely",
            Self::Predicates => "it has more predicates",
            Self::FileOrder => "it stands earlier in the file",
        })
    }
}
