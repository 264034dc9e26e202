//! Routes: the names they use and bear, and that each does one thing.

use super::Names;
use crate::config::diagnostic::{Place, closest};
use crate::config::reader::Reader;
use crate::config::route::{Action, Match, MatchEntry, RespondEntry, Route, RouteEntry};
use crate::config::spot::{Entry, Spot};
use crate::config::text::Name;
use crate::config::word::alternatives;
use crate::semantics::forwarded::Policy;

/// So many names are listed when none of them is close.
const SHOWN: usize = 10;

pub(super) fn names(entries: &[Spot<RouteEntry>], reader: &mut Reader<'_>) {
    let mut earlier = Vec::new();
    for name in entries.iter().filter_map(|entry| entry.value.name.as_ref()) {
        if let (Some(place), true) = (&name.place, earlier.contains(&&name.value)) {
            reader.fault_at(
                place,
                format!(
                    "another route is called {:?} already; choose another name",
                    name.value.0
                ),
            );
        }
        earlier.push(&name.value);
    }
}

pub(super) fn route(
    index: usize,
    entry: Spot<RouteEntry>,
    base: &Policy,
    names: &Names,
    reader: &mut Reader<'_>,
) -> Option<Route> {
    let Spot {
        place,
        value: entry,
    } = entry;
    let place = place?;
    let forwarded = entry.forwarded.over(base);
    let priority = entry.priority;
    let filters = entry.filters;
    let name = entry.name.as_ref().map(|name| name.value.0.clone());
    let matches = match entry.matches {
        Entry::Absent => Some(Match::default()),
        Entry::Refused(_) => None,
        Entry::Given(_, matches) => {
            listener_names(&matches, names, reader);
            Some(matches.build())
        }
    };
    let action = action(&place, entry.upstream, entry.respond, names, reader);
    Some(Route {
        label: name.clone().unwrap_or_else(|| format!("routes[{index}]")),
        name,
        matches: matches?,
        priority,
        forwarded,
        filters,
        action: action?,
    })
}

fn listener_names(matches: &MatchEntry, names: &Names, reader: &mut Reader<'_>) {
    let Some(known) = &names.listeners else {
        return;
    };
    for Spot { place, value } in matches.listener.iter().flat_map(|names| &names.0) {
        if let (Some(place), false) = (place, known.contains(&value.0)) {
            reader.fault_at(
                place,
                format!(
                    "no listener is called {:?}; {}",
                    value.0,
                    advice(&value.0, known)
                ),
            );
        }
    }
}

fn action(
    place: &Place,
    upstream: Entry<Name>,
    respond: Entry<RespondEntry>,
    names: &Names,
    reader: &mut Reader<'_>,
) -> Option<Action> {
    match (upstream.place(), respond.place()) {
        (None, None) if reader.has_unknown_keys(place) => {}
        (None, None) => reader.fault_at(
            place,
            "nothing says what becomes of the request; \
add `upstream: NAME` or `respond: { status: 404 }`",
        ),
        (Some(_), Some(respond)) => reader.fault_at(
            respond,
            "`upstream` stands here already; \
a route does one thing, keep one of the two",
        ),
        _ => {}
    }
    let respond = respond.value().map(|respond| respond.build(reader));
    if let Entry::Given(place, name) = upstream {
        let found = names.upstreams.iter().position(|known| *known == name.0);
        if found.is_none() {
            reader.fault_at(
                &place,
                format!(
                    "no upstream is called {:?}; {}",
                    name.0,
                    advice(&name.0, &names.upstreams)
                ),
            );
        }
        return found.map(Action::Upstream);
    }
    respond.map(Action::Respond)
}

/// What to do about a name that is not there: the one that was probably meant, or all there are.
fn advice(name: &str, known: &[String]) -> String {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    match closest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None if names.is_empty() => "there is none at all; add it".to_owned(),
        None => format!(
            "write {}",
            alternatives(names.get(..SHOWN).unwrap_or(&names))
        ),
    }
}
