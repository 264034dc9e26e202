//! `trusted_proxies`: networks, and whoever connects over a Unix socket.

use super::read::Word;
use ipnet::IpNet;

/// How Unix sockets are called among addresses.
pub(super) const UNIX: &str = "unix:";

/// Whose word about the client is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// All addresses of a network.
    Network(IpNet),
    /// Whoever connects over a Unix socket.
    Unix,
}

impl Word for TrustedProxy {
    const EXAMPLE: &'static str = IpNet::EXAMPLE;

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            // The second is what YAML makes of the first without quotes and colon.
            UNIX | "unix" => Ok(Self::Unix),
            _ => IpNet::parse(text).map(Self::Network),
        }
    }
}
