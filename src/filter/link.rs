//! One filter in its place: its name, how it is called, and what is made of a panic.

use super::{AsyncFilter, Deadline, Facts, Filter, Late, RequestHead, ResponseHead, Verdict};
use crate::config::text_of_panic;
use futures::FutureExt;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::timeout;

/// A filter in its place in the file.
#[derive(Debug)]
pub struct Link {
    about: Arc<About>,
    kind: Kind,
}

/// What is told of a filter, also by the bodies that it has to do with.
#[derive(Debug)]
pub(super) struct About {
    name: String,
    panics: AtomicU64,
    timeouts: AtomicU64,
}

/// How a filter is called.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Now(Arc<dyn Filter>),
    Waiting(Arc<dyn AsyncFilter>),
}

/// The filters that stand in one place of the file, in order.
#[derive(Debug, Default)]
pub struct Links {
    links: Box<[Link]>,
    reads_upstream_headers: bool,
}

/// A filter that could not do its work.
#[derive(Debug)]
pub struct Broken {
    /// The filter's name.
    pub filter: String,
    /// What happened to it.
    pub why: Why,
}

/// What can happen to a filter.
#[derive(Debug, PartialEq, Eq)]
pub enum Why {
    /// It panicked, and said this.
    Panicked(String),
    /// It took too long.
    Late,
}

impl Link {
    pub(super) fn new(name: &str, kind: Kind) -> Self {
        let about = About {
            name: name.to_owned(),
            panics: AtomicU64::new(0),
            timeouts: AtomicU64::new(0),
        };
        Link {
            about: Arc::new(about),
            kind,
        }
    }

    /// The name of its kind.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// How often it has panicked.
    pub fn panics(&self) -> u64 {
        self.about.panics.load(Ordering::Relaxed)
    }

    /// How often it took too long.
    pub fn timeouts(&self) -> u64 {
        self.about.timeouts.load(Ordering::Relaxed)
    }

    /// Whether it may have to wait for something outside of this process.
    pub fn waits(&self) -> bool {
        matches!(self.kind, Kind::Waiting(_))
    }

    /// Shows it the request.
    ///
    /// # Errors
    /// It panicked or took too long.
    pub async fn request(
        &self,
        request: &mut RequestHead<'_>,
        facts: &Facts<'_>,
    ) -> Result<Verdict, Broken> {
        let verdict = match &self.kind {
            Kind::Now(filter) => self.about.guard(|| filter.request(request, facts))?,
            Kind::Waiting(filter) => {
                let called = filter.request(request, facts);
                let verdict = self.about.wait(filter.deadline(), called).await?;
                verdict.unwrap_or(Verdict::Pass)
            }
        };
        request.attach(&self.about);
        Ok(verdict)
    }

    /// Shows it the answer.
    ///
    /// # Errors
    /// It panicked or took too long.
    pub async fn response(
        &self,
        response: &mut ResponseHead<'_>,
        facts: &Facts<'_>,
    ) -> Result<(), Broken> {
        match &self.kind {
            Kind::Now(filter) => self.about.guard(|| filter.response(response, facts))?,
            Kind::Waiting(filter) => {
                let called = filter.response(response, facts);
                self.about.wait(filter.deadline(), called).await?;
            }
        }
        response.attach(&self.about);
        Ok(())
    }

    fn reads_upstream_headers(&self) -> bool {
        match &self.kind {
            Kind::Now(filter) => filter.reads_upstream_headers(),
            Kind::Waiting(filter) => filter.reads_upstream_headers(),
        }
    }
}

impl About {
    /// Calls the filter's code.
    pub(super) fn guard<T>(&self, call: impl FnOnce() -> T) -> Result<T, Broken> {
        // What a panic leaves half done is this request's head, which is thrown away, and the filter's own state.
        catch_unwind(AssertUnwindSafe(call)).map_err(|panic| self.panicked(text_of_panic(&*panic)))
    }

    /// None when the time is over and the request may go on.
    async fn wait<T>(
        &self,
        deadline: Deadline,
        called: impl Future<Output = T>,
    ) -> Result<Option<T>, Broken> {
        let guarded = AssertUnwindSafe(called).catch_unwind();
        match timeout(deadline.after, guarded).await {
            Ok(Ok(value)) => Ok(Some(value)),
            Ok(Err(panic)) => Err(self.panicked(text_of_panic(&*panic))),
            Err(_) => {
                self.timeouts.fetch_add(1, Ordering::Relaxed);
                match deadline.late {
                    Late::Pass => Ok(None),
                    Late::Refuse => Err(self.broken(Why::Late)),
                }
            }
        }
    }

    fn panicked(&self, text: &str) -> Broken {
        self.panics.fetch_add(1, Ordering::Relaxed);
        self.broken(Why::Panicked(text.to_owned()))
    }

    fn broken(&self, why: Why) -> Broken {
        Broken {
            filter: self.name.clone(),
            why,
        }
    }
}

impl Links {
    pub(super) fn new(links: impl Iterator<Item = Link>) -> Self {
        let links: Box<[Link]> = links.collect();
        Links {
            reads_upstream_headers: links.iter().any(Link::reads_upstream_headers),
            links,
        }
    }

    /// The filters, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Link> {
        self.links.iter()
    }

    /// Whether one of them reads the headers of backends' answers as they came.
    pub fn reads_upstream_headers(&self) -> bool {
        self.reads_upstream_headers
    }
}

impl<'a> IntoIterator for &'a Links {
    type Item = &'a Link;
    type IntoIter = std::slice::Iter<'a, Link>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Panicked(text) => write!(out, "filter {} panicked: {text}", self.filter),
            Why::Late => write!(out, "filter {} took too long", self.filter),
        }
    }
}

impl std::error::Error for Broken {}
