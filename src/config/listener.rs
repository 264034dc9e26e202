//! `listeners`: where clients connect.

use super::filter::Filter;
use super::listen_address::{ListenAddress, Mode, WrittenListenAddress};
use super::listener_limits::{ListenerLimits, ListenerLimitsEntry};
use super::listener_timeouts::{ListenerTimeouts, ListenerTimeoutsEntry};
use super::listener_tls::{ListenerTls, ListenerTlsEntry};
use super::protocols::Protocols;
use super::proxy_protocol::ProxyProtocol;
use super::reader::Reader;
use super::section::section;
use super::spot::Spot;
use super::text::Name;

/// One address that accepts connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens.
    pub address: ListenAddress,
    /// Who may connect to its file, where it has one; by default whom the process lets (umask).
    pub mode: Option<Mode>,
    /// Its name in routes and logs; the address as written when none is given.
    pub name: String,
    /// What its requests pass, in order, before the route's filters.
    pub filters: Vec<Filter>,
    /// The versions of HTTP that are spoken on it.
    pub protocols: Protocols,
    /// How TLS is spoken on it; without it, clients speak in the clear.
    pub tls: Option<ListenerTls>,
    /// Whether proxies in front say who a client is.
    pub proxy_protocol: ProxyProtocol,
    /// How long clients are waited for.
    pub timeouts: ListenerTimeouts,
    /// How much they may send, and how many of them there may be.
    pub limits: ListenerLimits,
}

section! {
    /// One address that accepts connections from clients.
    pub(super) struct ListenerEntry {
        /// IP address and port to listen on; `0.0.0.0` is every IPv4 address of this machine, `[::]` every IPv6 address. Or a Unix socket, `unix:PATH`.
        pub(super) address: Spot<WrittenListenAddress>,
        /// The permissions of a Unix socket's file, such as "0660"; those that the process gives by default (umask).
        pub(super) mode: Option<Spot<Mode>>,
        /// Its name in routes and logs; the address by default.
        pub(super) name: Option<Spot<Name>>,
        /// What its requests pass, in order, before the route's filters.
        pub(super) filters: Vec<Filter>,
        /// The versions of HTTP that clients may speak: `http1`, `http2`. With `tls` they are offered in the handshake (ALPN); in the clear,
        /// HTTP/2 is for clients that begin with it (prior knowledge).
        pub(super) protocols: Protocols = Protocols::default(),
        /// TLS towards clients; without it they speak in the clear.
        pub(super) tls: Option<Spot<ListenerTlsEntry>>,
        /// Whether connections of `trusted_proxies` may (`accept`) or must (`require`) begin with a header of the PROXY protocol, which then says who the client is; `require` lets nobody else in.
        pub(super) proxy_protocol: Spot<ProxyProtocol> = Spot::default_value(ProxyProtocol::Off),
        /// How long clients are waited for.
        pub(super) timeouts: ListenerTimeoutsEntry,
        /// How much clients may send, and how many of them there may be.
        pub(super) limits: ListenerLimitsEntry,
    }
}

impl ListenerEntry {
    /// Where it listens.
    pub(super) fn address(&self) -> &ListenAddress {
        &self.address.value.address
    }

    /// What it is called.
    pub(super) fn name(&self) -> String {
        let written = || self.address.value.written.clone();
        let name = self.name.as_ref();
        name.map_or_else(written, |name| name.value.0.clone())
    }

    /// The listener, once its keys are seen to fit together; `None` when its certificates do not.
    pub(super) fn build(self, reader: &mut Reader<'_>) -> Option<Listener> {
        let timeouts = self.timeouts.clone().build(self.tls.is_some(), reader);
        let limits = self.limits.clone().build(reader);
        let address = self.address().located(reader);
        if let (Some(place), Some(complaint)) = (&self.address.place, address.complaint()) {
            reader.fault_at(place, complaint);
        }
        if let (Some(mode), ListenAddress::Socket(_)) = (&self.mode, &address)
            && let Some(place) = &mode.place
        {
            reader.fault_at(
                place,
                "only the file of a Unix socket has permissions; remove this",
            );
        }
        Some(Listener {
            proxy_protocol: self.proxy_protocol.value,
            timeouts,
            limits,
            address,
            mode: self.mode.as_ref().map(|mode| mode.value),
            name: self.name(),
            protocols: self.protocols,
            tls: match self.tls {
                Some(tls) => Some(tls.value.build(reader)?),
                None => None,
            },
            filters: self.filters,
        })
    }
}

/// What was probably meant by an address of TCP.
pub(super) fn advice(text: &str) -> String {
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    if is_port(text) {
        return format!(
            "write `0.0.0.0:{text}` for every address of this machine, or `127.0.0.1:{text}` for this machine alone"
        );
    }
    match text.rsplit_once(':') {
        Some(("" | "*", port)) if is_port(port) => {
            format!("write `0.0.0.0:{port}` for every address of this machine")
        }
        Some(("localhost", port)) if is_port(port) => format!("write `127.0.0.1:{port}`"),
        Some((host, port)) if is_port(port) && host.contains(':') => {
            format!("write IPv6 addresses in brackets, such as `[::1]:{port}`")
        }
        Some((host, port)) if is_port(port) => format!(
            "{host:?} is not an IP address of this machine; write for example `0.0.0.0:{port}`"
        ),
        Some((host, _)) if host.parse::<std::net::Ipv4Addr>().is_ok() => {
            "a port is a number from 1 to 65535".to_owned()
        }
        _ => "write for example `0.0.0.0:8080`".to_owned(),
    }
}
