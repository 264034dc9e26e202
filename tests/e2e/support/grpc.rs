//! A gRPC server with nothing but the health service, over the `h2` crate: it says what its script says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

pub(crate) struct GrpcBackend {
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    answer: Box<dyn Fn(&Call) -> GrpcAnswer + Send + Sync>,
    calls: Mutex<Vec<Call>>,
    connections: AtomicUsize,
}

/// A call as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) head: Request<()>,
    pub(crate) message: Vec<u8>,
}

/// What is said to a call.
#[derive(Debug, Clone)]
pub(crate) struct GrpcAnswer {
    status: u16,
    headers: HeaderMap,
    body: Option<Bytes>,
    trailers: Option<HeaderMap>,
    is_silent: bool,
}

impl GrpcAnswer {
    /// A `HealthCheckResponse` with this number as its status.
    pub(crate) fn health(number: u8) -> Self {
        Self {
            status: 200,
            headers: headers(&[("content-type", "application/grpc")]),
            body: Some(Bytes::from(vec![0, 0, 0, 0, 2, 8, number])),
            trailers: Some(headers(&[("grpc-status", "0")])),
            is_silent: false,
        }
    }

    pub(crate) fn with_body(mut self, body: &'static [u8]) -> Self {
        self.body = Some(Bytes::from_static(body));
        self
    }

    pub(crate) fn with_trailers(mut self, trailers: &[(&'static str, &'static str)]) -> Self {
        self.trailers = (!trailers.is_empty()).then(|| headers(trailers));
        self
    }

    /// A head that is all of the answer.
    pub(crate) fn head_only(status: u16, fields: &[(&'static str, &'static str)]) -> Self {
        Self {
            status,
            headers: headers(fields),
            body: None,
            trailers: None,
            is_silent: false,
        }
    }

    /// Nothing at all.
    pub(crate) fn silence() -> Self {
        Self {
            is_silent: true,
            ..Self::head_only(200, &[])
        }
    }
}

fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    fields.iter().map(field).collect()
}

impl GrpcBackend {
    /// Answers each call with what `answer` makes of it.
    pub(crate) fn start(answer: impl Fn(&Call) -> GrpcAnswer + Send + Sync + 'static) -> Self {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            calls: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self {
            address,
            shared,
            _runtime: runtime,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    shared.connections.fetch_add(1, Ordering::Relaxed);
    if let Ok(mut connection) = h2::server::handshake(stream).await {
        while let Some(Ok((request, respond))) = connection.accept().await {
            tokio::spawn(answer(request, respond, Arc::clone(&shared)));
        }
    }
    shared.connections.fetch_sub(1, Ordering::Relaxed);
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
) -> Result<(), h2::Error> {
    let (head, mut body) = request.into_parts();
    let mut message = Vec::new();
    while let Some(part) = body.data().await {
        message.extend_from_slice(&part?);
    }
    let call = Call {
        head: Request::from_parts(head, ()),
        message,
    };
    let answer = (shared.answer)(&call);
    shared.calls.lock().unwrap().push(call);
    if answer.is_silent {
        // Until the proxy gives up.
        return std::future::poll_fn(|context| respond.poll_reset(context))
            .await
            .map(drop);
    }
    let mut response = Response::new(());
    *response.status_mut() = answer.status.try_into().unwrap();
    *response.headers_mut() = answer.headers;
    let has_ended = answer.body.is_none();
    let mut stream = respond.send_response(response, has_ended)?;
    if let Some(body) = answer.body {
        stream.send_data(body, answer.trailers.is_none())?;
    }
    if let Some(trailers) = answer.trailers {
        stream.send_trailers(trailers)?;
    }
    Ok(())
}
