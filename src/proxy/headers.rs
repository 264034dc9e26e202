//! Pingora's request head, seen as the headers that `semantics` edits.

use http::{HeaderName, HeaderValue};
use pingora_http::RequestHeader;

use crate::semantics::headers::{Field, Headers};

/// Edit access to a request head that keeps the case of what is set.
pub(super) struct Editable<'a>(pub(super) &'a mut RequestHeader);

impl<'a> Headers for Editable<'a> {
    fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.headers.keys()
    }

    fn values<'h>(
        &'h self,
        name: &HeaderName,
    ) -> impl DoubleEndedIterator<Item = &'h HeaderValue> + use<'h, 'a> {
        self.0.headers.get_all(name).iter()
    }

    fn set(&mut self, field: &Field, value: HeaderValue) {
        // It can only fail for a name that is no header's, and these are constants.
        let _ = self.0.insert_header(field.written, value);
    }

    fn remove(&mut self, name: &HeaderName) {
        self.0.remove_header(name);
    }
}
