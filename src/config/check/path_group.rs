//! `$path_NAME`: whether there is a group of that name where it stands.
//!
//! What stands in a route is about its own path. Elsewhere (the access log, the filters of the top level and of listeners)
//! requests of several routes pass, so one of them must have the group; it has no value for the others. The key of a
//! hash may have no gaps: without a value, all requests of a route would go to one backend.

use crate::config::PathPattern;
use crate::config::diagnostic::{Place, closest};
use crate::config::file::File;
use crate::config::reader::Reader;
use crate::config::route::RouteEntry;
use crate::config::spot::{Entry, Spot};
use crate::config::text::Name;

/// So many groups are listed when none of them is close.
const SHOWN: usize = 10;

/// A route, as far as groups are concerned.
struct Named<'f> {
    entry: &'f RouteEntry,
    place: &'f Place,
    /// None when its path is no regex.
    groups: Option<Vec<&'f str>>,
}

pub(super) fn known(file: &File, reader: &mut Reader<'_>) {
    let uses = reader.take_path_groups();
    if uses.is_empty() {
        return;
    }
    let routes = file.routes.0.iter();
    let routes: Vec<Named<'_>> = routes
        .filter_map(|Spot { place, value }| Named::new(place.as_ref()?, value))
        .collect();
    // A path that could not be read may have the group.
    let is_unread = |path: &str| reader.has_faults_below(&format!("{path}.match"));
    let unread: Vec<bool> = routes
        .iter()
        .map(|route| is_unread(&route.place.path))
        .collect();
    let upstreams = file.upstreams.0.iter().map(|(name, _)| name);
    let upstreams: Vec<&Spot<Name>> = upstreams.collect();
    for (place, name) in uses {
        let own = routes
            .iter()
            .position(|route| place.is_below(&route.place.path));
        let upstream = upstreams.iter().find(|upstream| {
            let path = upstream.place.as_ref().map(|place| place.path.as_str());
            path.is_some_and(|path| place.is_below(path))
        });
        let fault = match (own, upstream) {
            (Some(index), _) if unread.get(index) == Some(&true) => None,
            (Some(index), _) => routes.get(index).and_then(|route| route.lacks(&name)),
            _ if unread.contains(&true) => None,
            (None, Some(upstream)) => lacks_on_the_way_to(&upstream.value, &routes, &name),
            (None, None) => lacks_everywhere(&routes, &name),
        };
        if let Some(message) = fault {
            reader.fault_at(&place, message);
        }
    }
}

impl<'f> Named<'f> {
    fn new(place: &'f Place, entry: &'f RouteEntry) -> Option<Self> {
        let path = match &entry.matches {
            Entry::Given(_, matches) => matches.path.as_ref(),
            Entry::Absent | Entry::Refused(_) => None,
        };
        let groups = match path {
            Some(PathPattern::Regex(regex)) => Some(regex.capture_names().flatten().collect()),
            _ => None,
        };
        Some(Named {
            entry,
            place,
            groups,
        })
    }

    fn groups(&self) -> impl Iterator<Item = &'f str> {
        self.groups.iter().flatten().copied()
    }

    fn has(&self, name: &str) -> bool {
        self.groups().any(|group| group == name)
    }

    /// What to say of a `$path_NAME` in this route; nothing when it is right.
    fn lacks(&self, name: &str) -> Option<String> {
        if self.has(name) {
            return None;
        }
        let advice = match &self.groups {
            None => format!(
                "the path of this route is no regex; write for example `match: {{ path: {{ regex: '^/(?<{name}>[^/]+)' }} }}`"
            ),
            Some(groups) if groups.is_empty() => format!(
                "the regex of this route's path has no named group; write `(?<{name}>…)` around what is meant"
            ),
            Some(groups) => advice(name, groups, "the groups of this route's path are"),
        };
        Some(format!("there is no $path_{name} here; {advice}"))
    }

    fn leads_to(&self, upstream: &Name) -> bool {
        let is_upstream = matches!(&self.entry.upstream, Entry::Given(_, name) if name == upstream);
        let shares = match &self.entry.split {
            Entry::Given(_, split) => split.0.between.0.as_slice(),
            Entry::Absent | Entry::Refused(_) => &[],
        };
        is_upstream || shares.iter().any(|way| way.upstream.value == *upstream)
    }

    fn label(&self) -> String {
        match &self.entry.name {
            Some(name) => format!("{:?}", name.value.0),
            None => self.place.path.clone(),
        }
    }
}

fn lacks_on_the_way_to(upstream: &Name, routes: &[Named<'_>], name: &str) -> Option<String> {
    let mut leading = routes.iter().filter(|route| route.leads_to(upstream));
    if !leading.clone().any(|route| route.has(name)) {
        return lacks_everywhere(routes, name).or_else(|| {
            Some(format!(
                "no route that leads to this upstream has a group called {name:?} in its path; write another variable"
            ))
        });
    }
    let without = leading.find(|route| !route.has(name))?;
    Some(format!(
        "{} leads here, and its path has no group called {name:?}; \
give it an upstream of its own, or name a group so",
        without.label()
    ))
}

fn lacks_everywhere(routes: &[Named<'_>], name: &str) -> Option<String> {
    if routes.iter().any(|route| route.has(name)) {
        return None;
    }
    let groups: Vec<&str> = routes.iter().flat_map(Named::groups).collect();
    let advice = match groups.as_slice() {
        [] => format!("no regex of a route's path has a named group; write `(?<{name}>…)` in one"),
        groups => advice(name, groups, "the groups of routes' paths are"),
    };
    Some(format!("there is no $path_{name}; {advice}"))
}

fn advice(name: &str, groups: &[&str], all: &str) -> String {
    if let Some(meant) = closest(name, groups.iter().copied()) {
        return format!("did you mean $path_{meant}?");
    }
    let mut written: Vec<String> = Vec::new();
    for group in groups {
        let group = format!("$path_{group}");
        if written.len() < SHOWN && !written.contains(&group) {
            written.push(group);
        }
    }
    format!("{all} {}", written.join(", "))
}
