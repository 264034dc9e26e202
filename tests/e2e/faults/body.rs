//! The answer has begun, and its body goes wrong: the client must not take what it got for the whole.

use super::rows;
use super::scenario::Scenario;
use crate::support::Backend;

rows! {
    closed_within_length = "the backend closes before the answer has its length",
    reset_within_length = "the backend resets the connection before the answer has its length",
    closed_within_chunk = "the backend closes inside a chunk",
    closed_between_chunks = "the backend closes before the last chunk",
    reset_between_chunks = "the backend resets the connection before the last chunk",
    bad_chunk_size = "the size of a chunk that came with the head is no number",
    chunk_overrun = "a chunk that came with the head is longer than its size",
    reset_without_length = "the backend resets the connection inside an answer without a length",
    closed_without_length = "the backend closes inside an answer without a length, whose end is its close",
    stalled = "the answer stalls for timeouts.read, which is below timeouts.response",
    too_long = "the backend sends more than the answer's length",
}

const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn closed_within_length() -> Scenario {
    Scenario::of(Backend::saying(LENGTH))
}

fn reset_within_length() -> Scenario {
    Scenario::of(Backend::resetting_after(LENGTH))
}

fn closed_within_chunk() -> Scenario {
    Scenario::of(Backend::saying(format!("{CHUNKED}20\r\nonly this")))
}

fn closed_between_chunks() -> Scenario {
    Scenario::of(Backend::saying(format!("{CHUNKED}9\r\nonly this\r\n")))
}

fn reset_between_chunks() -> Scenario {
    let start = format!("{CHUNKED}9\r\nonly this\r\n");
    Scenario::of(Backend::resetting_after(start))
}

fn bad_chunk_size() -> Scenario {
    let body = "9\r\nonly this\r\nnine\r\nonly that\r\n0\r\n\r\n";
    Scenario::of(Backend::saying(format!("{CHUNKED}{body}")))
}

fn chunk_overrun() -> Scenario {
    let body = "4\r\nonly this\r\n0\r\n\r\n";
    Scenario::of(Backend::saying(format!("{CHUNKED}{body}")))
}

fn reset_without_length() -> Scenario {
    let start = "HTTP/1.1 200 OK\r\n\r\nonly this";
    Scenario::of(Backend::resetting_after(start))
}

fn closed_without_length() -> Scenario {
    Scenario::of(Backend::saying("HTTP/1.1 200 OK\r\n\r\nonly this"))
}

fn stalled() -> Scenario {
    let backend = Backend::start(|conversation| {
        conversation.request();
        conversation.send(LENGTH);
        conversation.wait_for_close();
    });
    Scenario::of(backend).timeouts("read: 300ms")
}

fn too_long() -> Scenario {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nonly this, and more";
    Scenario::of(Backend::saying(answer))
}
