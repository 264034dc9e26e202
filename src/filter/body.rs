//! For filters that need a body.
//!
//! A filter that looks at bodies says so for each message, by handing over what is to see this one's body
//! ([`RequestHead::watch_body`](super::RequestHead::watch_body),
//! [`ResponseHead::transform_body`](super::ResponseHead::transform_body)). So a message whose filters do not, passes
//! untouched: it costs one look at an empty list for each piece.

use super::link::About;
use super::{Answer, Broken};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// Watches the body of one request.
pub trait RequestBody: fmt::Debug + Send + Sync {
    /// The body begins, or begins again: each attempt at a backend is sent it from the start.
    fn begin(&mut self) {}

    /// The next piece of the body, as it will be sent; `Err` refuses the request with this answer.
    ///
    /// # Errors
    /// The answer that the client is given, if none has begun; the backend's connection is given up.
    fn piece(&mut self, piece: &[u8], is_last: bool) -> Result<(), Box<Answer>>;
}

/// Sees, and may change, the body of one answer.
pub trait ResponseBody: fmt::Debug + Send + Sync {
    /// Given the next piece of the body, gives what is to be sent in its place. What it keeps back is sent later, or
    /// never when the answer ends before: a last piece, perhaps an empty one, always comes.
    fn piece(&mut self, piece: Bytes, is_last: bool) -> Bytes;
}

/// What sees a body, and the filter that it belongs to.
pub struct Attached<B: ?Sized> {
    about: Arc<About>,
    /// `None` only while it is dropped.
    body: Option<Box<B>>,
}

impl<B: ?Sized> Attached<B> {
    pub(super) fn new(about: &Arc<About>, body: Box<B>) -> Self {
        Attached {
            about: Arc::clone(about),
            body: Some(body),
        }
    }

    /// Calls it.
    ///
    /// # Errors
    /// It panicked.
    pub fn call<T>(&mut self, call: impl FnOnce(&mut B) -> T) -> Result<T, Broken> {
        let body = &mut self.body;
        self.about
            .guard(|| call(body.as_deref_mut().expect("there until it is dropped")))
    }
}

/// A panic here would go up through whatever drops the request, and the client's connection would be neither served nor closed: what a
/// function was about to return is forgotten when one of its variables panics at its end.
impl<B: ?Sized> Drop for Attached<B> {
    fn drop(&mut self) {
        let body = self.body.take();
        if let Err(broken) = self.about.guard(|| drop(body)) {
            log::error!("{broken}, at the end of its request");
        }
    }
}

impl<B: ?Sized + fmt::Debug> fmt::Debug for Attached<B> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(out)
    }
}
