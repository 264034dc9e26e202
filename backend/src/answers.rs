//! What hello answers: the routes, and the few facts that the answers are made of. The greeting is written
//! once, at start, since a bench asks for it a hundred thousand times a second; only `/headers` is put together
//! for each request.

use crate::options::Options;
use crate::wire::Head;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The routes of one hello service. A request must carry its [`Head`] as an extension.
pub(crate) fn router(facts: Arc<Facts>) -> axum::Router {
    axum::Router::new()
        .route("/", get(hello))
        .route("/headers", any(headers))
        .route("/health", get(health))
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .with_state(facts)
}

/// What one hello service knows of itself; shared by its connections and its [`Hello`](crate::Hello).
pub(crate) struct Facts {
    greeting: Bytes,
    delay: Duration,
    requests: AtomicU64,
    health_checks: AtomicU64,
}

impl Facts {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            greeting: line(&Greeting {
                message: "Hello from hello",
                hostname: &options.name,
            }),
            delay: options.delay,
            requests: AtomicU64::new(0),
            health_checks: AtomicU64::new(0),
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn health_checks(&self) -> u64 {
        self.health_checks.load(Ordering::Relaxed)
    }

    async fn take_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }
}

#[derive(Serialize)]
struct Greeting<'a> {
    message: &'static str,
    hostname: &'a str,
}

async fn hello(State(facts): State<Arc<Facts>>) -> Response {
    facts.take_request().await;
    json(StatusCode::OK, facts.greeting.clone())
}

async fn headers(State(facts): State<Arc<Facts>>, Extension(head): Extension<Head>) -> Response {
    facts.take_request().await;
    match head.with_fields(|fields| line(&fields)) {
        Some(seen) => json(StatusCode::OK, seen),
        None => json(
            StatusCode::INTERNAL_SERVER_ERROR,
            Bytes::from_static(b"{\"error\":\"the head of this request cannot be read again\"}\n"),
        ),
    }
}

async fn health(State(facts): State<Arc<Facts>>) -> Response {
    facts.health_checks.fetch_add(1, Ordering::Relaxed);
    json(StatusCode::OK, Bytes::from_static(b"{\"status\":\"ok\"}\n"))
}

async fn not_found(State(facts): State<Arc<Facts>>) -> Response {
    facts.take_request().await;
    json(
        StatusCode::NOT_FOUND,
        Bytes::from_static(b"{\"error\":\"not found\"}\n"),
    )
}

fn json(status: StatusCode, body: Bytes) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// JSON with a line end, so that the answers of a loop of `curl -s` can go through `sort | uniq -c`.
fn line(answer: &impl Serialize) -> Bytes {
    let mut written = serde_json::to_vec(answer).unwrap_or_default();
    written.push(b'\n');
    Bytes::from(written)
}
