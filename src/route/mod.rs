//! Which route a request takes, and why not another.
//!
//! The rule is the contract's: the most specific route wins, wherever it stands in the file. Each question (host, path, method, …) is
//! asked by one predicate in one file here. [`Table::consider`] puts all of them to all routes, which is what `explain` prints.
//! [`Table::find`], on the path of every request, lets an index answer for hosts (by hash) and literal paths (in a radix tree) and puts
//! the same predicates for the rest to the few routes that are left. [`Precedence`] orders the routes that match. That both always name
//! the same route is a law that the tests hold on random tables.
//!
//! A route matches as a whole or not at all: when every route of the exact host fails on path or predicates, those of a wildcard and
//! then those for any host get their turn.
//!
//! Matching reads the path as sent, percent-decoded once (RFC 3986 §2.4 and §6.2.2.2); slashes are not merged and dot segments not
//! resolved, because the backend is sent those bytes and must be the one that was chosen for them. Nothing here changes a request.

mod host;
mod path;
mod precedence;
mod predicate;
mod regexes;
mod rule;
mod table;
mod tree;

#[cfg(test)]
mod tests;

pub use host::Host;
pub use path::Path;
pub use precedence::{HostRank, PathRank, Precedence, Reason};
pub use predicate::{Predicate, Test};
pub use rule::Miss;
pub use table::{Considered, Table};

use http::{HeaderMap, Method};

/// What routes look at in a request, borrowed from wherever the head is kept.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The authority as sent, port and case included: the `Host` header or `:authority`, or what an absolute-form target names
    /// (RFC 9112 §3.2.2). Empty when the request names none.
    pub host: &'a str,
    /// The path as sent, without the query. Empty counts as `/` (RFC 9110 §4.2.3); `*` stays `*`.
    pub path: &'a str,
    /// What follows the first `?`, without it.
    pub query: Option<&'a str>,
    /// The method.
    pub method: &'a Method,
    /// All header fields.
    pub headers: &'a HeaderMap,
    /// The name of the listener that the request came in on.
    pub listener: &'a str,
}
