//! Header names and values in the file.

use super::read::{Show, Word};
use super::section::section;
use crate::semantics::hop_by_hop::is_hop_by_hop;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderName, HeaderValue};
use serde_json::json;

section! {
    /// The header that carries one name for a request through every log.
    #[derive(PartialEq, Eq)]
    pub struct RequestId {
        /// The header: kept from trusted peers, made otherwise; sent to the backend, returned, and logged.
        pub header: WrittenHeader = WrittenHeader::x_request_id(),
    }
}

/// A header name, with the case that the operator chose for the wire. Connection and framing headers are none.
/// Two are equal when the names are, since names have no case.
#[derive(Clone, Debug)]
pub struct WrittenHeader {
    /// For look-ups.
    pub name: HeaderName,
    /// For the wire.
    pub written: String,
}

impl PartialEq for WrittenHeader {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for WrittenHeader {}

impl WrittenHeader {
    fn x_request_id() -> Self {
        WrittenHeader {
            name: HeaderName::from_static("x-request-id"),
            written: "X-Request-Id".to_owned(),
        }
    }
}

impl Word for WrittenHeader {
    const EXAMPLE: &'static str = "X-Request-Id";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let name = HeaderName::parse(text)?;
        if is_hop_by_hop(&name) || name == CONTENT_LENGTH || name == HOST {
            return Err(format!(
                "{text:?} belongs to the connection or frames the message, and is set by the load balancer itself; \
remove it"
            ));
        }
        let written = text.to_owned();
        Ok(WrittenHeader { name, written })
    }
}

impl Show for WrittenHeader {
    fn show(&self) -> serde_json::Value {
        json!(self.written)
    }
}

impl Word for HeaderName {
    const EXAMPLE: &'static str = "X-Version";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            format!(
                "{text:?} is no header name; write letters, digits and dashes, such as `{}`",
                Self::EXAMPLE
            )
        })
    }
}

impl Word for HeaderValue {
    const EXAMPLE: &'static str = "text/plain";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        if text.trim() != text {
            return Err(format!(
                "{text:?} starts or ends with a space, which headers cannot hold; remove it"
            ));
        }
        text.parse().map_err(|_| {
            format!(
                "{text:?} is no header value; leave out line breaks and other control characters"
            )
        })
    }
}
