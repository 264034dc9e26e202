//! `body_limit`: the largest body of a request.
//!
//! A length that the head tells is compared at once, before anything is sent on; the engine holds the client to it. A
//! body of unknown length is counted as it comes. What came up to the limit has then reached the backend: its connection
//! is given up in the middle of the body, which no backend can take for the end of one.

use crate::config;
use crate::filter::{Answer, Denial, Facts, Filter, RequestBody, RequestHead, Verdict};
use http::header::CONTENT_LENGTH;

/// The filter `body_limit`.
#[derive(Debug)]
pub(in crate::filter) struct BodyLimit(u64);

impl BodyLimit {
    pub(in crate::filter) fn new(written: config::BodyLimit) -> Self {
        BodyLimit(written.0)
    }
}

impl Filter for BodyLimit {
    fn request(&self, request: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        let length = request.header(&CONTENT_LENGTH);
        match length.map(str::parse::<u64>) {
            Some(Ok(length)) if length <= self.0 => Verdict::Pass,
            Some(_) => Answer::denied(Denial::TooLarge).into(),
            None => {
                if may_have_a_body(request) {
                    request.watch_body(Box::new(Counted {
                        limit: self.0,
                        seen: 0,
                    }));
                }
                Verdict::Pass
            }
        }
    }

    fn reads_upstream_headers(&self) -> bool {
        false
    }
}

/// On HTTP/1 a body without a length is chunked; on HTTP/2 nothing in the head tells of one.
fn may_have_a_body(request: &RequestHead<'_>) -> bool {
    let headers = request.headers();
    headers.contains_key(http::header::TRANSFER_ENCODING)
        || request.now().version == http::Version::HTTP_2
}

#[derive(Debug)]
struct Counted {
    limit: u64,
    seen: u64,
}

impl RequestBody for Counted {
    fn begin(&mut self) {
        self.seen = 0;
    }

    fn piece(&mut self, piece: &[u8], _is_last: bool) -> Result<(), Box<Answer>> {
        self.seen = self.seen.saturating_add(piece.len() as u64);
        if self.seen > self.limit {
            return Err(Box::new(Answer::denied(Denial::TooLarge)));
        }
        Ok(())
    }
}
