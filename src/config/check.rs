//! What no key can see alone: whether the parts of the file fit together.
//!
//! The readers have typed every value; here names are looked up, and what contradicts itself is refused: two listeners
//! on one address, a route to an upstream that is not there, a route that can never be reached. Each check notes all
//! that it finds. When a part could not be read, the checks that would blame others for it are left out.

mod address;
mod overlap;
mod path_group;
mod proxy_protocol;
mod route;
mod upstream;

use super::Config;
use super::diagnostic::Place;
use super::embedded_backend::EmbeddedBackendEntry;
use super::file::File;
use super::listener::{Listener, ListenerEntry};
use super::reader::Reader;
use super::route::Route;
use super::spot::Entry;
use super::upstream::Upstream;

/// The configuration that the file describes; None, and faults noted, when its parts do not fit together.
pub(super) fn check(file: File, reader: &mut Reader<'_>) -> Option<Config> {
    let names = Names::new(&file);
    address::listeners(&file, reader);
    address::embedded_backends(&file, reader);
    proxy_protocol::believed(&file, reader);
    path_group::known(&file, reader);
    let entries = file.routes.0;
    let places: Vec<Option<Place>> = entries.iter().map(|entry| entry.place.clone()).collect();
    route::names(&entries, reader);
    let routes: Vec<Option<Route>> = entries
        .into_iter()
        .enumerate()
        .map(|(index, entry)| route::route(index, entry, &file.forwarded.0, &names, reader))
        .collect();
    overlap::unreachable(&routes, &places, reader);
    let upstreams: Vec<Option<Upstream>> = file
        .upstreams
        .0
        .into_iter()
        .map(|(name, entry)| upstream::upstream(name.value.0, entry?, reader))
        .collect();
    let listeners = file.listeners.0.into_iter();
    let listeners: Vec<Option<Listener>> = listeners
        .map(|entry| entry.value().and_then(|entry| entry.build(reader)))
        .collect();
    Some(Config {
        server: file.server,
        listeners: listeners.into_iter().collect::<Option<_>>()?,
        log: file.log,
        access_log: file.access_log.0,
        trusted_proxies: file.trusted_proxies,
        forwarded: file.forwarded.0,
        request_id: file.request_id,
        resolver: file.resolver.resolver(),
        embedded_backends: file
            .embedded_backends
            .iter()
            .map(EmbeddedBackendEntry::embedded_backend)
            .collect(),
        filters: file.filters,
        upstreams: upstreams.into_iter().collect::<Option<_>>()?,
        routes: routes.into_iter().collect::<Option<_>>()?,
    })
}

/// The names that routes may use.
struct Names {
    upstreams: Vec<String>,
    /// None when a listener could not be read: then its name is not known.
    listeners: Option<Vec<String>>,
}

impl Names {
    fn new(file: &File) -> Self {
        let listener = |entry: &Entry<ListenerEntry>| match entry {
            Entry::Given(_, entry) => Some(entry.name()),
            Entry::Absent | Entry::Refused(_) => None,
        };
        let listeners = file
            .listeners
            .0
            .iter()
            .map(listener)
            .collect::<Option<Vec<_>>>();
        Names {
            upstreams: file
                .upstreams
                .0
                .iter()
                .map(|(name, _)| name.value.0.clone())
                .collect(),
            listeners: listeners.filter(|names| !names.is_empty()),
        }
    }
}
