//! What one request carries from phase to phase.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue};

use super::connection::ConnectionFacts;
use super::failure::{self, Failure};
use super::filters::Filtered;
use super::tunnel::Tunnel;
use crate::config::Trigger;
use crate::decision::Sender;
use crate::filter::Chain;
use crate::observe::record;
use crate::runtime::{Route, Snapshot};
use crate::semantics::end::End;
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
    /// Set by the first phase, as the id is.
    pub(super) sender: Option<Sender>,
    pub(super) request_id: Option<HeaderValue>,
    route: Option<usize>,
    pub(super) upstream: Option<Arc<Upstream>>,
    /// One for each attempt, in order; the last one is the current one.
    pub(super) attempts: Vec<record::Attempt>,
    /// The backends of these attempts that are not to be tried again.
    tried: Vec<Arc<Backend>>,
    current: Option<Current>,
    /// When the first attempt began.
    first_attempt: Option<Instant>,
    /// Attempts that reached a backend.
    reached: u32,
    /// Attempts that found a pooled connection closed.
    stale: u32,
    /// Those that the current attempt's backend has given so far.
    pub(super) interim_answers: u8,
    /// Kept only when the access log asks for them.
    pub(super) upstream_headers: Option<Box<HeaderMap>>,
    pub(super) failure: Option<Failure>,
    /// The way to the backend, when it has switched the connection.
    pub(super) tunnel: Option<Box<Tunnel>>,
    /// The backend may switch the connection to another protocol.
    pub(super) asks_for_tunnel: bool,
    /// What the filters have done and are still to do.
    pub(super) filtered: Filtered,
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
            sender: None,
            request_id: None,
            route: None,
            upstream: None,
            attempts: Vec::new(),
            tried: Vec::new(),
            current: None,
            first_attempt: None,
            reached: 0,
            stale: 0,
            interim_answers: 0,
            upstream_headers: None,
            failure: None,
            tunnel: None,
            asks_for_tunnel: false,
            filtered: Filtered::default(),
        }
    }

    pub(super) fn peer(&self) -> Option<End> {
        self.connection.as_ref().map(|facts| facts.peer)
    }

    /// The route that was found for this request.
    pub(super) fn route(&self) -> Option<&Route> {
        self.snapshot.routes.get(self.route?)
    }

    /// The filters that this request passes; those of `snapshot`, which is the request's own.
    pub(super) fn chain<'a>(&self, snapshot: &'a Snapshot) -> Chain<'a> {
        let listener = self.connection.as_ref().map_or("", |facts| &facts.listener);
        snapshot.chain(listener, self.route)
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
        self.first_attempt.get_or_insert(now);
        self.interim_answers = 0;
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

    /// When the current attempt began.
    pub(super) fn attempt_began(&self) -> Option<Instant> {
        self.current.as_ref().map(|current| current.began)
    }

    /// The current attempt has a new connection.
    pub(super) fn connected(&mut self, now: Instant) {
        let waited = self.since_attempt(now);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.connect_time = waited;
        }
    }

    /// The current attempt has a connection that was there already.
    pub(super) fn connected_at_once(&mut self) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.connect_time = Some(Duration::ZERO);
        }
    }

    pub(super) fn answered(&mut self, status: u16, now: Instant) {
        let waited = self.since_attempt(now);
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.status = Some(status);
            attempt.header_time = waited;
        }
        let (Some(upstream), Some(current), Some(waited)) = (&self.upstream, &self.current, waited)
        else {
            return;
        };
        if failure::counts_against_backend(status) {
            let cause = format_args!("status {status}");
            upstream.failed(&current.in_flight, &cause, waited, now);
        } else {
            upstream.answered(&current.in_flight, waited, now);
        }
    }

    /// The current attempt has failed; its backend is not tried again by this request.
    pub(super) fn fail_attempt(&mut self, failure: Failure, now: Instant) {
        let error = failure.row().error;
        if let (Some(upstream), Some(current)) = (&self.upstream, &self.current) {
            let elapsed = now.saturating_duration_since(current.began);
            upstream.failed(&current.in_flight, &error, elapsed, now);
        }
        self.pass_over(failure, now);
    }

    /// The current attempt is given up for another backend, and what it says of this one, if anything, was counted already.
    pub(super) fn pass_over(&mut self, failure: Failure, now: Instant) {
        self.failure = Some(failure);
        if failure.row().trigger != Some(Trigger::Connect) {
            self.reached += 1;
        }
        let backend = self.end_attempt(now);
        self.tried.extend(backend);
    }

    /// The current attempt found its pooled connection closed, which says nothing of the backend.
    pub(super) fn abandon_attempt(&mut self, failure: Failure, now: Instant) {
        self.failure = Some(failure);
        self.stale += 1;
        self.end_attempt(now);
    }

    /// Attempts so far that reached a backend, and those that found a pooled connection closed.
    pub(super) fn counts(&self) -> (u32, u32) {
        (self.reached, self.stale)
    }

    /// Since the first attempt began.
    pub(super) fn since_first_attempt(&self, now: Instant) -> Duration {
        self.first_attempt
            .map(|first| now.saturating_duration_since(first))
            .unwrap_or_default()
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
