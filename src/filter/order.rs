//! Removing a header without changing the order of the others.
//!
//! A header map fills the gap of a removed header with its last one. Clients and backends get their headers in the order
//! in which they were sent, so what is left is put back in order.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use pingora_http::{RequestHeader, ResponseHeader};

/// What Pingora's two kinds of head have in common.
pub(super) trait Head {
    fn names(&self) -> Vec<HeaderName>;
    /// All lines, as written; empty for a head that does not keep the case of names.
    fn lines(&self) -> Vec<(Bytes, HeaderValue)>;
    fn remove(&mut self, name: &HeaderName) -> bool;
    fn append(&mut self, name: Bytes, value: HeaderValue);
}

macro_rules! heads {
    ($($kind:ty),*) => {$(
        impl Head for $kind {
            fn names(&self) -> Vec<HeaderName> {
                self.headers.keys().cloned().collect()
            }

            fn lines(&self) -> Vec<(Bytes, HeaderValue)> {
                if self.has_case() {
                    let lines = self.case_header_iter();
                    return lines.map(|(name, value)| (Bytes::copy_from_slice(name.as_slice()), value.clone())).collect();
                }
                let lines = self.headers.iter();
                lines
                    .map(|(name, value)| (Bytes::copy_from_slice(name.as_str().as_bytes()), value.clone()))
                    .collect()
            }

            fn remove(&mut self, name: &HeaderName) -> bool {
                self.remove_header(name).is_some()
            }

            fn append(&mut self, name: Bytes, value: HeaderValue) {
                // It can only fail for a name that is no header's, and this was one.
                let _ = self.append_header(name, value);
            }
        }
    )*};
}

heads!(RequestHeader, ResponseHeader);

/// Removes all lines of this name; whether there were any.
pub(super) fn remove(head: &mut impl Head, name: &HeaderName) -> bool {
    let order = head.names();
    if !order.contains(name) {
        return false;
    }
    if order.last() == Some(name) {
        return head.remove(name);
    }
    let lines = head.lines();
    for other in &order {
        head.remove(other);
    }
    for (written, value) in lines {
        if !written.eq_ignore_ascii_case(name.as_str().as_bytes()) {
            head.append(written, value);
        }
    }
    true
}
