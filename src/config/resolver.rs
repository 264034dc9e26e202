//! `resolver`: whom to ask for the names of backends.

use super::read::Word;
use super::schema;
use super::section::section;
use std::net::{IpAddr, SocketAddr};

/// Whom to ask for the names of backends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolver {
    /// DNS servers, asked in this order; none of them: those of the system.
    pub servers: Vec<SocketAddr>,
}

section! {
    /// Whom to ask for the names of backends.
    pub(super) struct ResolverEntry {
        /// DNS servers as IP addresses, with a port if it is not 53; those of the system by default.
        pub(super) servers: Vec<NameServer>,
    }
}

impl ResolverEntry {
    pub(super) fn resolver(&self) -> Resolver {
        Resolver {
            servers: self.servers.iter().map(|server| server.0).collect(),
        }
    }
}

/// The address of a DNS server.
#[derive(Clone, Debug)]
pub(super) struct NameServer(SocketAddr);

impl Word for NameServer {
    const EXAMPLE: &'static str = "10.0.0.2:53";

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |advice: &str| Err(format!("{text:?} is no address of a DNS server; {advice}"));
        let address = text
            .parse::<IpAddr>()
            .map(|address| SocketAddr::new(address, 53))
            .or_else(|_| text.parse::<SocketAddr>());
        match address {
            Ok(address) if address.port() == 0 => wrong("a port is a number from 1 to 65535"),
            Ok(address) if address.ip().is_unspecified() => wrong(
                "nothing can be sent to this address; write the one that the server listens on",
            ),
            Ok(address) => Ok(NameServer(address)),
            Err(_) => wrong(
                "write an IP address, such as `10.0.0.2`, `10.0.0.2:53` or `[fd00::2]:53`; \
a name would have to be resolved first",
            ),
        }
    }

    fn schema() -> serde_json::Value {
        schema::text_like("^[0-9a-fA-F.:\\[\\]]+$")
    }
}
