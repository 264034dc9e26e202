//! Words of a request that are made of its head.

use std::borrow::Cow;

use pingora_http::RequestHeader;

use crate::semantics::authority::host_for_matching;
use crate::semantics::path::decode_for_matching;

/// What a record (`observe::record`) needs that is made of the request's head, and so must be kept beside it.
#[derive(Debug)]
pub struct Words<'a> {
    /// The head.
    pub request: &'a RequestHeader,
    /// Its host as it is matched.
    pub host: Cow<'a, str>,
    /// Its path as it is matched.
    pub path: Cow<'a, str>,
}

impl<'a> Words<'a> {
    /// Those of a request as the client sent it.
    pub fn of(request: &'a RequestHeader) -> Self {
        let host = request.headers.get(http::header::HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        Self {
            request,
            host: host_for_matching(host),
            path: decode_for_matching(request.uri.path()),
        }
    }
}
