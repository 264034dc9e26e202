//! The same questions to the functions that the proxy calls, in its order: `Table::find`, the chain of filters, an admission.

use std::cmp::Reverse;
use std::net::SocketAddr;

use evenkeel::decision::{self, Sender};
use evenkeel::explain::Question;
use evenkeel::filter::{Facts, Passage, RequestHead, Verdict, example};
use evenkeel::route::{Precedence, Table};
use evenkeel::runtime::Action;
use evenkeel::semantics::head;
use evenkeel::upstream::{Admission, Applicant};
use fastrand::Rng;
use pingora_http::RequestHeader;

use super::generator::{Sent, file, sent};
use super::told::Oracle;

const FILES: usize = 1_000;
const REQUESTS: usize = 1_000;

fn backends() -> [SocketAddr; 3] {
    [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 9], port)))
}

/// Random files that are accepted.
fn oracles(seed: u64) -> impl Iterator<Item = (Rng, Oracle)> {
    let mut random = Rng::with_seed(seed);
    std::iter::from_fn(move || {
        loop {
            let file = file(&mut random, 80, backends());
            if let Some(oracle) = Oracle::new(&file) {
                return Some((random.fork(), oracle));
            }
        }
    })
}

fn head_of(sent: &Sent) -> Option<RequestHeader> {
    let written = sent.head.as_bytes();
    head::check(written, &head::Limits::default()).ok()?;
    let origin = head::in_origin_form(written);
    let mut lines = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Request::new(&mut lines);
    parsed.parse(origin.as_deref().unwrap_or(written)).ok()?;
    let target = parsed.path.unwrap_or_default().as_bytes();
    let mut head = RequestHeader::build(parsed.method.unwrap_or_default(), target, None).ok()?;
    for line in parsed.headers.iter() {
        head.append_header(line.name.to_owned(), line.value).ok()?;
    }
    Some(head)
}

/// So many requests for which `other` names another route than `Table::find`.
fn mismatches(
    files: usize,
    requests: usize,
    other: impl Fn(&Table, &evenkeel::route::Request<'_>) -> Option<usize>,
) -> usize {
    let mut count = 0;
    for (mut random, oracle) in oracles(7).take(files) {
        for _ in 0..requests {
            let Some(head) = head_of(&sent(&mut random)) else {
                continue;
            };
            let host = decision::host(&head);
            let question = decision::question(&head, &host, "public");
            let table = &oracle.snapshot.table;
            count += usize::from(table.find(&question) != other(table, &question));
        }
    }
    count
}

/// The best of the routes that match, where `rank` says which is better.
fn best<K: Ord>(
    table: &Table,
    question: &evenkeel::route::Request<'_>,
    rank: impl Fn(Precedence) -> K,
) -> Option<usize> {
    let considered = table.consider(question).into_iter();
    let matching = considered.filter(|one| one.matched());
    matching
        .max_by_key(|one| rank(one.precedence))
        .map(|one| one.route)
}

#[test]
fn the_route_that_is_explained_is_the_one_that_is_taken_for_1_000_files_and_1_000_requests_each() {
    let explained = |table: &Table, question: &evenkeel::route::Request<'_>| {
        let considered = table.consider(question);
        considered
            .iter()
            .find(|one| one.matched())
            .map(|one| one.route)
    };
    assert_eq!(mismatches(FILES, REQUESTS, explained), 0);
}

/// Without this, the law above could hold because the random files never come to the point.
#[test]
fn each_comparison_of_the_precedence_turned_round_is_noticed() {
    type Flip = fn(Precedence) -> Precedence;
    let flips: [(&str, Flip); 5] = [
        ("priority", |it| Precedence {
            priority: -it.priority,
            ..it
        }),
        ("predicates", |it| Precedence {
            predicates: 99 - it.predicates,
            ..it
        }),
        ("file order", |it| Precedence {
            file_order: Reverse(99 - it.file_order.0),
            ..it
        }),
        ("host", |it| Precedence {
            host: evenkeel::route::HostRank::Any,
            ..it
        }),
        ("path", |it| Precedence {
            path: evenkeel::route::PathRank::Any,
            ..it
        }),
    ];
    for (name, flip) in flips {
        let flipped = mismatches(300, 50, |table, question| best(table, question, flip));
        assert!(flipped > 0, "{name} could be turned round unseen");
    }
    let unflipped = mismatches(300, 50, |table, question| best(table, question, |it| it));
    assert_eq!(unflipped, 0);
}

/// Route, answer or upstream, and the backend: what is explained, and then done.
fn agrees(oracle: &Oracle, sent: &Sent, what: &str) {
    let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
    let explained = oracle.explain(&Question {
        head: sent.head.clone().into_bytes(),
        peer: peer.into(),
        port: Some(80),
        is_tls: None,
    });
    let Some(head) = head_of(sent) else {
        assert_eq!(explained.status, Some(400), "{what}");
        return;
    };
    let snapshot = &oracle.snapshot;
    let host = decision::host(&head);
    let found = snapshot
        .table
        .find(&decision::question(&head, &host, "public"));
    let route = found.map(|index| &snapshot.routes[index]);
    assert_eq!(
        explained.route,
        route.map(|route| route.label.clone()),
        "{what}"
    );
    let sender = Sender::of(Some(peer.ip()), &head.headers, &snapshot.trusted_proxies);
    let client = sender.client.unwrap();
    assert_eq!(explained.client, Some(client.to_string()), "{what}");
    let mut edited = RequestHead::new(&head);
    let verdict = example::with_facts_of(&head, client, |facts: &Facts<'_>| {
        let chain = snapshot.chain("public", found);
        let mut passage = Passage::default();
        oracle
            .runtime
            .block_on(chain.request(&mut edited, facts, &mut passage))
    });
    if let Verdict::Answer(answer) = verdict.unwrap() {
        assert_eq!(explained.status, Some(answer.status().as_u16()), "{what}");
        return;
    }
    let Some(route) = route else {
        assert_eq!(explained.status, Some(404), "{what}");
        return;
    };
    let upstream = match &route.action {
        Action::Upstream(upstream) => upstream,
        Action::Split(split) => {
            let mut key = Vec::new();
            key.extend_from_slice(head.raw_path());
            split.choose(&key).unwrap()
        }
        Action::Redirect(redirect) => {
            assert_eq!(explained.status, Some(redirect.status.0.as_u16()), "{what}");
            return;
        }
        Action::Respond(respond) => {
            assert_eq!(explained.status, Some(respond.status.as_u16()), "{what}");
            return;
        }
    };
    assert_eq!(
        explained.upstream.as_deref(),
        Some(upstream.name()),
        "{what}"
    );
    let admission = upstream.admit(&Applicant {
        key: b"",
        token: None,
        tried: &|_| false,
    });
    let Admission::Granted(in_flight) = admission else {
        panic!("{admission:?}: {what}");
    };
    assert_eq!(
        explained.backend.as_deref(),
        Some(&**in_flight.backend().label()),
        "{what}"
    );
}

/// What is explained is what the proxy's own functions decide, for a quarter of 1,000 files and 1,000 requests each; in four tests, which
/// run beside each other.
///
/// Seen failing with an explanation that leaves the listener's filters out.
fn quarter_agrees(seed: u64) {
    for (number, (mut random, oracle)) in oracles(seed).take(FILES / 4).enumerate() {
        for _ in 0..REQUESTS {
            let sent = sent(&mut random);
            agrees(
                &oracle,
                &sent,
                &format!("seed {seed}, file {number}, {sent:?}"),
            );
        }
    }
}

#[test]
fn what_is_explained_is_what_is_decided_for_1_000_files_and_1_000_requests_each_first_quarter() {
    quarter_agrees(11);
}

#[test]
fn what_is_explained_is_what_is_decided_for_1_000_files_and_1_000_requests_each_second_quarter() {
    quarter_agrees(12);
}

#[test]
fn what_is_explained_is_what_is_decided_for_1_000_files_and_1_000_requests_each_third_quarter() {
    quarter_agrees(13);
}

#[test]
fn what_is_explained_is_what_is_decided_for_1_000_files_and_1_000_requests_each_fourth_quarter() {
    quarter_agrees(14);
}
