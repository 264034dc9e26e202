//! The answer of a `redirect`.

use http::{HeaderValue, StatusCode, header};

use crate::config::Respond;
use crate::semantics::location;

/// The answer that sends the client to where `rendered` says.
pub fn elsewhere(status: StatusCode, rendered: &[u8]) -> Respond {
    let place = location::reference(rendered);
    let body = format!("{status}: {}\n", String::from_utf8_lossy(&place));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    // What is in a reference can be in a header.
    let place = HeaderValue::from_bytes(&place).unwrap_or(HeaderValue::from_static("/"));
    Respond {
        status,
        headers: vec![
            (header::LOCATION, "Location".to_owned(), place),
            (header::CONTENT_TYPE, "Content-Type".to_owned(), plain),
        ],
        body: body.into(),
    }
}
