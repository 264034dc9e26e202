//! What is different between two configurations, in words for whoever has just loaded the second.

use std::fmt::Debug;

use crate::config::{Action, Backend, Config, Route, Upstream};

/// One entry for each thing that is different; empty when nothing is.
pub fn changes(former: &Config, next: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    let sections = [
        ("server", is_different(&former.server, &next.server)),
        ("log", is_different(&former.log, &next.log)),
        (
            "access_log",
            is_different(&former.access_log, &next.access_log),
        ),
        (
            "trusted_proxies",
            former.trusted_proxies != next.trusted_proxies,
        ),
        (
            "request_id",
            is_different(&former.request_id, &next.request_id),
        ),
        ("resolver", former.resolver != next.resolver),
        (
            "embedded_backends",
            former.embedded_backends != next.embedded_backends,
        ),
        ("filters", is_different(&former.filters, &next.filters)),
    ];
    let sections = sections.into_iter().filter(|(_, changed)| *changed);
    changes.extend(sections.map(|(name, _)| format!("{name} changed")));
    named(
        &mut changes,
        "listener",
        &former.listeners,
        &next.listeners,
        |listener| listener.name.clone(),
        |former, next| (former != next).then(|| "changed".to_owned()),
    );
    named(
        &mut changes,
        "upstream",
        &former.upstreams,
        &next.upstreams,
        |upstream| upstream.name.clone(),
        |former, next| (former != next).then(|| of_upstream(former, next)),
    );
    named(
        &mut changes,
        "route",
        &former.routes,
        &next.routes,
        |route| route.label.clone(),
        |one, other| {
            let one = (whole(one), action(one, former));
            (one != (whole(other), action(other, next))).then(|| "changed".to_owned())
        },
    );
    changes
}

/// What was added, removed and changed among things with names.
fn named<T>(
    changes: &mut Vec<String>,
    kind: &str,
    former: &[T],
    next: &[T],
    name: impl Fn(&T) -> String,
    difference: impl Fn(&T, &T) -> Option<String>,
) {
    let find = |all: &[T], wanted: &str| all.iter().position(|one| name(one) == wanted);
    for one in next {
        let called = name(one);
        match find(former, &called).and_then(|index| former.get(index)) {
            None => changes.push(format!("{kind} {called} added")),
            Some(before) => changes.extend(
                difference(before, one).map(|difference| format!("{kind} {called} {difference}")),
            ),
        }
    }
    for one in former {
        let called = name(one);
        if find(next, &called).is_none() {
            changes.push(format!("{kind} {called} removed"));
        }
    }
}

fn of_upstream(former: &Upstream, next: &Upstream) -> String {
    let is_in = |all: &[Backend], one: &Backend| all.iter().any(|o| o.address == one.address);
    let added = next.backends.iter();
    let added = added.filter(|one| !is_in(&former.backends, one));
    let removed = former.backends.iter();
    let removed = removed.filter(|one| !is_in(&next.backends, one));
    let mut words: Vec<_> = added.map(|one| format!("+{}", one.address)).collect();
    words.extend(removed.map(|one| format!("-{}", one.address)));
    match words.is_empty() {
        true => "changed".to_owned(),
        false => format!("changed ({})", words.join(" ")),
    }
}

/// All of a route but where it sends requests.
fn whole(route: &Route) -> String {
    let Route {
        name: _,
        label: _,
        matches,
        priority,
        forwarded,
        filters,
        action: _,
    } = route;
    format!("{:?}", (matches, priority, forwarded, filters))
}

/// Where a route sends requests. Upstreams are told apart by their names: their places in the file may have changed.
fn action(route: &Route, config: &Config) -> String {
    let upstream = |index: usize| {
        let upstream = config.upstreams.get(index);
        upstream.map(|upstream| upstream.name.clone())
    };
    match &route.action {
        Action::Upstream(index) => format!("{:?}", upstream(*index)),
        Action::Split(split) => {
            let between = split.between.iter();
            let between = between.map(|(index, weight)| (upstream(*index), weight));
            format!("{:?}", (between.collect::<Vec<_>>(), &split.key))
        }
        other => format!("{other:?}"),
    }
}

/// Not all parts of a configuration can be compared, but all can be shown.
fn is_different(former: &impl Debug, next: &impl Debug) -> bool {
    format!("{former:?}") != format!("{next:?}")
}
