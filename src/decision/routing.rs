//! The question that is put to the route table.

use std::borrow::Cow;

use http::header;
use pingora_http::RequestHeader;

use crate::route;

/// The host that the request is for: the head was checked, so only an HTTP/1.0 request may not say.
pub fn host(request: &RequestHeader) -> Cow<'_, str> {
    match request.headers.get(header::HOST) {
        Some(host) => String::from_utf8_lossy(host.as_bytes()),
        None => request
            .uri
            .authority()
            .map_or("", |host| host.as_str())
            .into(),
    }
}

/// Which route takes `request`, which is for `host` and came in on `listener`?
pub fn question<'a>(
    request: &'a RequestHeader,
    host: &'a str,
    listener: &'a str,
) -> route::Request<'a> {
    route::Request {
        host,
        path: request.uri.path(),
        query: request.uri.query(),
        method: &request.method,
        headers: &request.headers,
        listener,
    }
}
