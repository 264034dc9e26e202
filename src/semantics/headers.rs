//! The door through which this room edits header lines.
//!
//! The same rules run on the proxy's request, on a plain [`HeaderMap`] in `explain` and in tests, and none of them is
//! to know which. A [`Field`] carries a name twice: as HTTP compares it (RFC 9110 §5.1: without case) and as it is
//! written on HTTP/1, where readers of `curl -v` expect `X-Real-IP`. Both are constants, so that naming a header
//! costs no allocation.

use http::{HeaderMap, HeaderName, HeaderValue};

/// A header that Evenkeel writes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name as it is compared: lower case.
    pub name: HeaderName,
    /// The name as it is written on HTTP/1.
    pub written: &'static str,
}

/// Header lines that can be read and changed.
pub trait Headers {
    /// All names that occur; one that occurs twice may come twice.
    fn names(&self) -> impl Iterator<Item = &HeaderName>;

    /// All lines of this name, in order.
    fn values<'h>(
        &'h self,
        name: &HeaderName,
    ) -> impl DoubleEndedIterator<Item = &'h HeaderValue> + use<'h, Self>;

    /// Makes this the one line of its name.
    fn set(&mut self, field: &Field, value: HeaderValue);

    /// Removes all lines of this name.
    fn remove(&mut self, name: &HeaderName);
}

/// The client's address, as nginx's recipe has it.
pub const X_REAL_IP: Field = Field::new("x-real-ip", "X-Real-IP");
/// The addresses of client and proxies, in the order the request passed them.
pub const X_FORWARDED_FOR: Field = Field::new("x-forwarded-for", "X-Forwarded-For");
/// The scheme that the client used.
pub const X_FORWARDED_PROTO: Field = Field::new("x-forwarded-proto", "X-Forwarded-Proto");
/// The `Host` that the client sent.
pub const X_FORWARDED_HOST: Field = Field::new("x-forwarded-host", "X-Forwarded-Host");
/// The port that the client connected to.
pub const X_FORWARDED_PORT: Field = Field::new("x-forwarded-port", "X-Forwarded-Port");
/// RFC 7239's one header for all of them.
pub const FORWARDED: Field = Field::new("forwarded", "Forwarded");

/// Every header above.
pub const FIELDS: [Field; 6] = [
    X_REAL_IP,
    X_FORWARDED_FOR,
    X_FORWARDED_PROTO,
    X_FORWARDED_HOST,
    X_FORWARDED_PORT,
    FORWARDED,
];

impl Field {
    const fn new(name: &'static str, written: &'static str) -> Self {
        let name = HeaderName::from_static(name);
        Field { name, written }
    }
}

impl Headers for HeaderMap {
    fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.keys()
    }

    fn values<'h>(
        &'h self,
        name: &HeaderName,
    ) -> impl DoubleEndedIterator<Item = &'h HeaderValue> + use<'h> {
        self.get_all(name).iter()
    }

    fn set(&mut self, field: &Field, value: HeaderValue) {
        self.insert(field.name.clone(), value);
    }

    fn remove(&mut self, name: &HeaderName) {
        HeaderMap::remove(self, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_written_as_it_is_named() {
        for field in FIELDS {
            assert_eq!(field.written.to_ascii_lowercase(), field.name.as_str());
        }
    }
}
