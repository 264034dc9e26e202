//! One loaded configuration, ready to serve.
//!
//! Everything that can be decided at load is decided here: names become references, patterns become a route table. A request takes the
//! snapshot once and sees no other.

use std::sync::Arc;

use crate::config::{Checked, Config, Respond, WrittenHeader};
use crate::route::Table;
use crate::semantics::client_ip::TrustedProxies;
use crate::semantics::forwarded;
use crate::upstream::{Resolver, Upstream};
use crate::{clock::Clock, config};

/// One loaded configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts the configurations that this process has loaded, from 1.
    pub generation: u64,
    /// Peers whose forwarded headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// The header that carries the request id.
    pub request_id: WrittenHeader,
    /// Finds a request's route, by its index in `routes`.
    pub table: Table,
    /// The routes, in file order.
    pub routes: Vec<Route>,
    /// The upstreams, in file order.
    pub upstreams: Vec<Arc<Upstream>>,
}

/// What happens to the requests that a route takes.
#[derive(Debug)]
pub struct Route {
    /// Its name or, when it has none, its place: `routes[3]`.
    pub label: String,
    /// What a backend is told of the client.
    pub forwarded: forwarded::Policy,
    /// Where the requests go.
    pub action: Action,
}

/// Where a route's requests go.
#[derive(Debug)]
pub enum Action {
    /// To one of the upstream's backends.
    Upstream(Arc<Upstream>),
    /// Nowhere: the answer is in the configuration.
    Respond(Respond),
}

impl Snapshot {
    /// Brings `config` to life. No backend is contacted.
    pub fn new(
        config: Checked<Config>,
        generation: u64,
        clock: &Arc<dyn Clock>,
        resolver: &Arc<Resolver>,
    ) -> Self {
        let config = config.into_inner();
        let table = Table::new(
            config
                .routes
                .iter()
                .map(|route| (&route.matches, route.priority)),
        );
        let upstreams: Vec<_> = config
            .upstreams
            .into_iter()
            .map(|upstream| Arc::new(Upstream::new(upstream, clock, resolver)))
            .collect();
        let routes = config
            .routes
            .into_iter()
            .filter_map(|route| Route::new(route, &upstreams))
            .collect();
        Self {
            generation,
            trusted_proxies: TrustedProxies::new(config.trusted_proxies),
            request_id: config.request_id.header,
            table,
            routes,
            upstreams,
        }
    }
}

impl Route {
    fn new(route: config::Route, upstreams: &[Arc<Upstream>]) -> Option<Self> {
        let action = match route.action {
            config::Action::Upstream(index) => Action::Upstream(Arc::clone(upstreams.get(index)?)),
            config::Action::Respond(respond) => Action::Respond(respond),
        };
        Some(Self {
            label: route.label,
            forwarded: route.forwarded,
            action,
        })
    }
}
