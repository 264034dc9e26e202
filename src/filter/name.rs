//! Header names that filters may change.

use crate::config::WrittenHeader;
use crate::semantics::hop_by_hop::is_hop_by_hop;
use bytes::Bytes;
use http::HeaderName;
use http::header::{CONTENT_LENGTH, HOST};
use std::str::FromStr;

/// The name of a header that a filter may change, and how it is written on HTTP/1.
///
/// Headers that belong to the connection or frame the message (`Connection`, `Transfer-Encoding`, `Content-Length`, …)
/// have no such name: changing them by hand is how requests get smuggled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    compared: HeaderName,
    written: Bytes,
}

/// Why a text is no [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAName {
    /// It is no header name at all.
    Malformed,
    /// It belongs to the connection or frames the message.
    Framing,
}

impl Name {
    /// A name that is known when the program is written.
    ///
    /// # Panics
    /// It is not one that a filter may change.
    pub fn from_static(name: &'static str) -> Self {
        name.parse()
            .unwrap_or_else(|why| panic!("{name:?} is not for filters: {why}"))
    }

    /// As names are compared.
    pub fn as_header(&self) -> &HeaderName {
        &self.compared
    }

    /// As it is written on HTTP/1.
    pub(super) fn written(&self) -> Bytes {
        self.written.clone()
    }

    /// The same as text.
    pub(super) fn as_written(&self) -> &str {
        // It was a header's name, and so ASCII.
        std::str::from_utf8(&self.written).unwrap_or(self.compared.as_str())
    }

    pub(super) fn is_host(&self) -> bool {
        self.compared == HOST
    }
}

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let compared: HeaderName = text.parse().map_err(|_| NotAName::Malformed)?;
        if is_hop_by_hop(&compared) || compared == CONTENT_LENGTH {
            return Err(NotAName::Framing);
        }
        let written = Bytes::copy_from_slice(text.as_bytes());
        Ok(Name { compared, written })
    }
}

/// The file's reader has refused what no filter may change.
impl From<&WrittenHeader> for Name {
    fn from(header: &WrittenHeader) -> Self {
        Name {
            compared: header.name.clone(),
            written: Bytes::copy_from_slice(header.written.as_bytes()),
        }
    }
}

impl std::fmt::Display for NotAName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            NotAName::Malformed => "it is no header name",
            NotAName::Framing => "it belongs to the connection or frames the message",
        })
    }
}

impl std::error::Error for NotAName {}
