//! `embedded_backends`: hello services inside this process, for demonstrations.

use super::listener::advice;
use super::read::Word;
use super::schema;
use super::section::section;
use super::spot::Spot;
use super::text::Name;
use std::net::SocketAddr;

/// One hello service that this process runs itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedBackend {
    /// What it answers as its hostname.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
}

section! {
    /// One hello service inside this process, for demonstrations.
    pub(super) struct EmbeddedBackendEntry {
        /// What it answers as its hostname.
        pub(super) name: Spot<Name>,
        /// IP address and port that it listens on; one in use is left to whoever has it.
        pub(super) address: Spot<SocketAddr>,
    }
}

impl EmbeddedBackendEntry {
    pub(super) fn embedded_backend(&self) -> EmbeddedBackend {
        EmbeddedBackend {
            name: self.name.value.0.clone(),
            address: self.address.value,
        }
    }
}

impl Word for SocketAddr {
    const EXAMPLE: &'static str = "127.0.0.1:8001";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("{text:?} is no IP address and port; {}", advice(text)))
    }

    fn schema() -> serde_json::Value {
        schema::text_like("^.+:[0-9]+$")
    }
}
