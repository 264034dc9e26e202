//! `compress`: answers get smaller on their way to clients that can decode them.
//!
//! An answer is compressed when its media type is listed, it is not known to be small, and nothing speaks against it: it
//! is no part of one (206), not coded already, has no digest of its bytes, and nobody has said `no-transform` (RFC 9110
//! §7.7, RFC 9111 §5.2.2.6). Which coding is the client's choice first and the operator's second
//! (`semantics::accept_encoding`). Every answer that could have been compressed says `Vary: Accept-Encoding`, compressed
//! or not, so that no cache hands a client what it cannot decode.
//!
//! What is compressed is another representation (RFC 9110 §8.8.3.3): a strong entity tag becomes weak, since the bytes
//! are not those that it stands for, and ranges are no longer offered. A client that then asks with the weak tag is told
//! of that one in a 304, or a cache would not know which answer is meant (RFC 9111 §4.3.4). HEAD is answered as for a
//! client that decodes nothing.
//!
//! What comes from the backend goes on at once, see `stream`.

mod stream;

use crate::config::{self, Algorithm, MediaRange};
use crate::filter::{Facts, Filter, Name, ResponseHead};
use crate::semantics::accept_encoding::preferred;
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use stream::Stream;

/// The filter `compress`.
#[derive(Debug)]
pub(in crate::filter) struct Compress {
    types: Box<[MediaRange]>,
    min_size: u64,
    algorithms: Box<[(Algorithm, u32)]>,
    names: Names,
}

/// The headers that are written here.
#[derive(Debug)]
struct Names {
    accept_encoding: Name,
    accept_ranges: Name,
    content_encoding: Name,
    etag: Name,
}

/// Headers of answers that would no longer be true of other bytes (RFC 9530; RFC 1864).
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

impl Compress {
    pub(in crate::filter) fn new(written: &config::Compress) -> Self {
        Compress {
            types: written.types.clone().into(),
            min_size: written.min_size,
            algorithms: written.algorithms.clone().into(),
            names: Names {
                accept_encoding: Name::from_static("Accept-Encoding"),
                accept_ranges: Name::from_static("Accept-Ranges"),
                content_encoding: Name::from_static("Content-Encoding"),
                etag: Name::from_static("ETag"),
            },
        }
    }

    /// Whether this answer is compressed for whoever can decode it.
    fn is_for(&self, response: &ResponseHead<'_>, request: &HeaderMap) -> bool {
        let headers = response.headers();
        let is_listed = |kind| self.types.iter().any(|range| range.holds(kind));
        let is_large = |length| length > 0 && length >= self.min_size;
        has_whole_content(response.status())
            && response.header(&CONTENT_TYPE).is_some_and(is_listed)
            && response.content_length().is_none_or(is_large)
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && !DIGESTS.iter().any(|digest| headers.contains_key(digest))
            && !forbids_changes(headers)
            && !forbids_changes(request)
    }

    fn stream(&self, request: &HeaderMap) -> Option<(Algorithm, Stream)> {
        let lines = || values(request, &ACCEPT_ENCODING);
        let offered = self.algorithms.iter().map(|(one, _)| one.name());
        let (algorithm, level) = *self.algorithms.get(preferred(lines, offered)?)?;
        Some((algorithm, Stream::new(algorithm, level)?))
    }

    /// A client that was sent this with a weak tag is told of the weak tag again.
    fn confirm(&self, response: &mut ResponseHead<'_>, request: &HeaderMap) {
        let Some(weak) = response.headers().get(ETAG).and_then(weakened) else {
            return;
        };
        let names_it = |line: &[u8]| line.windows(weak.len()).any(|tag| tag == weak.as_bytes());
        if values(request, &IF_NONE_MATCH).any(names_it) {
            response.set(&self.names.etag, weak);
            response.vary_on(&self.names.accept_encoding);
        }
    }
}

impl Filter for Compress {
    fn response(&self, response: &mut ResponseHead<'_>, facts: &Facts<'_>) {
        let record = facts.record();
        let request = record.request_headers;
        if response.status() == StatusCode::NOT_MODIFIED {
            return self.confirm(response, request);
        }
        if !self.is_for(response, request) {
            return;
        }
        response.vary_on(&self.names.accept_encoding);
        if record.method == Some(&Method::HEAD) {
            return;
        }
        let Some((algorithm, stream)) = self.stream(request) else {
            return;
        };
        let coding = HeaderValue::from_static(algorithm.name());
        response.set(&self.names.content_encoding, coding);
        if response.headers().contains_key(ACCEPT_RANGES) {
            response.remove(&self.names.accept_ranges);
        }
        if let Some(weak) = response.headers().get(ETAG).and_then(weakened) {
            response.set(&self.names.etag, weak);
        }
        response.transform_body(Box::new(stream));
    }

    fn reads_upstream_headers(&self) -> bool {
        false
    }
}

fn has_whole_content(status: StatusCode) -> bool {
    !status.is_informational()
        && !matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT
        )
}

fn forbids_changes(headers: &HeaderMap) -> bool {
    let directives =
        values(headers, &CACHE_CONTROL).flat_map(|line| line.split(|byte| *byte == b','));
    directives
        .map(<[u8]>::trim_ascii)
        .any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

fn values<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h [u8]> + use<'h> {
    let values = headers.get_all(name).into_iter();
    values.map(HeaderValue::as_bytes)
}

/// The weak form of a strong entity tag; none of a weak one.
fn weakened(tag: &HeaderValue) -> Option<HeaderValue> {
    if !tag.as_bytes().starts_with(b"\"") {
        return None;
    }
    HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok()
}
