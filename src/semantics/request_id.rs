//! The name of one request, sent to the backend, returned to the client and logged.
//!
//! A UUID of version 7 (RFC 9562 §5.7): 48 bits of milliseconds, then 74 random bits, so that ids sort by time in a
//! log and two processes need not agree on anything. Clock and randomness are the caller's. The text is made on the
//! stack. An id that came from a trusted peer is kept when it [`is_acceptable`]: short, and without anything that
//! could break a log line or a header.

use std::fmt;

use uuid::fmt::Hyphenated;

/// Bytes of the text of an id that was made here.
pub const LENGTH: usize = Hyphenated::LENGTH;

/// The longest id of somebody else that is kept, in bytes.
pub const MAX_ACCEPTED_LENGTH: usize = 128;

/// An id that was made here. `Display` writes it in lower case with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Hyphenated);

/// Makes an id from the time since 1970 in milliseconds (the lower 48 bits count, enough until the year 10889) and
/// ten random bytes (74 bits of them count).
pub fn make(unix_millis: u64, random: [u8; 10]) -> RequestId {
    let uuid = uuid::Builder::from_unix_timestamp_millis(unix_millis, &random).into_uuid();
    RequestId(uuid.hyphenated())
}

/// Whether somebody else's id may be kept: 1 to 128 bytes of visible ASCII.
pub fn is_acceptable(id: &[u8]) -> bool {
    (1..=MAX_ACCEPTED_LENGTH).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

impl RequestId {
    /// The text, written into the caller's buffer; no allocation.
    pub fn encode<'b>(&self, buffer: &'b mut [u8; LENGTH]) -> &'b str {
        self.0.encode_lower(buffer)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
