//! Pingora's heads, as `semantics` edits them and as clients and backends expect them.

use http::{HeaderName, HeaderValue};
use pingora_core::Result;
use pingora_http::{RequestHeader, ResponseHeader};

use super::outgoing::Outbound;
use crate::filter::Touched;
use crate::semantics::headers::{Field, Headers};

/// Edit access to a request head that keeps the case of what is set.
pub(crate) struct Editable<'a> {
    request: &'a mut RequestHeader,
    has_removed: bool,
    /// Headers that filters have had the last word on.
    fixed: &'a Touched,
}

impl<'a> Editable<'a> {
    pub(crate) fn new(request: &'a mut RequestHeader, fixed: &'a Touched) -> Self {
        Self {
            request,
            has_removed: false,
            fixed,
        }
    }

    /// Whether a header was taken out, and the order of the others with it.
    pub(crate) fn has_removed(&self) -> bool {
        self.has_removed
    }
}

impl<'a> Headers for Editable<'a> {
    fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.request.headers.keys()
    }

    fn values<'h>(
        &'h self,
        name: &HeaderName,
    ) -> impl DoubleEndedIterator<Item = &'h HeaderValue> + use<'h, 'a> {
        self.request.headers.get_all(name).iter()
    }

    fn set(&mut self, field: &Field, value: HeaderValue) {
        if self.fixed.contains(&field.name) {
            return;
        }
        // It can only fail for a name that is no header's, and these are constants.
        let _ = self.request.insert_header(field.written, value);
    }

    fn remove(&mut self, name: &HeaderName) {
        if self.fixed.contains(name) {
            return;
        }
        self.has_removed |= self.request.remove_header(name).is_some();
    }
}

impl<'h> Outbound<'h> for Editable<'_> {
    fn put(&mut self, name: &HeaderName, written: &'h str, value: HeaderValue) {
        if !self.fixed.contains(name) {
            // It can only fail for a name that is no header's, and this is one.
            let _ = self.request.insert_header(written.to_owned(), value);
        }
    }
}

/// Puts the headers of `request` back into the order in which the client sent them, with those that were added at the end.
///
/// A header map fills the gap of a removed header with its last one; only called when something was removed.
///
/// # Errors
/// None in practice: every name and value was a header's before.
pub(crate) fn restore_order(request: &mut RequestHeader, sent: &RequestHeader) -> Result<()> {
    let kept = sent.headers.keys();
    let kept = kept.filter(|name| request.headers.contains_key(*name));
    let added = request.headers.keys();
    let added = added.filter(|name| !sent.headers.contains_key(*name));
    let order: Vec<_> = kept.chain(added).cloned().collect();
    rewrite(request, &order)
}

/// Removes `names` from an answer, and keeps the order of the others.
///
/// # Errors
/// None in practice: every name and value was a header's before.
pub(crate) fn remove_in_order(response: &mut ResponseHeader, names: &[HeaderName]) -> Result<()> {
    let kept = response.headers.keys().filter(|name| !names.contains(name));
    let order: Vec<_> = kept.cloned().collect();
    rewrite(response, &order)
}

/// Leaves the headers in `order`, in that order, and no others.
fn rewrite(head: &mut impl Head, order: &[HeaderName]) -> Result<()> {
    let lines = head.take_lines();
    for name in order {
        for (written, value) in &lines {
            if written.eq_ignore_ascii_case(name.as_str()) {
                head.append(written.clone(), value.clone())?;
            }
        }
    }
    Ok(())
}

/// A header line, its name as it was written.
type Line = (String, HeaderValue);

/// What Pingora's two kinds of head have in common.
trait Head {
    fn take_lines(&mut self) -> Vec<Line>;
    fn append(&mut self, name: String, value: HeaderValue) -> Result<()>;
}

macro_rules! heads {
    ($($kind:ty),*) => {$(
        impl Head for $kind {
            fn take_lines(&mut self) -> Vec<Line> {
                // A head that came over HTTP/2 has no spelling of its own.
                let lines: Vec<_> = if self.has_case() {
                    let lines = self.case_header_iter();
                    let lines = lines.map(|(name, value)| (text(name.as_slice()), value.clone()));
                    lines.collect()
                } else {
                    let lines = self.headers.iter();
                    let lines = lines.map(|(name, value)| (name.to_string(), value.clone()));
                    lines.collect()
                };
                for name in self.headers.keys().cloned().collect::<Vec<_>>() {
                    self.remove_header(&name);
                }
                lines
            }

            fn append(&mut self, name: String, value: HeaderValue) -> Result<()> {
                self.append_header(name, value).map(drop)
            }
        }
    )*};
}

heads!(RequestHeader, ResponseHeader);

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
