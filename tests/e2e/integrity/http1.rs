//! Backends that speak HTTP/1.

use super::End::{Close, Open, Reset};
use super::Expected::{Broken, Whole};
use super::{End, Expected, HELLO, NEXT, Row, hold};
use crate::support::{Backend, ok, upstream_of};

const LONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
const OPEN_ENDED: &str = "HTTP/1.0 200 OK\r\n\r\nhello";

type Line = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    End,
    Expected,
);

/// Name, method, what is said first and then, what becomes of the connection, what the client has.
#[rustfmt::skip]
const ROWS: &[Line] = &[
    ("closed before its length", "GET", LONG, "", Close, Broken),
    ("closed later before its length", "GET", LONG, "hell", Close, Broken),
    ("reset before its length", "GET", LONG, "", Reset, Broken),
    ("closed without the last chunk", "GET", CHUNKED, "", Close, Broken),
    ("closed inside a chunk", "GET", CHUNKED, "5\r\nhel", Close, Broken),
    ("closed inside the last chunk", "GET", CHUNKED, "0\r\n", Close, Broken),
    ("reset without the last chunk", "GET", CHUNKED, "", Reset, Broken),
    ("a chunk of no size", "GET", CHUNKED, "x\r\nhello\r\n0\r\n\r\n", Close, Broken),
    ("a chunk longer than its size", "GET", CHUNKED, "2\r\nhello\r\n0\r\n\r\n", Close, Broken),
    ("reset where the close is the end", "GET", OPEN_ENDED, "", Reset, Broken),
    ("closed where the close is the end", "GET", OPEN_ENDED, "hello", Close, Whole("hellohello")),
    ("more than its length, at once", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", "", Open, Whole(HELLO)),
    ("more than its length, later", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", Open, Whole(HELLO)),
    ("more behind the last chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", "", Open, Whole(HELLO)),
    ("two lengths", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 10\r\n\r\nhello", "", Close, Broken),
    ("a length that is none", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\nhello", "", Close, Broken),
    ("closed inside the head", "GET", "HTTP/1.1 200 OK\r\nContent-Le", "", Close, Broken),
    ("closed behind an interim answer", "GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "", Close, Broken),
    ("204 with a body", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nwrong", "", Open, Whole("")),
    ("304 with a body", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nwrong", "", Open, Whole("")),
    ("HEAD with a body", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", "", Open, Whole("")),
    ("HEAD with chunks", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwrong\r\n0\r\n\r\n", "", Open, Whole("")),
];

fn row((name, method, first, then, end, expected): &Line) -> Row {
    Row {
        name,
        method,
        first: (*first).into(),
        then: (*then).into(),
        end: *end,
        expected: *expected,
    }
}

#[test]
fn no_broken_answer_of_a_backend_over_http1_looks_complete_to_anybody() {
    hold(ROWS.iter().map(row).collect(), 20, |row, meeting| {
        let backend = Backend::start(move |conversation| {
            while conversation.request().is_some() {
                if !meeting.is_first() {
                    conversation.send(ok(NEXT));
                } else if !row.play(conversation, &meeting) {
                    return;
                }
            }
        });
        let file = upstream_of(&[backend.address()], "retry: { attempts: 1 }");
        (backend, file)
    });
}
