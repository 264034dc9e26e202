//! The whole file as it was written; `check` makes a `Config` of it.

use super::collection::{AtLeastOne, Entries};
use super::embedded_backend::EmbeddedBackendEntry;
use super::filter::Filter;
use super::forwarded::TopLevel;
use super::header::RequestId;
use super::listener::ListenerEntry;
use super::log::{AccessLog, Log};
use super::read::Word;
use super::resolver::ResolverEntry;
use super::route::RouteEntry;
use super::section::section;
use super::server::Server;
use super::shorthand::Short;
use super::spot::{Entry, Spot};
use super::text::Name;
use super::trusted_proxy::TrustedProxy;
use super::upstream::UpstreamEntry;
use ipnet::IpNet;
use std::net::IpAddr;

section! {
    /// The configuration of Evenkeel. Every value may be taken from the environment: `${NAME}`, or `${NAME:-default}`.
    pub(super) struct File {
        /// The process.
        pub(super) server: Server,
        /// Where clients connect.
        pub(super) listeners: AtLeastOne<Entry<ListenerEntry>>,
        /// The log of the process itself.
        pub(super) log: Log,
        /// One line for each request; `off` for none.
        pub(super) access_log: Short<AccessLog>,
        /// Addresses and networks of proxies in front, whose X-Forwarded-For, X-Forwarded-Proto,
        /// X-Forwarded-Host, X-Forwarded-Port, Forwarded and request id are believed; `unix` for those that connect over a Unix socket.
        pub(super) trusted_proxies: Vec<TrustedProxy>,
        /// The forwarded headers that backends are sent.
        pub(super) forwarded: TopLevel,
        /// The header that carries one name for a request through every log.
        pub(super) request_id: RequestId,
        /// Whom to ask for the names of backends.
        pub(super) resolver: ResolverEntry,
        /// Hello services inside this process, for demonstrations.
        pub(super) embedded_backends: Vec<EmbeddedBackendEntry>,
        /// What every request passes, in order, before the listener's filters and the route's.
        pub(super) filters: Vec<Filter>,
        /// Named groups of backends.
        pub(super) upstreams: Entries<Name, Spot<UpstreamEntry>>,
        /// Which requests go where.
        pub(super) routes: AtLeastOne<Spot<RouteEntry>>,
    }
}

impl Word for IpNet {
    const EXAMPLE: &'static str = "10.0.0.0/8";

    fn parse(text: &str) -> Result<Self, String> {
        let Some(network) = text
            .parse::<IpNet>()
            .ok()
            .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        else {
            return Err(format!(
                "{text:?} is neither an IP address nor a network; \
write for example `10.0.0.0/8` or `10.1.2.3`"
            ));
        };
        if network != network.trunc() {
            return Err(format!(
                "{text} has bits after its prefix; \
write `{}` for the network, or `{}` for the one address",
                network.trunc(),
                network.addr()
            ));
        }
        Ok(network)
    }
}
