//! `backends`: the addresses of an upstream.

use super::host::is_host_name;
use super::read::{Show, Word};
use super::schema;
use super::section::section;
use super::shorthand::Shorthand;
use super::word::{show_word, word_of};
use std::fmt;
use std::net::SocketAddr;

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
        /// Where it listens: an IP address or host name, and a port.
        pub(super) address: BackendAddress,
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
    pub(super) fn backend(&self) -> Backend {
        Backend {
            address: self.address.clone(),
            weight: self.weight,
            backup: self.backup,
            max_requests: self.max_requests,
            state: self.state,
        }
    }
}

impl Shorthand for BackendEntry {
    const EXAMPLE: &'static str = BackendAddress::EXAMPLE;

    fn from_word(text: &str) -> Result<Self, String> {
        let address = BackendAddress::parse(text)?;
        Ok(BackendEntry {
            address,
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

/// Where a backend listens. Displayed as it was written.
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
}

impl fmt::Display for BackendAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BackendAddress::Socket(address) => write!(out, "{address}"),
            BackendAddress::Name { host, port } => write!(out, "{host}:{port}"),
        }
    }
}

impl Word for BackendAddress {
    const EXAMPLE: &'static str = "127.0.0.1:8001";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |advice: &str| Err(format!("{text:?} is no address of a backend; {advice}"));
        if let Some(path) = text.strip_prefix("unix:") {
            return wrong(&format!(
                "Unix sockets such as {path:?} are not built yet in this version"
            ));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let host = rest.split('/').next().unwrap_or_default();
            let port = if scheme == "https" { 443 } else { 80 };
            let host = if host.contains(':') {
                host.to_owned()
            } else {
                format!("{host}:{port}")
            };
            return wrong(&format!("leave out the scheme and the path: `{host}`"));
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
            None => wrong("write `host:port`, such as `127.0.0.1:8001`"),
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
        schema::text_like("^.+:[0-9]+$")
    }
}

/// `10.0.0.256` is a typo, and not a name to be looked up (RFC 1123 §2.1: a top-level domain is never all digits).
fn looks_like_ipv4(host: &str) -> bool {
    host.rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()))
}
