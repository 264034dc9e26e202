//! What clients send over HTTP/2.
//!
//! | outcome | what it says |
//! |---|---|
//! | `400` and the like | answered with this status |
//! | `reset` | the stream is reset |
//! | `ended` | the whole connection is: its compression cannot be trusted any more (RFC 9113 §8.1.1 lets it be) |
//! | `refused` | one of these three, with a status of 400 to 499 |
//! | `cut`, `refused cut` | the same, but the backend may have seen the beginning, never the whole |
//! | `one` | passed on as one clean request |
//! | `one reset` | reset, since it goes on behind what its head says is its end; up to there it may have been passed on as one |
//!
//! Where the connection goes on, the next request on it is served.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use super::cases;
use super::frames::{self, DATA, END_STREAM, GOAWAY, HEADERS, RST_STREAM};
use super::requests::{is_clean, seen_until_now};
use super::strict::{Seen, StrictBackend};
use crate::support::{DEADLINE, Proxy, in_front_of};

/// What came of a stream.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Answered(u16),
    Reset,
    /// So was the connection.
    Ended,
}

#[test]
fn a_malformed_stream_is_refused_or_passed_on_as_exactly_one() {
    let backend = StrictBackend::start();
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut wrong = Vec::new();
    for (name, outcome, parts) in cases::lines("streams.txt", 150) {
        let before = backend.seen().len();
        let (end, next) = ask(proxy.address(), &parts);
        let is_cut = outcome.ends_with("cut");
        let seen = seen_until_now(&proxy, &backend, before, false);
        if let Err(why) = judge(
            outcome.trim_end_matches(" cut"),
            is_cut,
            (&end, &next),
            seen,
        ) {
            wrong.push(format!("{name}: {why}\n  {end:?}, then {next:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What came of the stream, and of another one behind it.
fn ask(address: SocketAddr, parts: &str) -> (End, End) {
    const NEXT: &str =
        ":method => GET ;; :scheme => http ;; :authority => a.test ;; :path => /next";
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let _ = socket.write_all(&[frames::client_preface(), frames::message(1, parts)].concat());
    let end = end(&mut socket, 1);
    let _ = socket.write_all(&frames::message(3, NEXT));
    let next = self::end(&mut socket, 3);
    (end, next)
}

fn end(socket: &mut TcpStream, stream: u32) -> End {
    let mut status = None;
    while let Ok(frame) = frames::read(socket) {
        match frame.kind {
            GOAWAY => return End::Ended,
            RST_STREAM if frame.stream == stream => match status {
                // Answered before the request was whole.
                Some(status) => return End::Answered(status),
                None => return End::Reset,
            },
            HEADERS if frame.stream == stream => {
                status.get_or_insert_with(|| frames::status(&frame.payload));
            }
            DATA | HEADERS => {}
            _ => continue,
        }
        if let (true, Some(status)) = (
            frame.flags & END_STREAM != 0 && frame.stream == stream,
            status,
        ) {
            return End::Answered(status);
        }
    }
    End::Ended
}

fn judge(
    outcome: &str,
    is_cut: bool,
    (end, next): (&End, &End),
    seen: Vec<Seen>,
) -> Result<(), String> {
    let is_refused = |end: &End| matches!(end, End::Answered(400..500) | End::Reset | End::Ended);
    let is_right = match outcome {
        "one" => *end == End::Answered(200),
        "reset" | "one reset" => *end == End::Reset,
        "ended" => *end == End::Ended,
        "refused" | "cut" => is_refused(end),
        status => *end == End::Answered(status.parse().unwrap()),
    };
    if !is_right {
        return Err(format!("not {outcome}, seen {seen:?}"));
    }
    if *end != End::Ended && *next != End::Answered(200) {
        return Err("the connection does not go on".to_owned());
    }
    let is_next = |seen: &&Seen| matches!(seen, Seen::Request(taken) if taken.target == "/next");
    // The beginning of a case before this one may be seen to have no end only now; these cases stand behind all others.
    let is_late =
        |seen: &&Seen| matches!(seen, Seen::Part(_)) && (is_cut || outcome.starts_with("one"));
    let others = seen.iter().filter(|seen| !is_next(seen) && !is_late(seen));
    let others: Vec<_> = others.collect();
    match (outcome, &others[..]) {
        ("one" | "one reset", [Seen::Request(taken)]) => is_clean(taken),
        ("one reset", []) => Ok(()),
        ("one" | "one reset", _) => Err(format!("not passed on as one request: {others:?}")),
        (_, []) => Ok(()),
        _ => Err(format!("the backend saw {others:?}")),
    }
}
