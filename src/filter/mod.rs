//! What a request passes on its way to the backend, and its answer on the way back.
//!
//! A [`Filter`] sees the head of the request and the [`Facts`]; it lets the request pass, changed or not, or answers it
//! itself. Filters run in order on the request: those of all routes, those of the listener, those of the route. The
//! answer, whoever made it, goes back through those that let the request pass, in reverse.
//!
//! Everything here works on plain heads, and takes time as an argument: the running proxy, `explain` and property tests
//! run the same functions. Built-in filters use the door that is open to everybody (see [`register`]).
//!
//! - `head`: the heads as filters see and change them; a request that no filter changes is not copied
//! - `facts`: what is known besides the head
//! - `answer`: what a filter answers
//! - `body`: for filters that need the bodies; where none does, nothing is spent on it
//! - `chain`: the order, and what becomes of a panic
//! - `build`, `registry`: from the file to filters
//!
//! # A filter
//!
//! ```
//! use evenkeel::filter::{Answer, Facts, Filter, Name, RequestHead, Verdict};
//! use evenkeel::http::{HeaderValue, StatusCode};
//!
//! #[derive(Debug)]
//! struct Teapot {
//!     mark: Name,
//! }
//!
//! impl Filter for Teapot {
//!     fn request(&self, request: &mut RequestHead<'_>, _facts: &Facts<'_>) -> Verdict {
//!         if request.path().ends_with("/coffee") {
//!             return Answer::new(StatusCode::IM_A_TEAPOT).text("Only tea here.\n").into();
//!         }
//!         request.set(&self.mark, HeaderValue::from_static("yes"));
//!         Verdict::Pass
//!     }
//! }
//!
//! let filter = Teapot { mark: Name::from_static("X-Seen-By-Teapot") };
//! let request = evenkeel::filter::example::request("GET", "/coffee", &[]);
//! let mut head = RequestHead::new(&request);
//! let verdict = evenkeel::filter::example::with_facts(&request, |facts| filter.request(&mut head, facts));
//! assert!(matches!(verdict, Verdict::Answer(_)));
//! ```

mod answer;
mod body;
mod build;
mod builtin;
mod chain;
pub mod example;
mod facts;
mod head;
mod link;
mod name;
mod order;
mod registry;

pub(crate) use answer::Content;
pub use answer::{Answer, Denial, Verdict};
pub use body::{Attached, RequestBody, ResponseBody};
pub use build::{Shared, limits, links};
pub use chain::{Chain, Passage};
pub use facts::Facts;
pub use head::{RequestHead, ResponseHead, Touched};
pub use link::{Broken, Link, Links, Why};
pub use name::Name;
pub use registry::{register, register_async};

use async_trait::async_trait;
use std::fmt;
use std::time::Duration;

/// Sees requests on their way to the backend, and answers on their way back.
///
/// One value serves all requests, on all threads; it lives until the configuration is replaced. A call must not block:
/// what has to wait is an [`AsyncFilter`]. A panic costs the request at hand its answer, which is then 500, and
/// nothing else.
pub trait Filter: fmt::Debug + Send + Sync {
    /// The request before it goes on.
    fn request(&self, _request: &mut RequestHead<'_>, _facts: &Facts<'_>) -> Verdict {
        Verdict::Pass
    }

    /// The answer before it goes to the client, whoever made it; only when this filter let the request pass.
    fn response(&self, _response: &mut ResponseHead<'_>, _facts: &Facts<'_>) {}

    /// Whether [`Filter::response`] reads the headers of the backend's answer as they came (`$upstream_http_NAME`);
    /// keeping them costs a copy. What it is given in the head itself is always there.
    fn reads_upstream_headers(&self) -> bool {
        true
    }
}

/// A filter that has to wait: for a lookup over the network, or for a computation elsewhere.
#[async_trait]
pub trait AsyncFilter: fmt::Debug + Send + Sync {
    /// How long one call may take, and what becomes of the request after that.
    fn deadline(&self) -> Deadline;

    /// As [`Filter::request`].
    async fn request(&self, _request: &mut RequestHead<'_>, _facts: &Facts<'_>) -> Verdict {
        Verdict::Pass
    }

    /// As [`Filter::response`].
    async fn response(&self, _response: &mut ResponseHead<'_>, _facts: &Facts<'_>) {}

    /// As [`Filter::reads_upstream_headers`].
    fn reads_upstream_headers(&self) -> bool {
        true
    }
}

/// How long a filter may take.
///
/// Time over is 504 unless the filter says otherwise: what the filter waited for is, to the client, one more server
/// behind this one (RFC 9110 §15.6.5). A filter that only adds something can let the request [`Late::Pass`]; one that
/// guards something must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// From the call on.
    pub after: Duration,
    /// What then.
    pub late: Late,
}

/// What becomes of a request whose filter took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Late {
    /// It is answered 504.
    #[default]
    Refuse,
    /// It goes on as if the filter had let it pass; what the filter had changed by then stays.
    Pass,
}

impl Deadline {
    /// After this long the request is answered 504.
    pub fn of(after: Duration) -> Self {
        Deadline {
            after,
            late: Late::Refuse,
        }
    }

    /// After this long the request goes on without the filter.
    pub fn or_pass(after: Duration) -> Self {
        Deadline {
            after,
            late: Late::Pass,
        }
    }
}

#[cfg(test)]
mod tests;
