//! The whole request side against a parser that shares nothing with it: what is let through is read there as one request, with the same
//! method, target and length, up to the same byte.
#![no_main]

#[allow(dead_code, reason = "it is a backend besides")]
#[path = "../../tests/e2e/malformed/strict.rs"]
mod strict;

use evenkeel::http::Version;
use evenkeel::semantics::framing::{self, RequestBody};
use evenkeel::semantics::{head, request_line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(length) = framing::head_length(bytes) else {
        return;
    };
    let (written, rest) = bytes.split_at(length);
    // Backends are asked in HTTP/1.1 whatever the client speaks, and the strict reader knows nothing else.
    let is_old = request_line::read(written).version != Some(Version::HTTP_11);
    if is_old || head::check(written, &head::Limits::default()).is_err() {
        return;
    }
    let mut body = framing::request_body(written);
    let is_chunked = matches!(body, RequestBody::Chunked(_));
    let taken = body.take(rest);
    let origin = head::in_origin_form(written);
    let sent = origin.as_deref().unwrap_or(written);
    // Chunks are made anew for a backend; their extensions and trailers end here.
    let rest = if is_chunked {
        &b"0\r\n\r\n"[..]
    } else {
        &rest[..taken]
    };
    let message = [sent, rest].concat();
    match strict::message(&message) {
        Ok(Some((request, end))) => {
            let line = request_line::read(sent);
            assert_eq!(end, message.len());
            assert_eq!(
                line.method.map(|method| method.to_string()),
                Some(request.method)
            );
        }
        Ok(None) => assert_ne!(body, RequestBody::None, "one reader has the whole"),
        Err(why) => panic!("passed, but {why}: {:?}", String::from_utf8_lossy(&message)),
    }
});
