//! Routes: the names they use and bear, and that each does one thing.

use super::Names;
use crate::config::Filter;
use crate::config::diagnostic::{Place, closest};
use crate::config::reader::Reader;
use crate::config::redirect::Redirect;
use crate::config::route::{Action, Match, MatchEntry, RespondEntry, Route, RouteEntry};
use crate::config::split::WrittenSplit;
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
    let forwarded = entry.forwarded.value.over(base);
    let priority = entry.priority;
    let name = entry.name.as_ref().map(|name| name.value.0.clone());
    let matches = match entry.matches {
        Entry::Absent => Some(Match::default()),
        Entry::Refused(_) => None,
        Entry::Given(_, matches) => {
            listener_names(&matches, names, reader);
            Some(matches.build())
        }
    };
    let actions = Actions {
        upstream: entry.upstream,
        split: entry.split,
        redirect: entry.redirect,
        respond: entry.respond,
    };
    let action = action(&place, actions, names, reader);
    if let Some(Action::Redirect(_) | Action::Respond(_)) = &action {
        nothing_for_a_backend(entry.forwarded.place.as_ref(), &entry.filters, reader);
    }
    let filters = entry.filters.into_iter().map(|filter| filter.value);
    Some(Route {
        label: name.clone().unwrap_or_else(|| format!("routes[{index}]")),
        name,
        matches: matches?,
        priority,
        forwarded,
        filters: filters.collect(),
        action: action?,
    })
}

/// Refuses what would change the request to a backend in a route that asks none. A filter of the program's own may look at
/// what the filters before it have changed.
fn nothing_for_a_backend(
    forwarded: Option<&Place>,
    filters: &[Spot<Filter>],
    reader: &mut Reader<'_>,
) {
    if let Some(place) = forwarded {
        reader.fault_at(
            place,
            "this route asks no backend that could be sent these headers; remove them",
        );
    }
    if filters
        .iter()
        .any(|filter| matches!(filter.value, Filter::Own(_)))
    {
        return;
    }
    let changes_the_request =
        |filter: &Filter| matches!(filter, Filter::RequestHeaders(_) | Filter::Rewrite(_));
    for Spot { place, value } in filters {
        if let Some(place) = place
            && changes_the_request(value)
            && !reader.has_faults_below(&place.path)
        {
            reader.fault_at(
                place,
                "this route asks no backend, and its answer goes by what the client sent, so this has no effect; remove it",
            );
        }
    }
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

/// What a route says about what becomes of its requests.
struct Actions {
    upstream: Entry<Name>,
    split: Entry<WrittenSplit>,
    redirect: Entry<Redirect>,
    respond: Entry<RespondEntry>,
}

fn action(
    place: &Place,
    actions: Actions,
    names: &Names,
    reader: &mut Reader<'_>,
) -> Option<Action> {
    only_one(place, &actions, reader);
    let find = |place: &Place, name: &Name, reader: &mut Reader<'_>| {
        let found = names.upstreams.iter().position(|known| *known == name.0);
        if found.is_none() {
            let advice = advice(&name.0, &names.upstreams);
            reader.fault_at(
                place,
                format!("no upstream is called {:?}; {advice}", name.0),
            );
        }
        found
    };
    let respond = actions.respond.value().map(|respond| respond.build(reader));
    let redirect = actions.redirect.value();
    if let Entry::Given(place, name) = actions.upstream {
        return find(&place, &name, reader).map(Action::Upstream);
    }
    if let Entry::Given(place, split) = actions.split {
        return split.build(&place, reader, find).map(Action::Split);
    }
    redirect
        .map(Action::Redirect)
        .or(respond.map(Action::Respond))
}

/// Refuses a route that does nothing, and all but the first of several things that it does.
fn only_one(place: &Place, actions: &Actions, reader: &mut Reader<'_>) {
    let written = [
        ("upstream", actions.upstream.place()),
        ("split", actions.split.place()),
        ("redirect", actions.redirect.place()),
        ("respond", actions.respond.place()),
    ];
    let mut written = written
        .into_iter()
        .filter_map(|(key, place)| Some((key, place?)));
    let Some((first, _)) = written.next() else {
        if !reader.has_unknown_keys(place) {
            reader.fault_at(
                place,
                "nothing says what becomes of the request; \
add `upstream: NAME` or `respond: { status: 404 }`",
            );
        }
        return;
    };
    for (_, place) in written {
        reader.fault_at(
            place,
            format!("`{first}` stands here already; a route does one thing, keep one of the two"),
        );
    }
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
