//! What backends answer over HTTP/1.
//!
//! | outcome | what it says |
//! |---|---|
//! | `502`, `504` | the client is answered this, and gets no byte of it |
//! | `cut` | 502, or it has begun and is cut where it cannot be read any further |
//! | `one` | passed on as one clean answer |
//!
//! Behind each case another client asks the same backend, and gets its own answer.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use super::cases::{self, Case};
use super::strict::{self, Answered};
use crate::support::{Authority, Backend, Conversation, DEADLINE, Proxy, ok, upstream_of};

const KEYS: &str =
    "timeouts: { response: 2s, read: 2s }\n    outlier: off\n    retry: { attempts: 1 }";

#[test]
fn a_malformed_answer_is_never_passed_on() {
    let cases = read();
    let backend = Backend::start(telling(&cases));
    let proxy = Proxy::start(&upstream_of(&[backend.address()], KEYS));
    assert_none_is_passed_on(&proxy, &cases, "");
}

#[test]
fn a_malformed_answer_over_tls_is_never_passed_on() {
    let cases = read();
    let certificate = Authority::new("of the backend").issue(&["a.test"]);
    let backend = Backend::start_tls(certificate.server(), telling(&cases));
    let keys = format!("protocol: auto\n    tls: {{ verify: false }}\n    {KEYS}");
    let proxy = Proxy::start(&upstream_of(&[backend.address()], &keys));
    assert_none_is_passed_on(&proxy, &cases, "");
}

#[test]
fn a_malformed_answer_to_who_asks_for_a_websocket_is_never_passed_on() {
    // A switch is asked for here, so that it is no fault.
    let cases: Vec<_> = cases::read("answers.txt", 100)
        .into_iter()
        .filter(|case| !case.name.starts_with("101"))
        .collect();
    let cases = Arc::new(cases);
    let backend = Backend::start(telling(&cases));
    let proxy = Proxy::start(&upstream_of(&[backend.address()], KEYS));
    let upgrade = "Connection: Upgrade, close\r\nUpgrade: websocket\r\n";
    assert_none_is_passed_on(&proxy, &cases, upgrade);
}

fn read() -> Arc<Vec<Case>> {
    Arc::new(cases::read("answers.txt", 100))
}

/// Asks for each case, with these header lines, and behind each for something that is well.
fn assert_none_is_passed_on(proxy: &Proxy, cases: &[Case], lines: &str) {
    let mut wrong = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let bytes = ask_with(proxy.address(), index, lines);
        let verdict = judge(&case.outcome, &bytes);
        let next = proxy.get("/next");
        let verdict = verdict.and(match next.body == b"next" && next.status == 200 {
            true => Ok(()),
            false => Err(format!("the next one got {next:?}")),
        });
        if let Err(why) = verdict {
            wrong.push(format!(
                "{}: {why}\n  {}",
                case.name,
                String::from_utf8_lossy(&bytes[..bytes.len().min(600)]).escape_debug()
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

fn telling(cases: &Arc<Vec<Case>>) -> impl Fn(&mut Conversation) + Send + Sync + 'static {
    let cases = Arc::clone(cases);
    move |conversation| answer_each(conversation, &cases)
}

fn answer_each(conversation: &mut Conversation, cases: &[Case]) {
    while let Some(request) = conversation.request() {
        match request.target().strip_prefix("/case-") {
            Some(index) => conversation.send(&cases[index.parse::<usize>().unwrap()].bytes),
            None => conversation.send(ok("next")),
        }
    }
}

/// All that comes, to the end of the connection.
pub(super) fn ask(address: SocketAddr, index: usize) -> Vec<u8> {
    ask_with(address, index, "")
}

fn ask_with(address: SocketAddr, index: usize, lines: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let close = match lines {
        "" => "Connection: close\r\n",
        lines => lines,
    };
    let request = format!("GET /case-{index} HTTP/1.1\r\nHost: a.test\r\n{close}\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => bytes,
    }
}

pub(super) fn judge(outcome: &str, bytes: &[u8]) -> Result<(), String> {
    let answer = strict::answer(bytes)?;
    let status = outcome.parse().unwrap_or(502);
    let is_ours = answer.as_ref().is_some_and(|answer| {
        let mut names = answer.fields.iter().map(|(name, _)| name);
        answer.status == status && answer.more == 0 && names.any(|name| name == "proxy-status")
    });
    match (outcome, answer) {
        ("502" | "504" | "cut", _) if is_ours => Ok(()),
        ("cut", None) => Ok(()),
        ("one", Some(answer)) => is_clean(&answer),
        (outcome, _) => Err(format!("not {outcome}")),
    }
}

fn is_clean(answer: &Answered) -> Result<(), String> {
    let bodies: [&[u8]; 3] = [
        b"hello",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npo",
    ];
    let is_clean = matches!(answer.status, 200 | 204 | 304)
        && answer.more == 0
        && answer.fields.iter().all(|(name, _)| name != "x-injected")
        && bodies.contains(&&*answer.body);
    let what = || "not one clean answer".to_owned();
    is_clean.then_some(()).ok_or_else(what)
}
