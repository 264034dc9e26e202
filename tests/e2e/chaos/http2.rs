//! A client's connection of HTTP/2.
//!
//! It and its requests are polled by one task. Otherwise a request could be put on it at the very moment at which it ends, and be lost in the
//! client: that looks as if the other side had broken it off.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};

use bytes::Bytes;
use h2::client::{Connection, SendRequest};
use h2::{Reason, SendStream};
use http::Request;
use http::header::CONTENT_LENGTH;
use tokio::net::TcpStream;

use super::body::{Errand, Kind};
use super::exchange::{Outcome, judge};

pub(super) struct Http2 {
    sender: SendRequest<Bytes>,
    /// Until it has ended.
    connection: Option<Connection<TcpStream, Bytes>>,
}

impl Http2 {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(256 * 1024);
        let (sender, connection) = builder.handshake(stream).await.unwrap();
        Self {
            sender,
            connection: Some(connection),
        }
    }

    /// Whether it takes another request.
    pub(super) async fn is_ready(&mut self) -> bool {
        let sender = self.sender.clone();
        let ready = self.alongside(sender.ready()).await;
        ready.is_ok()
    }

    /// So many requests at once, and what came of each.
    pub(super) async fn ask<const N: usize>(
        &mut self,
        errands: [Errand; N],
    ) -> Vec<Result<Outcome, h2::Error>> {
        let calls = errands.map(|errand| over(self.sender.clone(), errand));
        self.alongside(futures::future::join_all(calls)).await
    }

    pub(super) async fn ask_one(&mut self, errand: Errand) -> Result<Outcome, h2::Error> {
        let call = over(self.sender.clone(), errand);
        self.alongside(call).await
    }

    async fn alongside<T>(&mut self, done: impl Future<Output = T>) -> T {
        let mut done = pin!(done);
        poll_fn(|context| {
            let connection = self.connection.as_mut();
            if connection.is_some_and(|open| Pin::new(open).poll(context).is_ready()) {
                self.connection = None;
            }
            done.as_mut().poll(context)
        })
        .await
    }
}

/// Whether the other side says that it has done nothing with the request.
pub(super) fn is_untouched(error: &h2::Error) -> bool {
    error.reason() == Some(Reason::REFUSED_STREAM)
        || (error.is_go_away() && error.reason() == Some(Reason::NO_ERROR))
}

async fn over(sender: SendRequest<Bytes>, errand: Errand) -> Result<Outcome, h2::Error> {
    let mut sender = sender.ready().await?;
    let body = match errand.kind {
        Kind::Upload => errand.body(),
        _ => Vec::new(),
    };
    let method = if errand.kind == Kind::Upload {
        "POST"
    } else {
        "GET"
    };
    let uri = format!("http://a.test{errand}");
    let mut request = Request::builder().method(method).uri(uri).body(()).unwrap();
    if !errand.is_chunked() {
        request
            .headers_mut()
            .insert(CONTENT_LENGTH, body.len().into());
    }
    let (response, stream) = sender.send_request(request, body.is_empty())?;
    let answer = async {
        let (head, mut stream) = response.await?.into_parts();
        let mut body = Vec::new();
        while let Some(piece) = stream.data().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Ok(Outcome::Broken(error.to_string())),
            };
            let _ = stream.flow_control().release_capacity(piece.len());
            body.extend_from_slice(&piece);
        }
        let seed = head
            .headers
            .get("x-seed")
            .and_then(|seed| seed.to_str().ok());
        Ok(judge(&errand, head.status.as_u16(), seed, &body))
    };
    let (answer, _stream) = futures::join!(answer, send(stream, body.into()));
    answer
}

/// As fast as the other side takes it, and no more than it wants.
async fn send(mut stream: SendStream<Bytes>, mut body: Bytes) -> SendStream<Bytes> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let Some(Ok(room)) = poll_fn(|context| stream.poll_capacity(context)).await else {
            break;
        };
        let part = body.split_to(room.min(body.len()));
        if stream.send_data(part, body.is_empty()).is_err() {
            break;
        }
    }
    stream
}
