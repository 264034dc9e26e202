//! What the operator wrote, typed and checked: the only room that knows YAML.
//!
//! The file goes through three forms. `tree` is the YAML with every entry kept; the typed entries (`section!` in each
//! section's file, from which reader, defaults and schema are made at once) say what was written; `check` looks at
//! what no key can see alone, and gives the `Config`. No step stops at a fault: an operator who mends a file at night
//! sees all faults at once, each with its line and column, and what to do.
//!
//! Past this room no text still holds a host, duration, policy or expression. Nothing here looks at the network, the
//! clock, or any file but the one named; the environment comes in as an argument.

mod backend;
mod balance;
mod block;
mod check;
mod collection;
mod diagnostic;
mod duration;
mod embedded_backend;
mod environment;
mod file;
mod filter;
mod forwarded;
mod header;
mod health_check;
mod host;
mod listener;
mod load;
mod log;
mod pattern;
mod read;
mod reader;
mod route;
mod scalar;
mod schema;
mod section;
mod server;
mod shorthand;
mod size;
mod spot;
mod status;
mod syntax;
mod text;
mod tree;
mod upstream;
mod vocabulary;
mod word;

pub use backend::{Backend, BackendAddress, State};
pub use balance::{Balance, Hash, HashKey, MaxLoad};
pub use block::duration;
pub(crate) use diagnostic::text_of_panic;
pub use diagnostic::{Fault, Faults, Position};
pub use embedded_backend::EmbeddedBackend;
pub use filter::{
    BodyLimit, Expression, Filter, HeaderChanges, IpAccess, PathText, Piece, RequestHeaders,
    RequestText, ResponseHeaders, ResponseText, Rewrite,
};
pub use header::{RequestId, WrittenHeader};
pub use health_check::{HealthCheck, HttpProbe, Probe};
pub use host::HostPattern;
pub use listener::Listener;
pub use load::{load, load_with};
pub use log::{AccessLog, Level, Log, LogDestination, LogFormat};
pub use pattern::{HeaderPattern, PathPattern, QueryPattern, ValuePattern};
pub use route::{Action, Match, Respond, Route};
pub use schema::{paths, schema, schema_with};
pub use server::{Server, Shutdown, Threads};
pub use status::StatusRanges;
pub use upstream::{Connections, Timeouts, Upstream};
pub use vocabulary::{Own, Refusal, Vocabulary};

use crate::semantics::forwarded as forwarded_headers;
use ipnet::IpNet;
use read::Read;
use reader::Reader;
use std::ops::Deref;
use tree::Value;

/// A whole file, typed.
#[derive(Clone, Debug)]
pub struct Config {
    /// The process.
    pub server: Server,
    /// Where clients connect; at least one.
    pub listeners: Vec<Listener>,
    /// The log of the process itself.
    pub log: Log,
    /// One line for each request.
    pub access_log: AccessLog,
    /// Peers whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The forwarded headers that backends are sent.
    pub forwarded: forwarded_headers::Policy,
    /// The header that carries the request id.
    pub request_id: RequestId,
    /// Hello services inside this process.
    pub embedded_backends: Vec<EmbeddedBackend>,
    /// What every request passes, in order, before the listener's filters and the route's.
    pub filters: Vec<Filter>,
    /// Named groups of backends, in file order.
    pub upstreams: Vec<Upstream>,
    /// Which requests go where, in file order; at least one.
    pub routes: Vec<Route>,
}

/// A configuration that has passed every check; only this module makes one.
#[derive(Clone, Debug)]
pub struct Checked<T>(T);

impl<T> Checked<T> {
    /// The configuration itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Checked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Reads and checks `text`. `name` is the file's, for messages; `environment` gives the value of a variable.
///
/// # Errors
/// When there are faults; all of them at once.
pub fn parse(
    name: &str,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Checked<Config>, Faults> {
    parse_with(name, text, environment, &Vocabulary::default())
}

/// As [`parse`], for a program with words of its own.
///
/// # Errors
/// When there are faults; all of them at once.
pub fn parse_with(
    name: &str,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    vocabulary: &Vocabulary,
) -> Result<Checked<Config>, Faults> {
    let unreadable = |(position, message)| {
        Faults::one(Fault {
            file: name.to_owned(),
            position: Some(position),
            path: String::new(),
            message,
        })
    };
    if let Some(found) = load::control_character(text) {
        return Err(unreadable(found));
    }
    let tree = tree::read(text).map_err(unreadable)?;
    if matches!(tree.value, Value::Null) {
        let message = "the file is empty; start with `listeners:`, `upstreams:` and `routes:`";
        return Err(unreadable((Position::START, message.to_owned())));
    }
    let mut reader = Reader::new(environment, vocabulary);
    let config =
        file::File::read(&tree, &mut reader).and_then(|file| check::check(file, &mut reader));
    let findings = reader.into_findings();
    match config {
        Some(config) if findings.is_empty() => Ok(Checked(config)),
        _ => Err(Faults::new(name, findings, |ordinal| {
            tree::locate(text, ordinal)
        })),
    }
}
