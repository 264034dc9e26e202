//! What is malformed is refused, or passed on as exactly one clean message.
//!
//! The cases are data: `requests.txt` and `streams.txt` are what clients send over HTTP/1 and HTTP/2, `answers.txt` and `answer_streams.txt`
//! what backends answer. Each is sent byte for byte, with another request behind it; the backend of the requests (`strict`) reads as RFC 9112
//! wants it, keeps nothing to itself, and calls everything else a violation.

mod answer_streams;
mod answers;
mod cases;
mod frames;
mod requests;
mod streams;
mod strict;
