//! A backend that speaks HTTP/2, over the `h2` crate: what it does with each request is the test's.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};
use tokio_rustls::TlsAcceptor;

/// What is done with a request.
type Done = Pin<Box<dyn Future<Output = ()> + Send>>;
type Script = dyn Fn(Incoming) -> Done + Send + Sync;

pub(crate) struct Http2Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    script: Box<Script>,
    heads: Mutex<Vec<Request<()>>>,
    connections: AtomicUsize,
    /// After so many requests on a connection it is said that no more are taken.
    most: usize,
}

/// A request as it arrived, and the way back.
pub(crate) struct Incoming {
    pub(crate) head: Request<()>,
    pub(crate) body: RecvStream,
    pub(crate) response: SendResponse<Bytes>,
}

impl Http2Backend {
    /// In the clear.
    pub(crate) fn start<F>(script: impl Fn(Incoming) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::with(None, usize::MAX, script)
    }

    /// Over TLS. Whoever asks for HTTP/1 there is answered "over HTTP/1", and not again on that connection.
    pub(crate) fn start_tls<F>(
        config: ServerConfig,
        script: impl Fn(Incoming) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::with(Some(config), usize::MAX, script)
    }

    /// In the clear, with a `GOAWAY` behind so many requests of each connection.
    pub(crate) fn leaving_after<F>(
        most: usize,
        script: impl Fn(Incoming) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::with(None, most, script)
    }

    fn with<F>(
        tls: Option<ServerConfig>,
        most: usize,
        script: impl Fn(Incoming) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut builder = runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(move |incoming| Box::pin(script(incoming))),
            heads: Mutex::default(),
            connections: AtomicUsize::new(0),
            most,
        });
        let serving = Arc::clone(&shared);
        let acceptor = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (shared, acceptor) = (Arc::clone(&serving), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(socket, shared).await,
                        Some(acceptor) => {
                            let Ok(mut stream) = acceptor.accept(socket).await else {
                                return;
                            };
                            match stream.get_ref().1.alpn_protocol() {
                                Some(b"http/1.1") => answer_http1(&mut stream).await,
                                _ => serve(stream, shared).await,
                            }
                        }
                    }
                });
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

    /// The heads that came so far.
    pub(crate) fn heads(&self) -> Vec<Request<()>> {
        self.shared.heads.lock().unwrap().clone()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

async fn answer_http1<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut head).await.is_ok_and(|read| read > 0) {
            continue;
        }
        return;
    }
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\nover HTTP/1";
    let _ = socket.write_all(answer).await;
    let _ = socket.shutdown().await;
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(socket: S, shared: Arc<Shared>) {
    let Ok(mut connection) = Builder::new().handshake::<_, Bytes>(socket).await else {
        return;
    };
    shared.connections.fetch_add(1, Ordering::Relaxed);
    let mut taken = 0;
    while let Some(Ok((request, response))) = connection.accept().await {
        taken += 1;
        if taken == shared.most {
            connection.graceful_shutdown();
        }
        let (head, body) = request.into_parts();
        let head = Request::from_parts(head, ());
        shared.heads.lock().unwrap().push(head.clone());
        tokio::spawn((shared.script)(Incoming {
            head,
            body,
            response,
        }));
    }
}

impl Incoming {
    /// All of the body that is still to come.
    pub(crate) async fn read(&mut self) -> Vec<u8> {
        let mut whole = Vec::new();
        while let Some(Ok(piece)) = self.piece().await {
            whole.extend_from_slice(&piece);
        }
        whole
    }

    /// The next piece of the body.
    pub(crate) async fn piece(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let piece = self.body.data().await?;
        if let Ok(piece) = &piece {
            let _ = self.body.flow_control().release_capacity(piece.len());
        }
        Some(piece)
    }

    /// Sends the head of an answer with status 200.
    pub(crate) fn begin(&mut self, fields: &[(&'static str, &'static str)]) -> SendStream<Bytes> {
        let mut head = Response::new(());
        *head.headers_mut() = fields_of(fields);
        self.response.send_response(head, false).unwrap()
    }

    /// Sends a head that is all of the answer.
    pub(crate) fn only_head(&mut self, fields: &[(&'static str, &'static str)]) {
        let mut head = Response::new(());
        *head.headers_mut() = fields_of(fields);
        self.response.send_response(head, true).unwrap();
    }

    /// Answers with this body.
    pub(crate) fn answer(&mut self, body: impl Into<Bytes>) {
        self.begin(&[]).send_data(body.into(), true).unwrap();
    }
}

pub(crate) fn fields_of(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    fields.iter().map(field).collect()
}
