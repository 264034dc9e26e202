//! An answer that is cut short, reset or too long is never delivered as a whole one, over whatever versions of HTTP it comes and goes.
//!
//! Each way in which a backend breaks its answer is a row (`http1`, `http2`), and each row is seen by a client of each version.

mod http1;
mod http2;
mod trailers;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{Client, Conversation, Http2Client, Proxy, eventually, request};

/// What a backend does with the first request; to all others it answers in order.
struct Row {
    name: &'static str,
    method: &'static str,
    /// This it says, and waits until the client has got [`HELLO`] if it is to say or do more.
    first: Vec<u8>,
    then: Vec<u8>,
    end: End,
    expected: Expected,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Close,
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// Exactly this body, and the next answer behind it.
    Whole(&'static str),
    /// An answer without a body, and nothing of the one that came; whether the connection goes on is left open.
    Bodiless,
    /// No answer of the backend's that looks complete.
    Broken,
}

/// What the client has when the backend goes on.
const HELLO: &str = "hello";
/// Any other answer.
const NEXT: &str = "the next answer";

/// Where a backend and its test meet.
#[derive(Default)]
struct Meeting {
    requests: AtomicUsize,
    has_seen_hello: AtomicBool,
    is_played: AtomicBool,
}

impl Meeting {
    /// Whether this is the request that the row is about.
    fn is_first(&self) -> bool {
        self.requests.fetch_add(1, Ordering::Relaxed) == 0
    }

    fn has_seen_hello(&self) -> bool {
        self.has_seen_hello.load(Ordering::Relaxed)
    }

    /// Waits until the backend has said everything: what is too much is then there before the next request.
    fn wait_for_the_backend(&self) {
        eventually("the backend has said everything", || {
            self.is_played.load(Ordering::Relaxed)
        });
    }

    fn hello_is_seen(&self) {
        self.has_seen_hello.store(true, Ordering::Relaxed);
    }
}

impl Row {
    fn has_two_parts(&self) -> bool {
        !self.then.is_empty() || self.end == End::Reset
    }

    /// Plays the first request's part; whether the connection goes on.
    fn play(&self, conversation: &mut Conversation, meeting: &Meeting) -> bool {
        conversation.send(&self.first);
        if self.has_two_parts() {
            eventually("the client has the first part", || meeting.has_seen_hello());
        }
        conversation.send(&self.then);
        meeting.is_played.store(true, Ordering::Relaxed);
        match self.end {
            End::Open => return true,
            End::Close => {}
            End::Reset => conversation.reset(),
        }
        false
    }
}

/// What a client of HTTP/1.0 sees of the row, to whom the end of the connection may be the end of the answer.
fn seen_over_http1_0(address: SocketAddr, row: &Row, meeting: &Meeting) -> Expected {
    seen_over(address, "HTTP/1.0", row, meeting)
}

/// What one of HTTP/1.1 sees of it.
fn seen_over_http1_1(address: SocketAddr, row: &Row, meeting: &Meeting) -> Expected {
    seen_over(address, "HTTP/1.1", row, meeting)
}

fn seen_over(address: SocketAddr, version: &str, row: &Row, meeting: &Meeting) -> Expected {
    let ask = format!("{} / {version}\r\nHost: a.test\r\n\r\n", row.method);
    let mut client = Client::connect(address);
    client.send(&ask);
    if row.has_two_parts() {
        client.wait_for(HELLO.as_bytes());
        meeting.hello_is_seen();
    }
    let answer = match row.method {
        "HEAD" => client.try_answer_without_body(),
        _ => loop {
            match client.try_answer() {
                Ok(interim) if interim.status < 200 => {}
                answer => break answer,
            }
        },
    };
    let answer = match answer {
        Ok(answer) if row.method == "HEAD" && answer.status != 502 => answer,
        Ok(answer) if answer.status == 204 || answer.status == 304 => answer,
        Ok(answer) if answer.status == 502 || !answer.is_complete => return Expected::Broken,
        Ok(answer) => answer,
        Err(error) => {
            let is_cut = matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof
            );
            assert!(is_cut, "{}: {error}", row.name);
            return Expected::Broken;
        }
    };
    if row.expected == Expected::Bodiless {
        assert_eq!(answer.text(), "", "{}", row.name);
        return Expected::Bodiless;
    }
    // On a connection that goes on, what comes next is the next answer and nothing else.
    meeting.wait_for_the_backend();
    if answer.header("Connection") != Some("keep-alive") {
        client = Client::connect(address);
    }
    client.send(ask.replace(row.method, "GET"));
    match client.try_answer() {
        Ok(next) => assert_eq!(next.text(), NEXT, "{}", row.name),
        Err(error) => panic!("{}: no next answer: {error}", row.name),
    }
    whole(answer.text())
}

/// What a client of HTTP/2 sees of it.
fn seen_over_http2(address: SocketAddr, row: &Row, meeting: &Meeting) -> Expected {
    let mut client = Http2Client::connect(address);
    let exchange = client.send(request(row.method, "/"));
    let seen = if row.has_two_parts() {
        let (_, mut incoming) = exchange.head();
        let mut body = Vec::new();
        loop {
            match incoming.piece() {
                None => break whole(String::from_utf8(body).unwrap()),
                Some(Err(_)) => break Expected::Broken,
                Some(Ok(piece)) => body.extend(piece),
            }
            if body.ends_with(HELLO.as_bytes()) {
                meeting.hello_is_seen();
            }
        }
    } else {
        match exchange.try_answer() {
            Ok(answer) if answer.status == 502 || answer.broken.is_some() => Expected::Broken,
            Ok(answer) if row.expected == Expected::Bodiless && answer.body.is_empty() => {
                Expected::Bodiless
            }
            Ok(answer) => whole(answer.text()),
            Err(_) => Expected::Broken,
        }
    };
    meeting.wait_for_the_backend();
    assert_eq!(client.get("/").text(), NEXT, "{}", row.name);
    seen
}

fn whole(body: String) -> Expected {
    let known = ["", HELLO, "hellohello"];
    let known = known.into_iter().find(|known| *known == body);
    Expected::Whole(known.unwrap_or("something else"))
}

/// Plays every row to a client of each version. `start` gives a backend for a row.
fn hold<B>(rows: Vec<Row>, at_least: usize, start: impl Fn(Arc<Row>, Arc<Meeting>) -> (B, String)) {
    assert!(rows.len() >= at_least, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for row in rows.into_iter().map(Arc::new) {
        for (version, see) in [
            ("HTTP/1.0", seen_over_http1_0 as fn(_, &Row, &Meeting) -> _),
            ("HTTP/1.1", seen_over_http1_1),
            ("HTTP/2", seen_over_http2),
        ] {
            let meeting = Arc::<Meeting>::default();
            let (_backend, file) = start(Arc::clone(&row), Arc::clone(&meeting));
            let proxy = Proxy::start(&file);
            let seen = see(proxy.address(), &row, &meeting);
            if seen != row.expected {
                wrong.push(format!("{} → {version}: {seen:?}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
