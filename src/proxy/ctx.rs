//! What one request carries from phase to phase.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue};

use super::connection::ConnectionFacts;
use super::failure::Failure;
use crate::observe::record;
use crate::runtime::{Route, Snapshot};
use crate::upstream::{Backend, InFlight, Upstream};

/// The state of one request.
///
/// It is made when the request's head is complete and dropped when its answer is out. The snapshot it holds is the only configuration that
/// any phase of this request sees, so a reload midway changes nothing for it.
#[derive(Debug)]
pub struct Ctx {
    pub(super) snapshot: Arc<Snapshot>,
    /// Set by the first phase of every request.
    pub(super) connection: Option<Arc<ConnectionFacts>>,
    pub(super) began: Instant,
    pub(super) began_wall: SystemTime,
    pub(super) client: Option<IpAddr>,
    pub(super) peer_is_trusted: bool,
    pub(super) request_id: Option<HeaderValue>,
    route: Option<usize>,
    pub(super) upstream: Option<Arc<Upstream>>,
    /// One for each attempt, in order; the last one is the current one.
    pub(super) attempts: Vec<record::Attempt>,
    /// The backends of these attempts that are not to be tried again.
    tried: Vec<Arc<Backend>>,
    current: Option<Current>,
    /// Kept only when the access log asks for them.
    pub(super) upstream_headers: Option<HeaderMap>,
    pub(super) failure: Option<Failure>,
}

/// The attempt that is under way.
#[derive(Debug)]
struct Current {
    /// Gives the count back when it is dropped.
    in_flight: InFlight,
    began: Instant,
}

impl Ctx {
    pub(super) fn new(snapshot: Arc<Snapshot>, began: Instant, began_wall: SystemTime) -> Self {
        Self {
            snapshot,
            connection: None,
            began,
            began_wall,
            client: None,
            peer_is_trusted: false,
            request_id: None,
            route: None,
            upstream: None,
            attempts: Vec::new(),
            tried: Vec::new(),
            current: None,
            upstream_headers: None,
            failure: None,
        }
    }

    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.connection.as_ref().map(|facts| facts.peer)
    }

    /// The route that was found for this request.
    pub(super) fn route(&self) -> Option<&Route> {
        self.snapshot.routes.get(self.route?)
    }

    pub(super) fn set_route(&mut self, index: Option<usize>) {
        self.route = index;
    }

    /// The name of the request id's header, and the id.
    pub(super) fn identity(&self) -> Option<(&str, &HeaderValue)> {
        let name = self.snapshot.request_id.written.as_str();
        self.request_id.as_ref().map(|id| (name, id))
    }

    /// The backend that the current attempt is made at.
    pub(super) fn backend(&self) -> Option<&Arc<Backend>> {
        self.current
            .as_ref()
            .map(|current| current.in_flight.backend())
    }

    /// `Set-Cookie` for the answer of the current attempt's backend, if it needs one.
    pub(super) fn cookie(&self) -> Option<&HeaderValue> {
        self.current.as_ref()?.in_flight.cookie()
    }

    pub(super) fn begin_attempt(&mut self, in_flight: InFlight, now: Instant) {
        self.attempts.push(record::Attempt {
            address: Arc::clone(in_flight.backend().label()),
            status: None,
            connect_time: None,
            header_time: None,
            response_time: None,
        });
        self.current = Some(Current {
            in_flight,
            began: now,
        });
    }

    pub(super) fn connected(&mut self, reused: bool, now: Instant) {
        let waited = self.since_attempt(now);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.connect_time = if reused { Some(Duration::ZERO) } else { waited };
        }
    }

    pub(super) fn answered(&mut self, status: u16, now: Instant) {
        let waited = self.since_attempt(now);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.status = Some(status);
            attempt.header_time = waited;
        }
        if let (Some(upstream), Some(current), Some(waited)) =
            (&self.upstream, &self.current, waited)
        {
            upstream.answered(&current.in_flight, waited, now);
        }
    }

    /// The current attempt has failed; its backend is not tried again by this request.
    pub(super) fn fail_attempt(&mut self, failure: Failure, now: Instant) {
        self.failure = Some(failure);
        if let (Some(upstream), Some(current)) = (&self.upstream, &self.current) {
            let elapsed = now.saturating_duration_since(current.began);
            upstream.failed(&current.in_flight, elapsed, now);
        }
        if let Some(backend) = self.end_attempt(now) {
            backend.count_failure();
            self.tried.push(backend);
        }
    }

    /// The current attempt found its pooled connection closed, which says nothing of the backend.
    pub(super) fn abandon_attempt(&mut self, failure: Failure, now: Instant) {
        self.failure = Some(failure);
        self.end_attempt(now);
    }

    /// The current attempt is over, and its backend has one request less.
    pub(super) fn end_attempt(&mut self, now: Instant) -> Option<Arc<Backend>> {
        let waited = self.since_attempt(now);
        let current = self.current.take()?;
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.response_time = waited;
        }
        Some(Arc::clone(current.in_flight.backend()))
    }

    /// Whether the current attempt's backend has begun to answer.
    pub(super) fn has_answer(&self) -> bool {
        self.attempts
            .last()
            .is_some_and(|attempt| attempt.header_time.is_some())
    }

    pub(super) fn was_tried(&self, backend: &Backend) -> bool {
        let mut tried = self.tried.iter();
        tried.any(|tried| tried.address() == backend.address())
    }

    fn since_attempt(&self, now: Instant) -> Option<Duration> {
        let current = self.current.as_ref()?;
        Some(now.saturating_duration_since(current.began))
    }
}
