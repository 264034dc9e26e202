//! Routes that can never be reached, because another takes every request that they would match.
//!
//! Only what is certain is refused: two routes that ask for the same, host by host. Of these the one with the higher
//! priority wins, or else the first, and the other is dead text that its author believes in.

use crate::config::diagnostic::Place;
use crate::config::reader::Reader;
use crate::config::{HostPattern, Match, PathPattern, Route, ValuePattern};
use crate::semantics::path::decode_for_matching;
use std::cmp::Reverse;
use std::collections::HashMap;

pub(super) fn unreachable(
    routes: &[Option<Route>],
    places: &[Option<Place>],
    reader: &mut Reader<'_>,
) {
    let mut order: Vec<(usize, &Route)> = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        if let Some(route) = route
            && !reader.has_faults_below(&format!("routes[{index}].match"))
        {
            order.push((index, route));
        }
    }
    order.sort_by_key(|(index, route)| (Reverse(route.priority), *index));
    let mut taken: HashMap<Asked, &str> = HashMap::new();
    for (index, route) in order {
        let asked = asked(&route.matches);
        let winner = asked
            .iter()
            .map(|asked| taken.get(asked).copied())
            .collect::<Option<Vec<_>>>();
        if let (Some([winner, ..]), Some(Some(place))) = (winner.as_deref(), places.get(index)) {
            reader.fault_at(place, format!("this route can never be reached, since {winner:?} matches the same requests and comes first; \
remove one, or match more closely"));
        }
        for asked in asked {
            taken.entry(asked).or_insert(&route.label);
        }
    }
}

/// What a route asks for, in a form in which equal wishes are equal: for one host, everything else sorted.
#[derive(PartialEq, Eq, Hash)]
struct Asked {
    host: Option<HostPattern>,
    others: Vec<String>,
}

fn asked(matches: &Match) -> Vec<Asked> {
    let mut others = vec![format!("path {}", path(matches.path.as_ref()))];
    others.extend(
        matches
            .methods
            .iter()
            .map(|method| format!("method {method}")),
    );
    others.extend(
        matches
            .headers
            .iter()
            .map(|header| format!("header {} {}", header.name, value(&header.value))),
    );
    others.extend(
        matches
            .query
            .iter()
            .map(|query| format!("query {:?} {}", query.name, value(&query.value))),
    );
    others.extend(
        matches
            .listeners
            .iter()
            .map(|listener| format!("listener {listener}")),
    );
    others.sort();
    others.dedup();
    let hosts: Vec<Option<HostPattern>> = match matches.hosts.as_slice() {
        [] => vec![None],
        hosts => hosts.iter().cloned().map(Some).collect(),
    };
    hosts
        .into_iter()
        .map(|host| Asked {
            host,
            others: others.clone(),
        })
        .collect()
}

fn path(path: Option<&PathPattern>) -> String {
    match path {
        None => "any".to_owned(),
        Some(PathPattern::Prefix(prefix)) => {
            let decoded = decode_for_matching(prefix);
            format!("below {:?}", decoded.strip_suffix('/').unwrap_or(&decoded))
        }
        Some(PathPattern::Exact(exact)) => format!("exact {:?}", decode_for_matching(exact)),
        Some(PathPattern::Regex(regex)) => format!("regex {:?}", regex.as_str()),
    }
}

fn value(value: &ValuePattern) -> String {
    match value {
        ValuePattern::Exact(text) => format!("exact {text:?}"),
        ValuePattern::Regex(regex) => format!("regex {:?}", regex.as_str()),
        ValuePattern::Present(present) => format!("present {present}"),
    }
}
