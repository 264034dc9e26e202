//! A client that speaks HTTP/2, over the `h2` crate: many requests on one connection, in the clear or over TLS.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, Response};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::DEADLINE;
use super::tls::Authority;

/// One connection.
pub(crate) struct Http2Client {
    runtime: Arc<Runtime>,
    sender: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

/// A request that was sent.
pub(crate) struct Exchange {
    runtime: Arc<Runtime>,
    response: ResponseFuture,
    body: Option<SendStream<Bytes>>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Http2Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
    /// Why it is not whole.
    pub(crate) broken: Option<h2::Error>,
}

/// A request for a host, `a.test`.
pub(crate) fn request(method: &str, path: &str) -> Request<()> {
    let uri = format!("http://a.test{path}");
    Request::builder().method(method).uri(uri).body(()).unwrap()
}

impl Http2Client {
    /// In the clear, with prior knowledge.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(|| async move { TcpStream::connect(address).await.unwrap() })
    }

    /// The same, with these bytes sent before anything else.
    pub(crate) fn connect_after(bytes: Vec<u8>, address: SocketAddr) -> Self {
        Self::over(|| async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(&bytes).await.unwrap();
            socket
        })
    }

    /// Over TLS, which must come to HTTP/2.
    pub(crate) fn connect_tls(address: SocketAddr, trusted: &Authority, name: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Self::over(|| async move {
            let socket = TcpStream::connect(address).await.unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            let stream = connector.connect(name, socket).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            stream
        })
    }

    fn over<F, S>(connect: impl FnOnce() -> F) -> Self
    where
        F: Future<Output = S>,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let (sender, connection) = runtime.block_on(async {
            let socket = connect().await;
            let mut builder = Builder::new();
            builder.initial_window_size(256 * 1024);
            builder.handshake::<_, Bytes>(socket).await.unwrap()
        });
        let connection = runtime.spawn(connection);
        Self {
            runtime: Arc::new(runtime),
            sender,
            connection,
        }
    }

    /// Sends a request without a body.
    pub(crate) fn send(&mut self, request: Request<()>) -> Exchange {
        self.begin(request, true)
    }

    /// Sends a request whose body is still to come.
    pub(crate) fn open(&mut self, request: Request<()>) -> Exchange {
        self.begin(request, false)
    }

    fn begin(&mut self, request: Request<()>, is_whole: bool) -> Exchange {
        let sender = self.sender.clone();
        let mut sender = within(&self.runtime, sender.ready()).unwrap();
        let (response, body) = sender.send_request(request, is_whole).unwrap();
        Exchange {
            runtime: Arc::clone(&self.runtime),
            response,
            body: Some(body),
        }
    }

    /// Whether the other side has said that it takes no more requests.
    pub(crate) fn is_told_to_leave(&mut self) -> bool {
        let sender = self.sender.clone();
        within(&self.runtime, sender.ready()).is_err()
    }

    /// How many requests the other side takes at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.sender.current_max_send_streams()
    }

    /// Whether the other side has announced the `CONNECT` of RFC 8441; it is known with its first answer.
    pub(crate) fn may_ask_for_websockets(&self) -> bool {
        self.sender.is_extended_connect_protocol_enabled()
    }

    pub(crate) fn get(&mut self, path: &str) -> Http2Answer {
        self.send(request("GET", path)).answer()
    }

    /// Sends a request with this body, and its length in the head, and waits for the answer.
    pub(crate) fn ask(&mut self, mut request: Request<()>, body: impl Into<Bytes>) -> Http2Answer {
        let body = body.into();
        request
            .headers_mut()
            .insert(CONTENT_LENGTH, body.len().into());
        let mut exchange = self.open(request);
        exchange.send(body, true);
        exchange.answer()
    }

    /// Waits until the connection has ended; the error that it ended with, if any.
    pub(crate) fn ended(&mut self) -> Option<h2::Error> {
        let ended = within(&self.runtime, &mut self.connection).unwrap();
        ended.err()
    }
}

impl Exchange {
    /// Sends a piece of the body, as fast as the other side takes it.
    pub(crate) fn send(&mut self, piece: impl Into<Bytes>, is_last: bool) {
        let mut piece = piece.into();
        let mut body = self.body.take().unwrap();
        let sent = self.runtime.spawn(async move {
            while !piece.is_empty() {
                body.reserve_capacity(piece.len());
                let Some(Ok(room)) = poll_fn(|context| body.poll_capacity(context)).await else {
                    // The other side wants no more of it.
                    return body;
                };
                let part = piece.split_to(room.min(piece.len()));
                let _ = body.send_data(part, is_last && piece.is_empty());
            }
            body
        });
        if !is_last {
            self.body = Some(within(&self.runtime, sent).unwrap());
        }
    }

    /// Sends the end of the body alone.
    pub(crate) fn end(&mut self) {
        let body = self.body.as_mut().unwrap();
        body.send_data(Bytes::new(), true).unwrap();
    }

    /// Sends these behind the body.
    pub(crate) fn end_with(&mut self, trailers: HeaderMap) {
        let body = self.body.as_mut().unwrap();
        body.send_trailers(trailers).unwrap();
    }

    /// Gives it up.
    pub(crate) fn reset(mut self) {
        self.body.take().unwrap().send_reset(Reason::CANCEL);
    }

    /// The status of the next interim answer.
    pub(crate) fn interim(&mut self) -> u16 {
        let response = &mut self.response;
        let interim = poll_fn(|context| response.poll_informational(context));
        let interim = within(&self.runtime, interim).unwrap().unwrap();
        interim.status().as_u16()
    }

    /// The head of the answer, and where its body comes from.
    pub(crate) fn head(self) -> (Response<()>, Incoming) {
        let answer = within(&self.runtime, self.response).unwrap();
        let (head, stream) = answer.into_parts();
        let incoming = Incoming {
            runtime: self.runtime,
            stream,
            _body: self.body,
        };
        (Response::from_parts(head, ()), incoming)
    }

    /// The same, and the way for the rest of the request.
    pub(crate) fn halves(mut self) -> (Response<()>, Incoming, SendStream<Bytes>) {
        let sending = self.body.take().unwrap();
        let (head, incoming) = self.head();
        (head, incoming, sending)
    }

    pub(crate) fn answer(self) -> Http2Answer {
        self.try_answer().unwrap()
    }

    /// The answer; an error when the stream ended without a head.
    pub(crate) fn try_answer(self) -> Result<Http2Answer, h2::Error> {
        let _body = self.body;
        within(&self.runtime, async {
            let (head, mut stream) = self.response.await?.into_parts();
            let mut body = Vec::new();
            let mut broken = None;
            while let Some(piece) = stream.data().await {
                match piece {
                    Ok(piece) => {
                        body.extend_from_slice(&piece);
                        let _ = stream.flow_control().release_capacity(piece.len());
                    }
                    Err(error) => {
                        broken = Some(error);
                        break;
                    }
                }
            }
            let trailers = match broken {
                Some(_) => None,
                None => stream.trailers().await?,
            };
            Ok(Http2Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
                trailers,
                broken,
            })
        })
    }
}

/// The body of an answer, piece by piece.
pub(crate) struct Incoming {
    runtime: Arc<Runtime>,
    stream: RecvStream,
    _body: Option<SendStream<Bytes>>,
}

impl Incoming {
    /// The next piece; `None` behind the last one.
    pub(crate) fn piece(&mut self) -> Option<Result<Bytes, h2::Error>> {
        loop {
            let piece = within(&self.runtime, self.stream.data());
            if let Some(Ok(piece)) = &piece {
                let _ = self.stream.flow_control().release_capacity(piece.len());
                if piece.is_empty() {
                    continue;
                }
            }
            return piece;
        }
    }
}

impl Incoming {
    /// What stands behind the body.
    pub(crate) fn trailers(&mut self) -> Option<HeaderMap> {
        within(&self.runtime, self.stream.trailers()).unwrap()
    }
}

impl Http2Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body of an answer that is whole.
    pub(crate) fn text(&self) -> String {
        assert!(self.broken.is_none(), "{self:?}");
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// What comes in time.
fn within<F: Future>(runtime: &Runtime, future: F) -> F::Output {
    runtime.block_on(async {
        let come = tokio::time::timeout(DEADLINE, future).await;
        come.expect("waited in vain for the other side")
    })
}
