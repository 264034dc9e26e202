//! Frames that are cheap to send and would cost much, one after the other, from a client that never reads.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::frames::{self, DATA, HEADERS, SETTINGS};
use crate::support::Proxy;

/// What of a flood is sent at most, in bytes.
const FLOOD: usize = 8 * 1024 * 1024;

/// What it may cost in memory, in KiB: less than what was sent.
const MOST: u64 = 6 * 1024;

const PING: u8 = 6;
const PRIORITY: u8 = 2;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

#[test]
fn a_flood_of_small_frames_ends_or_stops_and_holds_no_memory() {
    let proxy = Proxy::start(
        "listeners:\n  - address: 127.0.0.1:0\nroutes:\n  - respond: { status: 200, body: fine }\n",
    );
    let head = frames::message(
        1,
        ":method => POST ;; :scheme => http ;; :authority => a.test ;; :path => /x ;; DATA => x ;; TRAILER => a => b",
    );
    // The head alone: its body goes on.
    let open = frames::frame(
        HEADERS,
        frames::END_HEADERS,
        1,
        &head[9..9 + usize::from(head[2])],
    );
    let begun = frames::frame(HEADERS, 0, 1, &head[9..9 + usize::from(head[2])]);
    let field = [&[0, 3][..], b"x-a", &[3], b"b-c"].concat();
    for (name, first, frame) in [
        ("pings", Vec::new(), frames::frame(PING, 0, 0, &[0; 8])),
        (
            "settings",
            Vec::new(),
            frames::frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
        ),
        (
            "empty settings",
            Vec::new(),
            frames::frame(SETTINGS, 0, 0, &[]),
        ),
        (
            "priorities",
            Vec::new(),
            frames::frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]),
        ),
        (
            "windows",
            Vec::new(),
            frames::frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
        ),
        ("empty data", open.clone(), frames::frame(DATA, 0, 1, &[])),
        (
            "continuations",
            begun.clone(),
            frames::frame(CONTINUATION, 0, 1, &field),
        ),
        (
            "empty continuations",
            begun,
            frames::frame(CONTINUATION, 0, 1, &[]),
        ),
        (
            "frames that nobody knows",
            open,
            frames::frame(200, 0, 1, b"x"),
        ),
    ] {
        assert_eq!(proxy.get("/").status, 200);
        let before = memory(&proxy);
        let mut socket = TcpStream::connect(proxy.address()).unwrap();
        socket
            .set_write_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let _ = socket.write_all(&[frames::client_preface(), first].concat());
        let many = frame.repeat(16 * 1024 / frame.len());
        for _ in 0..FLOOD / many.len() {
            // It takes no more, or has ended it.
            if socket.write_all(&many).is_err() {
                break;
            }
        }
        assert_eq!(proxy.get("/").status, 200, "after {name}");
        let grown = memory(&proxy).saturating_sub(before);
        assert!(grown < MOST, "{grown} KiB for {name}");
    }
}

/// What the program has of the machine's memory, in KiB.
fn memory(proxy: &Proxy) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.unwrap().parse().unwrap()
}
