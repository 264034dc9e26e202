//! One loaded configuration, ready to serve.
//!
//! Everything that can be decided at load is decided here: names become references, patterns become a route table. A request takes the
//! snapshot once and sees no other.

use crate::config::{ListenAddress, TrustedProxy};
use std::sync::Arc;

use regex::Regex;

use crate::config::{Checked, Config, PathPattern, Redirect, Respond, Shutdown, WrittenHeader};
use crate::filter::{self, Chain, Links};
use crate::route::Table;
use crate::semantics::client_ip::TrustedProxies;
use crate::semantics::forwarded;
use crate::semantics::head;
use crate::upstream::{Resolver, Split, Upstream};
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
    /// What every request passes.
    pub filters: Links,
    /// Where requests come in, in file order.
    pub listeners: Vec<Listener>,
    /// How the process stops.
    pub shutdown: Shutdown,
    /// What the filters leave to those of the next configuration.
    shared: filter::Shared,
}

/// Where requests come in.
#[derive(Debug)]
pub struct Listener {
    /// Its name in routes and logs.
    pub name: String,
    /// Its address in the file.
    pub address: ListenAddress,
    /// Whether clients speak TLS on it.
    pub is_tls: bool,
    /// What the head of a request may be.
    pub head: head::Limits,
    /// What its requests pass before any filter.
    pub limits: Links,
    /// What its requests pass, after the filters of all routes.
    pub filters: Links,
}

/// What happens to the requests that a route takes.
#[derive(Debug)]
pub struct Route {
    /// Its name or, when it has none, its place: `routes[3]`.
    pub label: String,
    /// What a backend is told of the client.
    pub forwarded: forwarded::Policy,
    /// What the requests pass, after the filters of all routes and of the listener.
    pub filters: Links,
    /// What it asks of the path, when that is an expression with named groups: `$path_NAME` is what they match.
    pub path_regex: Option<Regex>,
    /// Where the requests go.
    pub action: Action,
}

/// Where a route's requests go.
#[derive(Debug)]
pub enum Action {
    /// To one of the upstream's backends.
    Upstream(Arc<Upstream>),
    /// To one of several upstreams.
    Split(Box<Split>),
    /// Elsewhere: the client is told where.
    Redirect(Redirect),
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
        let new = |config| Arc::new(Upstream::new(config, clock, resolver));
        Self::build(config, generation, new, filter::Shared::default())
    }

    /// The configuration that comes after this one. Upstreams that are the same go on as they are, and others keep what is known of the
    /// backends that stay; `is_same_resolver` tells whether names are still looked up in the same way.
    #[must_use]
    pub fn next(
        &self,
        config: Checked<Config>,
        clock: &Arc<dyn Clock>,
        resolver: &Arc<Resolver>,
        is_same_resolver: bool,
    ) -> Self {
        let upstream = |config: config::Upstream| {
            let mut upstreams = self.upstreams.iter();
            match upstreams.find(|former| former.name() == config.name) {
                Some(former) if is_same_resolver && *former.config() == config => {
                    Arc::clone(former)
                }
                Some(former) => Arc::new(Upstream::in_place_of(former, config, clock, resolver)),
                None => Arc::new(Upstream::new(config, clock, resolver)),
            }
        };
        Self::build(config, self.generation + 1, upstream, self.shared.next())
    }

    fn build(
        config: Checked<Config>,
        generation: u64,
        upstream: impl FnMut(config::Upstream) -> Arc<Upstream>,
        mut shared: filter::Shared,
    ) -> Self {
        let config = config.into_inner();
        let table = Table::new(
            config
                .routes
                .iter()
                .map(|route| (&route.matches, route.priority)),
        );
        let upstreams: Vec<_> = config.upstreams.into_iter().map(upstream).collect();
        let routes = config
            .routes
            .into_iter()
            .filter_map(|route| Route::new(route, &upstreams, &mut shared))
            .collect();
        let filters = filter::links(&config.filters, "", &mut shared);
        let listeners = config.listeners.into_iter().map(|listener| Listener {
            filters: filter::links(
                &listener.filters,
                &format!("listener {}", listener.name),
                &mut shared,
            ),
            limits: filter::limits(&listener.limits),
            head: listener.limits.head,
            is_tls: listener.tls.is_some(),
            name: listener.name,
            address: listener.address,
        });
        Self {
            listeners: listeners.collect(),
            filters,
            shutdown: config.server.shutdown,
            shared,
            generation,
            trusted_proxies: trusted(&config.trusted_proxies),
            request_id: config.request_id.header,
            table,
            routes,
            upstreams,
        }
    }

    /// Whether requests may come in on a listener of this name.
    pub fn has_listener(&self, name: &str) -> bool {
        self.listeners.iter().any(|listener| listener.name == name)
    }

    /// The filters that a request passes which came in on `listener` and which this route takes, if one does.
    pub fn chain(&self, listener: &str, route: Option<usize>) -> Chain<'_> {
        let mut listeners = self.listeners.iter();
        let listener = listeners.find(|candidate| candidate.name == listener);
        let route = route.and_then(|route| self.routes.get(route));
        Chain::new([
            listener.map(|listener| &listener.limits),
            Some(&self.filters),
            listener.map(|listener| &listener.filters),
            route.map(|route| &route.filters),
        ])
    }
}

impl Route {
    fn new(
        route: config::Route,
        upstreams: &[Arc<Upstream>],
        shared: &mut filter::Shared,
    ) -> Option<Self> {
        let action = match route.action {
            config::Action::Upstream(index) => Action::Upstream(Arc::clone(upstreams.get(index)?)),
            config::Action::Split(split) => {
                let way = |(index, weight): &(usize, u32)| {
                    Some((Arc::clone(upstreams.get(*index)?), *weight))
                };
                let key = split.key.map(|key| key.0);
                Action::Split(Box::new(Split::new(
                    split.between.iter().filter_map(way),
                    key,
                )))
            }
            config::Action::Redirect(redirect) => Action::Redirect(redirect),
            config::Action::Respond(respond) => Action::Respond(respond),
        };
        let path_regex = match route.matches.path {
            Some(PathPattern::Regex(regex)) => {
                let has_names = regex.capture_names().flatten().next().is_some();
                has_names.then_some(regex)
            }
            _ => None,
        };
        let place = format!("route {}", route.label);
        Some(Self {
            filters: filter::links(&route.filters, &place, shared),
            label: route.label,
            path_regex,
            forwarded: route.forwarded,
            action,
        })
    }
}

fn trusted(proxies: &[TrustedProxy]) -> TrustedProxies {
    let networks = proxies.iter().filter_map(|proxy| match proxy {
        TrustedProxy::Network(network) => Some(*network),
        TrustedProxy::Unix => None,
    });
    let trusted = TrustedProxies::new(networks.collect());
    match proxies.contains(&TrustedProxy::Unix) {
        true => trusted.and_unix(),
        false => trusted,
    }
}
