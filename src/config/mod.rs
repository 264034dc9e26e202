//! What the operator wrote, typed and checked: the only room that knows YAML.
//!
//! The file goes through three forms. `tree` is the YAML with every entry kept; the typed entries (`section!` in each
//! section's file, from which reader, defaults and schema are made at once) say what was written; `check` looks at
//! what no key can see alone, and gives the `Config`. No step stops at a fault: an operator who mends a file at night
//! sees all faults at once, each with its line and column, and what to do.
//!
//! Past this room no text still holds a host, duration, policy or expression. Nothing here looks at the network or the
//! clock; the environment, and the files that the configuration names, come in as arguments.

mod backend;
mod backend_address;
mod backend_protocol;
mod backend_tls;
mod balance;
mod block;
mod check;
mod collection;
mod diagnostic;
mod duration;
mod early;
mod embedded_backend;
mod environment;
mod file;
mod filter;
mod forwarded;
mod header;
mod health_check;
mod host;
mod introduction;
mod json;
mod listen_address;
mod listener;
mod listener_limits;
mod listener_timeouts;
mod listener_tls;
mod load;
mod log;
mod outlier;
mod pattern;
mod pem_file;
mod percent;
mod protocols;
mod proxy_protocol;
mod queue;
mod read;
mod reader;
mod redirect;
mod resolver;
mod retry;
mod route;
mod scalar;
mod schema;
mod section;
mod server;
mod shorthand;
mod size;
mod slow_start;
mod split;
mod spot;
mod status;
mod sticky;
mod surroundings;
mod syntax;
mod text;
mod tree;
mod trusted_proxy;
mod upstream;
mod vocabulary;
mod word;

pub use backend::{Backend, State};
pub use backend_address::BackendAddress;
pub use backend_protocol::BackendProtocol;
pub use backend_tls::{Tls, Trust};
pub use balance::{Balance, Hash, HashKey, MaxLoad};
pub use block::duration;
pub(crate) use diagnostic::text_of_panic;
pub use diagnostic::{Fault, Faults, Position};
pub use embedded_backend::EmbeddedBackend;
pub use filter::{
    Algorithm, Allowed, BasicAuth, BodyLimit, Compress, Cors, Expression, Filter, HeaderChanges,
    HeaderText, IpAccess, LimitKey, MediaRange, Origin, PasswordHash, PathText, Piece, Rate,
    RateLimit, RequestHeaders, RequestText, ResponseHeaders, ResponseText, Rewrite, Unit, Users,
};
pub use header::{RequestId, WrittenHeader};
pub use health_check::{GrpcProbe, HealthCheck, HttpProbe, Probe};
pub use host::HostPattern;
pub use json::{Json, JsonPart};
pub use listen_address::{ListenAddress, Mode};
pub use listener::Listener;
pub use listener_limits::ListenerLimits;
pub use listener_timeouts::ListenerTimeouts;
pub use listener_tls::{ClientAuth, ClientAuthorities, ListenerTls, ServerCertificate, TlsVersion};
pub use load::{load, load_with};
pub use log::{AccessLog, Level, Log, LogDestination, LogFormat};
pub use outlier::Outlier;
pub use pattern::{HeaderPattern, PathPattern, QueryPattern, ValuePattern};
pub use percent::Percent;
pub use protocols::Protocols;
pub use proxy_protocol::ProxyProtocol;
pub use queue::Queue;
pub use redirect::{Destination, Redirect, RedirectStatus};
pub use resolver::Resolver;
pub use retry::{Retry, Trigger, Triggers};
pub use route::{Action, Body, Match, Respond, Route};
pub use schema::{paths, schema, schema_with};
pub use server::{Server, Shutdown, Threads, UserName};
pub use slow_start::SlowStart;
pub use split::Split;
pub use status::StatusRanges;
pub use sticky::Sticky;
pub use surroundings::Surroundings;
pub use trusted_proxy::TrustedProxy;
pub use upstream::{Connections, Timeouts, Upstream};
pub use vocabulary::{Own, Refusal, Vocabulary};

use crate::semantics::forwarded as forwarded_headers;
use read::Read;
use reader::Reader;
use std::ops::Deref;
use std::time::SystemTime;
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
    pub trusted_proxies: Vec<TrustedProxy>,
    /// The forwarded headers that backends are sent.
    pub forwarded: forwarded_headers::Policy,
    /// The header that carries the request id.
    pub request_id: RequestId,
    /// Whom to ask for the names of backends.
    pub resolver: Resolver,
    /// Hello services inside this process.
    pub embedded_backends: Vec<EmbeddedBackend>,
    /// What every request passes, in order, before the listener's filters and the route's.
    pub filters: Vec<Filter>,
    /// Named groups of backends, in file order.
    pub upstreams: Vec<Upstream>,
    /// Which requests go where, in file order; at least one.
    pub routes: Vec<Route>,
}

impl Config {
    /// What is no fault, and yet should be known, as of `now`: one line each, with the way to the key.
    pub fn warnings(&self, now: SystemTime) -> Vec<String> {
        let of_tls = |upstream: &Upstream| {
            let tls = upstream.tls.as_ref();
            let path = format!("upstreams.{}.tls", upstream.name);
            tls.map_or_else(Vec::new, |tls| tls.warnings(&path, now))
        };
        let upstreams = self.upstreams.iter();
        let upstreams =
            upstreams.flat_map(|upstream| [upstream.warnings(), of_tls(upstream)].concat());
        let listeners = self.listeners.iter().enumerate();
        let listeners = listeners
            .filter_map(|(index, listener)| Some((index, listener.tls.as_ref()?)))
            .flat_map(|(index, tls)| tls.warnings(&format!("listeners[{index}].tls"), now));
        listeners.chain(upstreams).collect()
    }
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

/// As [`parse_with`], where there are no other files: a key that names one is a fault.
///
/// # Errors
/// When there are faults; all of them at once.
pub fn parse(
    name: &str,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Checked<Config>, Faults> {
    let vocabulary = Vocabulary::default();
    let surroundings = Surroundings {
        folder: std::path::Path::new(""),
        environment,
        ..Surroundings::nothing_but(&vocabulary)
    };
    parse_with(name, text, &surroundings)
}

/// Reads and checks `text`. `name` is the file's, for messages.
///
/// # Errors
/// When there are faults; all of them at once.
pub fn parse_with(
    name: &str,
    text: &str,
    surroundings: &Surroundings<'_>,
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
    let mut reader = Reader::new(surroundings);
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
