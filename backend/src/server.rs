//! The life of a hello service: bound, serving in a task of its own, and ended in one of two ways. A test of a
//! load balancer needs both: a backend that leaves politely, and one that is gone from one moment to the next.
//!
//! The accept loop is our own, around hyper's HTTP/1 connections, because `axum::serve` has no way to cut its
//! connections off and no bound for its graceful end. Connections live in a `JoinSet`, so none outlives its
//! service. A connection that waits in the kernel's backlog when the service stops is reset, as with any server.

use crate::answers::{Facts, router};
use crate::options::Options;
use crate::wire::{MAX_HEADERS, Recorded, SharedTape};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tower_service::Service;

/// Binds `options.address` and serves on it, in a task of the current tokio runtime, until the [`Hello`] that
/// is returned is stopped, aborted or dropped.
///
/// # Errors
/// When the address cannot be bound: in use, not of this machine, or a port that needs more rights.
pub async fn spawn(options: Options) -> io::Result<Hello> {
    serve(TcpListener::bind(options.address).await?, options)
}

/// Like [`spawn`], on a listener that is bound already; `options.address` is not looked at.
///
/// # Errors
/// When the listener cannot tell its address.
///
/// # Panics
/// Outside a tokio runtime.
pub fn serve(listener: TcpListener, options: Options) -> io::Result<Hello> {
    let address = listener.local_addr()?;
    let facts = Arc::new(Facts::new(&options));
    let (stage, told) = watch::channel(Stage::Serving);
    let task = tokio::spawn(run(listener, router(facts.clone()), options.grace, told));
    Ok(Hello {
        address,
        name: options.name,
        facts,
        stage,
        task,
    })
}

/// A running hello service. Dropping it ends the service like [`Hello::abort`], without waiting for it.
#[must_use = "a hello service ends when its handle is dropped"]
pub struct Hello {
    address: SocketAddr,
    name: String,
    facts: Arc<Facts>,
    stage: watch::Sender<Stage>,
    task: JoinHandle<()>,
}

impl Hello {
    /// Where it listens; the true port when 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `GET /` says as `hostname`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Requests that have arrived so far in full, those to `/health` not counted.
    pub fn requests(&self) -> u64 {
        self.facts.requests()
    }

    /// Requests to `/health` that have arrived so far.
    pub fn health_checks(&self) -> u64 {
        self.facts.health_checks()
    }

    /// Stops gracefully: accepts no more, closes idle connections, finishes what is in flight, and cuts off
    /// what is not finished after `Options::grace`. When it returns the port is free.
    pub async fn stop(self) {
        self.end(Stage::Draining).await;
    }

    /// Ends as a crash would: listener and connections are closed at once, whatever was in flight. When it
    /// returns they are.
    pub async fn abort(self) {
        self.end(Stage::Aborted).await;
    }

    async fn end(self, stage: Stage) {
        self.stage.send_replace(stage);
        // The task can only fail by being cancelled with its runtime, and then everything is closed as well.
        let _ = self.task.await;
    }
}

impl fmt::Debug for Hello {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hello")
            .field("address", &self.address)
            .field("name", &self.name)
            .field("requests", &self.requests())
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Serving,
    Draining,
    Aborted,
}

async fn run(
    listener: TcpListener,
    router: Router,
    grace: Duration,
    mut told: watch::Receiver<Stage>,
) {
    let mut connections = JoinSet::new();
    accept(&listener, &router, &mut connections, &mut told).await;
    drop(listener);
    if *told.borrow() == Stage::Draining {
        let drained = async { while connections.join_next().await.is_some() {} };
        // Past its grace a request is cut off below.
        let _ = tokio::time::timeout(grace, drained).await;
    }
    connections.shutdown().await;
}

/// Accepts until the service is told to end, or its handle is gone.
async fn accept(
    listener: &TcpListener,
    router: &Router,
    connections: &mut JoinSet<()>,
    told: &mut watch::Receiver<Stage>,
) {
    loop {
        tokio::select! {
            _ = told.changed() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, router.clone(), told.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Accepting fails for want of file descriptors; trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One connection, to its end. What goes wrong on it concerns its client alone, who notices.
async fn converse(stream: TcpStream, router: Router, mut told: watch::Receiver<Stage>) {
    // Without it a small answer can wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let tape = SharedTape::default();
    let recorded = Recorded::new(stream, tape.clone());
    let service = service_fn(move |request| answer(request, tape.clone(), router.clone()));
    let mut connection = pin!(
        http1::Builder::new()
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(recorded), service)
    );
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        _ = told.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn answer(
    request: Request<Incoming>,
    tape: SharedTape,
    mut router: Router,
) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let head = tape.take_head(body.size_hint().exact())?;
    read_to_end(body).await?;
    let mut request = Request::from_parts(parts, Body::empty());
    request.extensions_mut().insert(head);
    match router.call(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

/// A server that answers and closes while the body is still coming resets the connection, and the answer
/// may be lost with it (RFC 9112 §9.6).
async fn read_to_end(mut body: Incoming) -> io::Result<()> {
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        frame.map_err(io::Error::other)?;
    }
    Ok(())
}
