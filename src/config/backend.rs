//! `backends`: the addresses of an upstream.

use super::diagnostic::Place;
use super::host::is_host_name;
use super::read::{Show, Word};
use super::reader::Reader;
use super::schema;
use super::section::section;
use super::shorthand::Shorthand;
use super::spot::Spot;
use super::word::{show_word, word_of};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// One address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where it listens.
    pub address: BackendAddress,
    /// Its share of the requests relative to the others, 1 to 1000.
    pub weight: u32,
    /// Whether it only gets requests that no other can take.
    pub backup: bool,
    /// How many requests it may have at a time; without it there is no limit.
    pub max_requests: Option<u32>,
    /// Whether it gets requests at all.
    pub state: State,
}

section! {
    /// One address of an upstream.
    pub(super) struct BackendEntry {
        /// Where it listens: an IP address or host name, and a port; a Unix socket, `unix:PATH`; or with `srv` a name alone.
        pub(super) address: Spot<WrittenAddress>,
        /// Whether the SRV records of the name say hosts, ports, weights and priorities.
        pub(super) srv: bool = false,
        /// Its share of the requests relative to the others.
        pub(super) weight: u32 [1..=1000] = 1,
        /// Whether it only gets requests when no backend that is not a backup can take them.
        pub(super) backup: bool = false,
        /// How many requests it may have at a time; no limit by default.
        pub(super) max_requests: Option<u32> [1..=1_000_000],
        /// `active`, `draining` (only requests whose `sticky` cookie names it) or `disabled` (no requests); its health is
        /// checked in any state.
        pub(super) state: State = State::Active,
    }
}

impl BackendEntry {
    /// The backend, once its address is seen to fit `srv`. `place` is where the backend stands.
    pub(super) fn backend(
        &self,
        place: Option<&Place>,
        reader: &mut Reader<'_>,
    ) -> Option<Backend> {
        let meant = self.address.value.meant(self.srv);
        let address = match meant.and_then(|address| address.located(reader)) {
            Ok(address) => address,
            Err(message) => {
                let srv = format!("{}.srv", place?.path);
                // When `srv` itself is wrong, it is not known what was meant.
                if !reader.has_faults_below(&srv) {
                    reader.fault_at(self.address.place.as_ref().or(place)?, message);
                }
                return None;
            }
        };
        Some(Backend {
            address,
            weight: self.weight,
            backup: self.backup,
            max_requests: self.max_requests,
            state: self.state,
        })
    }
}

impl Shorthand for BackendEntry {
    const EXAMPLE: &'static str = BackendAddress::EXAMPLE;

    fn from_word(text: &str) -> Result<Self, String> {
        let address = BackendAddress::parse(text)?;
        Ok(BackendEntry {
            address: Spot::default_value(WrittenAddress::Whole(address)),
            srv: false,
            weight: 1,
            backup: false,
            max_requests: None,
            state: State::Active,
        })
    }

    fn word_schema() -> serde_json::Value {
        <BackendAddress as Word>::schema()
    }
}

/// Whether a backend gets requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It gets its share.
    Active,
    /// It gets only requests of its sticky sessions: those whose cookie names it. Without `sticky` there are none.
    Draining,
    /// It gets none.
    Disabled,
}

const STATES: &[(&str, State)] = &[
    ("active", State::Active),
    ("draining", State::Draining),
    ("disabled", State::Disabled),
];

impl Word for State {
    const EXAMPLE: &'static str = "active";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, STATES)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(STATES)
    }
}

impl Show for State {
    fn show(&self) -> serde_json::Value {
        show_word(self, STATES)
    }
}

/// An address before it is known whether its name is to have a port.
#[derive(Clone, Debug)]
pub(super) enum WrittenAddress {
    /// With a port.
    Whole(BackendAddress),
    /// A name alone.
    Name(String),
}

impl WrittenAddress {
    fn meant(&self, srv: bool) -> Result<BackendAddress, String> {
        match (self, srv) {
            (Self::Whole(address), false) => Ok(address.clone()),
            (Self::Name(name), true) => Ok(BackendAddress::Service { name: name.clone() }),
            (Self::Name(name), false) => Err(without_port(name)),
            (Self::Whole(BackendAddress::Name { host, port }), true) => Err(format!(
                "with `srv: true` the records of the name say the port; \
leave out `:{port}` and write `{host}`, or remove `srv`"
            )),
            (Self::Whole(address), true) => Err(format!(
                "`srv: true` needs a name whose records can be asked for, \
such as `_http._tcp.example.com`, and {address} is an address; remove `srv`"
            )),
        }
    }
}

impl Word for WrittenAddress {
    const EXAMPLE: &'static str = BackendAddress::EXAMPLE;

    fn parse(text: &str) -> Result<Self, String> {
        if is_host_name(text) && !looks_like_ipv4(text) {
            return Ok(Self::Name(text.to_owned()));
        }
        BackendAddress::parse(text).map(Self::Whole)
    }

    fn schema() -> serde_json::Value {
        schema::text_like("^(unix:.+|[^/]+)$")
    }
}

/// Where a backend listens. Displayed as it was written; the path of a Unix socket as it is from the folder of the process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BackendAddress {
    /// An IP address and port.
    Socket(SocketAddr),
    /// A name to be looked up, and a port.
    Name {
        /// The host name.
        host: String,
        /// The TCP port.
        port: u16,
    },
    /// A name whose SRV records say hosts and ports.
    Service {
        /// The name of the records.
        name: String,
    },
    /// A Unix socket, by its path.
    Unix(PathBuf),
}

impl BackendAddress {
    /// Whether it is an address itself, and no name that has some.
    pub fn is_fixed(&self) -> bool {
        matches!(self, Self::Socket(_) | Self::Unix(_))
    }

    /// The same, with a path that holds from the folder of the process.
    fn located(self, reader: &Reader<'_>) -> Result<Self, String> {
        let Self::Unix(path) = self else {
            return Ok(self);
        };
        let path = reader.located(&path);
        match path.as_os_str().len() {
            ..=LONGEST_PATH => Ok(Self::Unix(path)),
            length => Err(format!(
                "{:?} has {length} bytes, and the path of a Unix socket may have {LONGEST_PATH}; put the socket into a folder with a shorter name",
                path.display().to_string()
            )),
        }
    }
}

/// What the kernel has room for (`sun_path` without the byte that ends it).
const LONGEST_PATH: usize = 107;

impl fmt::Display for BackendAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackendAddress::Socket(address) => write!(out, "{address}"),
            BackendAddress::Name { host, port } => write!(out, "{host}:{port}"),
            BackendAddress::Service { name } => out.write_str(name),
            BackendAddress::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

impl Word for BackendAddress {
    const EXAMPLE: &'static str = "127.0.0.1:8001";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |advice: &str| Err(format!("{text:?} is no address of a backend; {advice}"));
        if let Some(path) = text.strip_prefix("unix:") {
            return match socket_path(path) {
                Ok(path) => Ok(BackendAddress::Unix(path.to_owned())),
                Err(advice) => wrong(advice),
            };
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            if let Some(path) = rest.strip_prefix("unix:") {
                let path = path.trim_end_matches([':', '/']);
                return wrong(&format!("leave out the scheme: `unix:{path}`"));
            }
            let host = rest.split('/').next().unwrap_or_default();
            let port = if scheme == "https" { 443 } else { 80 };
            let host = if host.contains(':') {
                host.to_owned()
            } else {
                format!("{host}:{port}")
            };
            let tls = if scheme == "https" {
                ", and add `tls: {}` to the upstream"
            } else {
                ""
            };
            return wrong(&format!("leave out the scheme and the path: `{host}`{tls}"));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return match address {
                address if address.port() == 0 => wrong("a port is a number from 1 to 65535"),
                address if address.ip().is_unspecified() => wrong(
                    "nothing can be sent to this address; \
write the one that the backend listens on",
                ),
                address => Ok(BackendAddress::Socket(address)),
            };
        }
        match text.rsplit_once(':') {
            None => Err(without_port(text)),
            Some((_, port)) if port.parse::<u16>().map_or(true, |port| port == 0) => {
                wrong("a port is a number from 1 to 65535")
            }
            Some((host, port)) if host.contains(':') => wrong(&format!(
                "write IPv6 addresses in brackets, such as `[::1]:{port}`"
            )),
            Some((host, port)) if is_host_name(host) && !looks_like_ipv4(host) => {
                Ok(BackendAddress::Name {
                    host: host.to_owned(),
                    port: port.parse().unwrap_or_default(),
                })
            }
            Some((host, _)) => wrong(&format!(
                "{host:?} is neither an IP address nor a host name"
            )),
        }
    }

    fn schema() -> serde_json::Value {
        schema::text_like("^(unix:.+|.+:[0-9]+)$")
    }
}

/// The path after `unix:`, or what to write.
fn socket_path(path: &str) -> Result<&Path, &'static str> {
    if path.is_empty() {
        Err("write the path of a Unix socket, such as `unix:/run/app.sock`")
    } else if path.starts_with('@') || path.contains('\0') {
        Err(
            "Unix sockets without a file (abstract ones) cannot be connected to; let the backend listen on a path",
        )
    } else {
        Ok(Path::new(path))
    }
}

fn without_port(text: &str) -> String {
    if text.starts_with('_') && is_host_name(text) {
        return format!(
            "{text:?} is no address of a backend; \
write `{{ address: {text}, srv: true }}` for what its SRV records say, or `host:port`"
        );
    }
    let advice = match text.strip_prefix("unix@").unwrap_or(text) {
        path if path.contains('/') => format!("write `unix:{path}` for a Unix socket"),
        _ => "write `host:port`, such as `127.0.0.1:8001`".to_owned(),
    };
    format!("{text:?} is no address of a backend; {advice}")
}

/// `10.0.0.256` is a typo, and not a name to be looked up (RFC 1123 §2.1: a top-level domain is never all digits).
fn looks_like_ipv4(host: &str) -> bool {
    host.rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()))
}
