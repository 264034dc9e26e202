//! The answer of a `redirect`.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::config::Redirect;
use crate::observe::record::Record;
use crate::semantics::location;
use crate::semantics::path::encode_path;
use crate::template::{Values, Variable};

/// An answer that the configuration has for a request.
#[derive(Clone, Debug)]
pub struct Configured {
    /// The status.
    pub status: StatusCode,
    /// Name, the case as written, value.
    pub headers: Vec<(HeaderName, String, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

/// The answer that sends the client to where the redirect says.
///
/// What of the path was decoded is encoded again, so that an escaped question mark begins no query there.
pub fn elsewhere(redirect: &Redirect, record: &Record<'_>) -> Configured {
    let mut rendered = Vec::new();
    redirect.to.0.render(&InAPlace(record), &mut rendered);
    let status = redirect.status.0;
    let place = location::reference(&rendered);
    let body = format!("{status}: {}\n", String::from_utf8_lossy(&place));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    // What is in a reference can be in a header.
    let place = HeaderValue::from_bytes(&place).unwrap_or(HeaderValue::from_static("/"));
    Configured {
        status,
        headers: vec![
            (header::LOCATION, "Location".to_owned(), place),
            (header::CONTENT_TYPE, "Content-Type".to_owned(), plain),
        ],
        body: body.into(),
    }
}

/// Variables as they may stand in a reference.
struct InAPlace<'a>(&'a Record<'a>);

impl Values for InAPlace<'_> {
    fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
        match variable {
            Variable::Path | Variable::PathGroup(_) => {
                let mut text = Vec::new();
                self.0.append(variable, &mut text);
                encode_path(&text, out);
            }
            _ => self.0.append(variable, out),
        }
    }
}
