//! What a filter says to a request.

use super::Name;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};

/// What becomes of a request after a filter has seen it.
#[derive(Debug)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It ends here with this answer.
    Answer(Box<Answer>),
}

/// An answer that a filter gives itself.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(Name, HeaderValue)>,
    pub(crate) content: Content,
}

/// What is in an answer.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// What the filter says.
    Own(Bytes),
    /// One line in the form of all refusals, with `Proxy-Status`.
    Denied(Denial),
}

/// Why a request is refused. The client is told in the form of all such answers: `Proxy-Status`, one line of text or
/// JSON, the request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// 400: what would go to the backend makes no sense, or is a trick.
    Malformed,
    /// 401: who is asking must be said.
    Unauthorized,
    /// 403: not allowed.
    Forbidden,
    /// 413: the body is too large.
    TooLarge,
    /// 429: too many requests.
    TooMany,
    /// 503: a check of the request needs more than there is at the moment.
    Busy,
}

impl Answer {
    /// An answer without a body.
    pub fn new(status: StatusCode) -> Self {
        Answer {
            status,
            headers: Vec::new(),
            content: Content::Own(Bytes::new()),
        }
    }

    /// A refusal in the form of all refusals, with its usual status.
    pub fn denied(denial: Denial) -> Self {
        Answer {
            status: match denial {
                Denial::Malformed => StatusCode::BAD_REQUEST,
                Denial::Unauthorized => StatusCode::UNAUTHORIZED,
                Denial::Forbidden => StatusCode::FORBIDDEN,
                Denial::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                Denial::TooMany => StatusCode::TOO_MANY_REQUESTS,
                Denial::Busy => StatusCode::SERVICE_UNAVAILABLE,
            },
            headers: Vec::new(),
            content: Content::Denied(denial),
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Answer { status, ..self }
    }

    /// The same with one header more.
    #[must_use]
    pub fn with(mut self, name: &Name, value: HeaderValue) -> Self {
        self.headers.push((name.clone(), value));
        self
    }

    /// The same with a body of plain text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        let name = Name::from_static("Content-Type");
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        self.with(&name, kind).body(text.into())
    }

    /// The same with this body; what it is should be said with a `Content-Type`.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Answer {
            content: Content::Own(body.into()),
            ..self
        }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Answer> for Verdict {
    fn from(answer: Answer) -> Self {
        Verdict::Answer(Box::new(answer))
    }
}
