//! The head of each request as it stood on the wire.
//!
//! hyper hands out headers in a map: names in lower case, duplicates gathered, so the order is lost, and the
//! extension in which it can note the original case is private to it. So the socket is wrapped in a
//! [`Recorded`], which copies what hyper reads onto a tape, and for each request the head is taken off the
//! tape and parsed a second time with `httparse`, the parser that hyper itself uses.
//!
//! The tape must know where the next head starts. It does not decide that: how long a body is (RFC 9112 §6.3)
//! is hyper's judgement, told to [`SharedTape::take_head`]; the tape only steps over the bytes, in a chunked body
//! (§7.1) from chunk to chunk. Where the two could differ hyper is stricter and has closed the connection, and
//! a tape that has lost its place says so rather than show another request's headers.
//!
//! Cost: the head is copied once and parsed twice, well under a microsecond. Bodies are not copied.

mod recorded;
mod tape;

pub(crate) use recorded::{Recorded, SharedTape};

use bytes::Bytes;
use httparse::Status;
use serde::Serialize;
use std::borrow::Cow;
use std::mem::MaybeUninit;

/// Header lines that a request may have: 100 from a client, which is the usual limit, and what proxies add.
pub(crate) const MAX_HEADERS: usize = 128;

/// The bytes of one request's head, its empty line included.
#[derive(Clone, Debug)]
pub(crate) struct Head(Bytes);

/// A head, read: names as sent, in the order sent; bytes of a value that are not UTF-8 have become U+FFFD.
#[derive(Debug, Serialize)]
pub(crate) struct Fields<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, Cow<'a, str>)>,
}

impl Head {
    /// Calls `then` with what the head says; `None` when it is not the head of a request.
    pub(crate) fn with_fields<T>(&self, then: impl FnOnce(Fields<'_>) -> T) -> Option<T> {
        with_request(&self.0, |_, request| {
            Some(then(Fields {
                method: request.method?,
                target: request.path?,
                headers: request
                    .headers
                    .iter()
                    .map(|header| (header.name, String::from_utf8_lossy(header.value)))
                    .collect(),
            }))
        })?
    }
}

/// Calls `then` with the request that `bytes` starts with and the length of its head.
fn with_request<T>(
    bytes: &[u8],
    then: impl FnOnce(usize, &httparse::Request<'_, '_>) -> T,
) -> Option<T> {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(Status::Complete(length)) => Some(then(length, &request)),
        Ok(Status::Partial) | Err(_) => None,
    }
}
