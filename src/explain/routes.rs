//! The route that takes a request, and why no other does.

use super::explanation::Considered;
use crate::route::{self, Request};
use crate::runtime::Snapshot;

/// Every route that was asked, the most specific first, and the index of the one that takes the request.
pub(super) fn consider(
    snapshot: &Snapshot,
    request: &Request<'_>,
) -> (Vec<Considered>, Option<usize>) {
    let considered = snapshot.table.consider(request);
    let mut matching = considered.iter().filter(|one| one.matched());
    let (winner, runner_up) = (matching.next(), matching.next());
    let told = considered.iter().map(|one| Considered {
        route: label(snapshot, one.route),
        matched: one.matched(),
        why: why(snapshot, one, winner, runner_up),
    });
    (told.collect(), winner.map(|winner| winner.route))
}

fn why(
    snapshot: &Snapshot,
    one: &route::Considered<'_>,
    winner: Option<&route::Considered<'_>>,
    runner_up: Option<&route::Considered<'_>>,
) -> String {
    let beats = |better: &route::Considered<'_>, other: &route::Considered<'_>| {
        better.precedence.decided_by(&other.precedence)
    };
    match (&one.outcome, winner) {
        (Err(miss), _) => miss.to_string(),
        (Ok(()), Some(winner)) if winner.route == one.route => match runner_up {
            Some(other) => {
                let other_label = label(snapshot, other.route);
                format!(
                    "takes it; before {other_label}, since {}",
                    beats(winner, other)
                )
            }
            None => "takes it; no other route matches".to_owned(),
        },
        (Ok(()), Some(winner)) => {
            let better = label(snapshot, winner.route);
            format!("matches too; {better} wins, since {}", beats(winner, one))
        }
        // There is a winner as soon as one matches.
        (Ok(()), None) => String::new(),
    }
}

pub(super) fn label(snapshot: &Snapshot, route: usize) -> String {
    let route = snapshot.routes.get(route);
    route.map_or_else(String::new, |route| route.label.clone())
}
