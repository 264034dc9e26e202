//! One request, and what came of it: right only if every byte is.

use std::future::poll_fn;
use std::io;

use bytes::Bytes;
use h2::SendStream;
use h2::client::SendRequest;
use http::Request;
use http::header::CONTENT_LENGTH;

use super::body::{Errand, Kind};
use super::wire::{Wire, framed};

/// What came of a request.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    Right,
    /// With another status than 200.
    Answered(u16),
    /// Visibly: the connection or the stream ended before the answer did.
    Broken(String),
    /// It looks whole and is not what it should be.
    Wrong(String),
}

fn judge(errand: &Errand, status: u16, seed: Option<&str>, body: &[u8]) -> Outcome {
    if status != 200 {
        return Outcome::Answered(status);
    }
    let wanted = errand.answer();
    if seed != Some(&errand.seed.to_string()) || body != wanted {
        let (got, wanted) = (body.len(), wanted.len());
        return Outcome::Wrong(format!("seed {seed:?}, {got} bytes instead of {wanted}"));
    }
    Outcome::Right
}

/// One request; what came of it, and whether the connection stays.
pub(super) async fn over(wire: &mut Wire, errand: &Errand) -> io::Result<(Outcome, bool)> {
    let (method, framing, body) = match errand.kind {
        Kind::Upload => {
            let (framing, body) = framed(&errand.body(), errand.is_chunked());
            ("POST", framing, body)
        }
        _ => ("GET", String::new(), Vec::new()),
    };
    let request = format!("{method} {errand} HTTP/1.1\r\nHost: a.test\r\n{framing}\r\n");
    // An answer may have come before the whole body was taken.
    let sent = wire.send(&[request.into_bytes(), body].concat()).await;
    let head = wire.head().await?;
    let body = wire.body(&head).await?;
    let status = head.second_word().parse().map_err(io::Error::other)?;
    let outcome = judge(errand, status, head.value("x-seed"), &body);
    Ok((outcome, sent.is_ok() && !head.says_close()))
}

pub(super) async fn through_tunnel(wire: &mut Wire, errand: &Errand) -> io::Result<Outcome> {
    const PIECE: usize = 32 * 1024;
    let request = format!(
        "GET {errand} HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    wire.send(request.as_bytes()).await?;
    let head = wire.head().await?;
    let status = head.second_word().parse().map_err(io::Error::other)?;
    if status != 101 {
        wire.body(&head).await?;
        return Ok(Outcome::Answered(status));
    }
    let mut back = Vec::new();
    for piece in errand.body().chunks(PIECE) {
        wire.send(piece).await?;
        back.extend(wire.take(piece.len()).await?);
    }
    Ok(judge(errand, 200, head.value("x-seed"), &back))
}

pub(super) async fn over_http2(
    sender: SendRequest<Bytes>,
    errand: Errand,
) -> Result<Outcome, h2::Error> {
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
