//! Backends that speak HTTP/2, frame by frame.

use super::End::{Close, Open, Reset};
use super::Expected::{Bodiless, Broken, Whole};
use super::{End, Expected, HELLO, NEXT, Row, hold};
use crate::support::frames::{
    ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, frame, line,
};
use crate::support::{Backend, Conversation, upstream_of};

/// The first request's stream: it is the first on the connection.
const STREAM: u32 = 1;

fn rows() -> Vec<Row> {
    let rows = [ended().to_vec(), given_up().to_vec(), bodiless().to_vec()].concat();
    let row = |(name, first, then, end, expected): Line| Row {
        name,
        method: if name.starts_with("HEAD") {
            "HEAD"
        } else {
            "GET"
        },
        first,
        then,
        end,
        expected,
    };
    rows.into_iter().map(row).collect()
}

/// Name, what is said first and then, what becomes of the connection, what the client has.
type Line = (&'static str, Vec<u8>, Vec<u8>, End, Expected);

/// A head with this length and the first part of its body.
fn begun(length: Option<&str>) -> Vec<u8> {
    [head("200", length), data(HELLO, 0)].concat()
}

/// Streams that end.
#[rustfmt::skip]
fn ended() -> [Line; 11] {
    let last_hello = || data(HELLO, END_STREAM);
    let all = |length, last| [head("200", length), last].concat();
    [
        ("whole, with a length", all(Some("5"), last_hello()), vec![], Open, Whole(HELLO)),
        ("whole, without one", all(None, last_hello()), vec![], Open, Whole(HELLO)),
        ("whole, with trailers", begun(Some("5")), trailers(), Open, Whole(HELLO)),
        ("before its length", all(Some("10"), last_hello()), vec![], Open, Broken),
        ("later before its length", begun(Some("10")), data("", END_STREAM), Open, Broken),
        ("by trailers before its length", begun(Some("10")), trailers(), Open, Broken),
        ("a head alone, with a length", only_head("200", Some("10")), vec![], Open, Broken),
        ("more than its length", all(Some("5"), data("hellowrong", END_STREAM)), vec![], Open, Broken),
        ("more than its length, later", begun(Some("7")), data("wrong", END_STREAM), Open, Broken),
        ("a length that is none", all(Some("5x"), last_hello()), vec![], Open, Broken),
        ("a farewell, and whole", begun(None), [farewell(0), last_hello()].concat(), Close, Whole("hellohello")),
    ]
}

/// Streams and connections that are given up.
#[rustfmt::skip]
fn given_up() -> [Line; 10] {
    let reset = |reason: u32| frame(RST_STREAM, 0, STREAM, &reason.to_be_bytes());
    [
        ("reset with INTERNAL_ERROR", begun(None), reset(2), Open, Broken),
        ("reset with CANCEL", begun(None), reset(8), Open, Broken),
        ("reset with NO_ERROR", begun(None), reset(0), Open, Broken),
        ("reset with NO_ERROR before its length", begun(Some("10")), reset(0), Open, Broken),
        ("reset behind the head", [head("200", None), reset(8)].concat(), vec![], Open, Broken),
        ("closed in the middle", begun(None), data(HELLO, 0), Close, Broken),
        ("closed before its length", begun(Some("10")), data("x", 0), Close, Broken),
        ("connection reset in the middle", begun(None), vec![], Reset, Broken),
        ("a farewell, then closed", begun(None), farewell(0), Close, Broken),
        ("a farewell with an error, then closed", begun(None), farewell(2), Close, Broken),
    ]
}

/// Answers that have no body, whatever comes.
#[rustfmt::skip]
fn bodiless() -> [Line; 4] {
    let wrong = |status| [head(status, None), data("wrong", END_STREAM)].concat();
    [
        ("204 with a body", wrong("204"), vec![], Open, Whole("")),
        ("304 with a length", only_head("304", Some("5")), vec![], Open, Whole("")),
        ("HEAD with a length", only_head("200", Some("5")), vec![], Open, Whole("")),
        ("HEAD with a body", wrong("200"), vec![], Open, Bodiless),
    ]
}

/// No stream above the first one is taken.
fn farewell(reason: u32) -> Vec<u8> {
    let payload = [STREAM.to_be_bytes(), reason.to_be_bytes()].concat();
    frame(GOAWAY, 0, 0, &payload)
}

fn head(status: &str, length: Option<&str>) -> Vec<u8> {
    head_of(STREAM, END_HEADERS, status, length)
}

fn only_head(status: &str, length: Option<&str>) -> Vec<u8> {
    head_of(STREAM, END_HEADERS | END_STREAM, status, length)
}

fn head_of(stream: u32, flags: u8, status: &str, length: Option<&str>) -> Vec<u8> {
    let mut lines = line(":status", status);
    lines.extend(length.map_or(Vec::new(), |length| line("content-length", length)));
    frame(HEADERS, flags, stream, &lines)
}

fn trailers() -> Vec<u8> {
    frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        STREAM,
        &line("x-trailer", "1"),
    )
}

fn data(bytes: &str, flags: u8) -> Vec<u8> {
    frame(DATA, flags, STREAM, bytes.as_bytes())
}

/// Hands each request's stream to `answer`, until that says that the connection is over.
fn serve(conversation: &mut Conversation, mut answer: impl FnMut(&mut Conversation, u32) -> bool) {
    conversation.begin_frames();
    while let Some(got) = conversation.frame() {
        match got.kind {
            SETTINGS if got.flags & ACK == 0 => conversation.send(frame(SETTINGS, ACK, 0, &[])),
            PING if got.flags & ACK == 0 => conversation.send(frame(PING, ACK, 0, &got.payload)),
            HEADERS if !answer(conversation, got.stream) => return,
            _ => {}
        }
    }
}

#[test]
fn no_broken_answer_of_a_backend_over_http2_looks_complete_to_anybody() {
    hold(rows(), 20, |row, meeting| {
        let backend = Backend::start(move |conversation| {
            serve(conversation, |conversation, stream| {
                if meeting.is_first() {
                    return row.play(conversation, &meeting);
                }
                conversation.send(head_of(stream, END_HEADERS, "200", None));
                conversation.send(frame(DATA, END_STREAM, stream, NEXT.as_bytes()));
                true
            });
        });
        let keys = "protocol: http2\n    retry: { attempts: 1 }";
        let file = upstream_of(&[backend.address()], keys);
        (backend, file)
    });
}
