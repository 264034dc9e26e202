//! What an explanation says, and what a proxy does, in one form.

use std::sync::Arc;

use evenkeel::clock::{Clock, SystemClock};
use evenkeel::config;
use evenkeel::explain::{Explanation, Question, explain};
use evenkeel::runtime::Snapshot;
use evenkeel::upstream::Resolver;
use tokio::runtime::Runtime;

/// What becomes of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Where the answer is ours.
    pub(super) status: Option<u16>,
    pub(super) location: Option<String>,
    pub(super) route: Option<String>,
    pub(super) upstream: Option<String>,
    /// Request line without the version, then the header lines.
    pub(super) request: Vec<String>,
}

impl Told {
    pub(super) fn of(explanation: &Explanation) -> Self {
        let request = explanation.request.as_ref();
        let request = request.map(|request| {
            let first = format!("{} {}", request.method, request.target);
            let lines = request.headers.iter();
            let lines = lines.map(|(name, value)| line(name, value));
            [first].into_iter().chain(lines).collect()
        });
        Self {
            status: explanation.status,
            location: explanation.location.clone(),
            route: explanation.route.clone(),
            upstream: explanation.upstream.clone(),
            request: request.unwrap_or_default(),
        }
    }
}

/// A header line. An id that was made for the request is another one each time.
pub(super) fn line(name: &str, value: &str) -> String {
    let is_made = name == "X-Request-Id" && value != super::generator::KEPT_ID;
    let value = if is_made { "made" } else { value };
    format!("{name}: {value}")
}

/// A file made alive, for questions.
pub(super) struct Oracle {
    pub(super) snapshot: Snapshot,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) runtime: Runtime,
}

impl Oracle {
    /// `None` for a file that is refused.
    pub(super) fn new(file: &str) -> Option<Self> {
        let config = config::parse("random.yaml", file, &|_| None).ok()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let resolver = Arc::new(Resolver::new(config.resolver.clone()));
        let snapshot = Snapshot::new(config, 1, &clock, &resolver);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let runtime = runtime.unwrap();
        for upstream in &snapshot.upstreams {
            runtime.block_on(upstream.publish_backends());
        }
        Some(Self {
            snapshot,
            clock,
            runtime,
        })
    }

    pub(super) fn explain(&self, question: &Question) -> Explanation {
        let explained = explain(&self.snapshot, question, &*self.clock, "here");
        self.runtime.block_on(explained)
    }
}
