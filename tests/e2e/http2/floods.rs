//! Frames that cost a client little, sent without end: its connection is ended, and nobody else notices.
//!
//! Where the bound is: `h2` for heads, `CONTINUATION`, small and empty `DATA`, and resets by us; `server::http2::patience` for requests that
//! are given up; `server::connection::flood` for all frames that carry nothing.

use std::fs;
use std::thread;

use super::{answering_proxy, head};
use crate::support::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, PING, PREFACE, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, frame, line,
};
use crate::support::{Client, HelloBackend, Http2Client, Load, Proxy, upstream_of};

const PRIORITY: u8 = 2;
const UNKNOWN: u8 = 0xfa;

/// No flood may get so far, in bytes.
const MOST: usize = 64 * 1024 * 1024;
/// What all of them together may leave behind in the process, in KiB.
const GROWTH: u64 = 64 * 1024;

/// What comes before, and the n-th of what comes then.
type Flood = (&'static str, Vec<u8>, fn(u32) -> Vec<u8>);

/// The number of the n-th stream.
fn nth(n: u32) -> u32 {
    2 * n + 1
}

fn floods() -> Vec<Flood> {
    vec![
        ("pings", vec![], |n| {
            frame(PING, 0, 0, &u64::from(n).to_be_bytes())
        }),
        ("settings", vec![], |_| frame(SETTINGS, 0, 0, &[])),
        ("settings of a window", vec![], |n| {
            let window = (65_535 + n % 2).to_be_bytes();
            frame(SETTINGS, 0, 0, &[&[0, 4][..], &window].concat())
        }),
        ("windows opened by a byte", vec![], |_| {
            frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])
        }),
        ("priorities", vec![], |n| {
            frame(PRIORITY, 0, nth(n), &[0, 0, 0, 0, 1])
        }),
        ("frames that nobody knows", vec![], |n| {
            frame(UNKNOWN, 0, n, &[])
        }),
        ("heads without end", head(1, END_STREAM), |n| {
            frame(CONTINUATION, 0, 1, &line("x-more", n.to_string()))
        }),
        ("empty parts of a head", head(1, END_STREAM), |_| {
            frame(CONTINUATION, 0, 1, &[])
        }),
        ("empty parts of a body", head(1, END_HEADERS), |_| {
            frame(DATA, 0, 1, &[])
        }),
        ("requests that are given up", vec![], |n| {
            [
                head(nth(n), END_HEADERS),
                frame(RST_STREAM, 0, nth(n), &[0, 0, 0, 8]),
            ]
            .concat()
        }),
        ("requests that are made to be reset", vec![], |n| {
            let broken = frame(WINDOW_UPDATE, 0, nth(n), &[0; 4]);
            [head(nth(n), END_HEADERS), broken].concat()
        }),
        ("malformed requests", vec![], |n| {
            frame(
                HEADERS,
                END_HEADERS | END_STREAM,
                nth(n),
                &line("x-no", "method"),
            )
        }),
    ]
}

#[test]
fn whoever_floods_a_connection_with_frames_is_sent_away_and_the_others_are_served() {
    let backend = HelloBackend::start("one");
    let proxy = Proxy::start(&upstream_of(&[backend.address()], "retry: { attempts: 1 }"));
    let load = Load::start(proxy.address(), 1);
    load.wait_for_answers(20);
    let before = resident(&proxy);
    let floods = floods();
    assert!(floods.len() >= 12);
    for (name, first, then) in floods {
        flood(&proxy, name, &first, then);
        load.wait_for_answers(5);
    }
    let tally = load.stop();
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    let growth = resident(&proxy).saturating_sub(before);
    assert!(growth < GROWTH, "{growth} KiB");
    assert_eq!(Http2Client::connect(proxy.address()).get("/").status, 200);
}

/// Sends until the other side has had enough.
fn flood(proxy: &Proxy, name: &str, first: &[u8], then: fn(u32) -> Vec<u8>) {
    let mut client = Client::connect(proxy.address());
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &[]), first].concat());
    let mut hand = client.another_hand();
    // What is answered is read, so that nothing is held up by it.
    let reading = thread::spawn(move || while matches!(client.frame(), Ok(Some(_))) {});
    let (mut sent, mut n) = (0, 0);
    loop {
        let batch: Vec<u8> = (n..n + 1000).flat_map(then).collect();
        n += 1000;
        sent += batch.len();
        if !hand.has_sent(&batch) {
            break;
        }
        assert!(sent < MOST, "{name}: {sent} bytes, and no end");
    }
    reading.join().unwrap();
}

/// In KiB.
fn resident(proxy: &Proxy) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let mut words = line.unwrap().split_whitespace();
    words.nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_client_that_lets_no_answer_in_is_given_up_after_the_time_for_writing() {
    let file = "listeners:\n  - address: 127.0.0.1:0\n    timeouts: { write: 300ms }\n\
                routes:\n  - respond: { status: 200, body: fine }\n";
    let proxy = Proxy::start(file);
    let mut client = Client::connect(proxy.address());
    let no_window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let ask = head(1, END_HEADERS | END_STREAM);
    client.send([PREFACE, &no_window, &ask].concat());
    let mut got = Vec::new();
    while let Ok(Some(frame)) = client.frame() {
        let is_over = frame.kind == RST_STREAM && frame.stream == 1;
        got.push(frame);
        if is_over {
            break;
        }
    }
    let of_body = |frame: &&Frame| frame.kind == DATA && !frame.payload.is_empty();
    assert_eq!(got.iter().filter(of_body).count(), 0, "{got:?}");
    let reset = got.iter().find(|frame| frame.kind == RST_STREAM);
    assert!(reset.is_some(), "{got:?}");
    assert_eq!(
        Http2Client::connect(proxy.address()).get("/").text(),
        "fine"
    );
}

#[test]
fn websockets_over_http2_are_not_to_be_had_even_unannounced() {
    let proxy = answering_proxy();
    let mut client = Client::connect(proxy.address());
    let lines = [
        line(":method", "CONNECT"),
        line(":protocol", "websocket"),
        line(":scheme", "http"),
        line(":path", "/"),
        line(":authority", "a.test"),
    ];
    let ask = frame(HEADERS, END_HEADERS, 1, &lines.concat());
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &[]), &ask].concat());
    let answer = loop {
        let frame = client.frame().unwrap().expect("an answer");
        if frame.stream == 1 {
            break frame;
        }
        let settings = if frame.kind == SETTINGS {
            &frame.payload[..]
        } else {
            &[]
        };
        // SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441 §3)
        assert!(settings.chunks(6).all(|setting| setting[..2] != [0, 8]));
    };
    // PROTOCOL_ERROR: it is malformed for whoever has not announced it.
    assert_eq!((answer.kind, answer.code()), (RST_STREAM, 1), "{answer:?}");
}
