//! What clients send over HTTP/1.
//!
//! | outcome | what it says |
//! |---|---|
//! | `400` and the like | refused: one answer with this status, then the end; no backend has seen a byte, and nothing behind it was read as a request |
//! | `400 cut` | the same, but the backend has seen the beginning, never the whole |
//! | `one` | passed on as one clean request, and the next one after it |
//! | `one closed` | the same, and the next one is not read: the connection ends |

use std::net::SocketAddr;

use super::cases::{self, Case};
use super::strict::{Seen, StrictBackend, Taken};
use crate::support::{Answer, Client, Proxy, eventually, get, in_front_of};

/// What stands right behind each case.
const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: a.test\r\n\r\n";

#[test]
fn a_malformed_request_is_refused_or_passed_on_as_exactly_one() {
    let backend = StrictBackend::start();
    let timeouts = "127.0.0.1:0\n    timeouts: { header: 1s, body: 1s, idle: 2s }";
    let file = in_front_of(&[backend.address()]).replacen("127.0.0.1:0", timeouts, 1);
    let proxy = Proxy::start(&file);
    let mut wrong = Vec::new();
    for case in cases::read("requests.txt", 390) {
        let before = backend.seen().len();
        let answers = ask(proxy.address(), &case);
        let is_cut =
            case.outcome.ends_with("cut") && answers.iter().any(|answer| answer.status == 400);
        let seen = seen_until_now(&proxy, &backend, before, is_cut);
        if let Err(why) = judge(&case, &answers, &seen) {
            let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
            wrong.push(format!(
                "{}: {why}\n  answers {statuses:?}\n  seen {seen:?}",
                case.name
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// All answers on a connection, to its end or to that of the second one.
fn ask(address: SocketAddr, case: &Case) -> Vec<Answer> {
    let mut client = Client::connect(address);
    client.try_send(&[&case.bytes, NEXT].concat());
    let mut answers = Vec::new();
    // One more than there should ever be.
    while let Ok(answer) = client.try_answer() {
        let is_last = answers.len() == 1 && case.outcome == "one";
        answers.push(answer);
        if is_last {
            break;
        }
    }
    answers
}

/// What the backend saw of one case. A request behind it, on a connection of its own, shows that all of it has arrived.
pub(super) fn seen_until_now(
    proxy: &Proxy,
    backend: &StrictBackend,
    before: usize,
    is_cut: bool,
) -> Vec<Seen> {
    let marker = format!("/marker-{before}");
    assert_eq!(get(proxy.address(), &marker).status, 200);
    if is_cut {
        // The end of that connection is not in step with the marker's.
        eventually("the beginning is seen to have no end", || {
            let seen = backend.seen();
            seen[before..]
                .iter()
                .any(|seen| matches!(seen, Seen::Part(_) | Seen::Violation(..)))
        });
    }
    let seen = backend.seen().split_off(before);
    let is_marker = |seen: &Seen| matches!(seen, Seen::Request(taken) if taken.target == marker);
    seen.into_iter().filter(|seen| !is_marker(seen)).collect()
}

fn judge(case: &Case, answers: &[Answer], seen: &[Seen]) -> Result<(), String> {
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    let (status, more) = case.outcome.split_once(' ').unwrap_or((&case.outcome, ""));
    let Ok(status) = status.parse::<u16>() else {
        return judge_passed_on(more == "closed", answers, seen);
    };
    if statuses != [status] {
        return Err(format!("not answered {status} and closed"));
    }
    match (more, seen) {
        ("", []) => Ok(()),
        ("cut", [Seen::Part(_)]) => Ok(()),
        _ => Err("the backend saw something else".to_owned()),
    }
}

fn judge_passed_on(is_closed: bool, answers: &[Answer], seen: &[Seen]) -> Result<(), String> {
    let (first, rest) = match seen {
        [Seen::Request(first), rest @ ..] => (first, rest),
        _ => return Err("not passed on as one request".to_owned()),
    };
    let is_next = |seen: &Seen| matches!(seen, Seen::Request(taken) if taken.target == "/next" && taken.body.is_empty());
    let is_right = match rest {
        [] => is_closed,
        [next] => !is_closed && is_next(next),
        _ => false,
    };
    if !is_right {
        return Err("the next one is not what was seen next".to_owned());
    }
    if answers.len() != seen.len() || answers.iter().any(|answer| answer.status != 200) {
        return Err("not each request has its answer".to_owned());
    }
    is_clean(first)
}

/// Whether nothing that was smuggled into a part of a request has become another part.
pub(super) fn is_clean(taken: &Taken) -> Result<(), String> {
    let injected = taken
        .fields
        .iter()
        .any(|(name, _)| name.starts_with("x-injected"));
    if injected || taken.target.starts_with("/next") {
        return Err(format!("something was injected: {taken:?}"));
    }
    Ok(())
}
