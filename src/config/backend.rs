//! `backends`: the addresses of an upstream.

use super::backend_address::{BackendAddress, looks_like_ipv4, without_port};
use super::diagnostic::Place;
use super::host::is_host_name;
use super::read::{Show, Word};
use super::reader::Reader;
use super::schema;
use super::section::section;
use super::shorthand::Shorthand;
use super::spot::Spot;
use super::word::{show_word, word_of};

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
