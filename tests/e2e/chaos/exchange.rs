//! One request, and what came of it: right only if every byte is.

use std::io;

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

pub(super) fn judge(errand: &Errand, status: u16, seed: Option<&str>, body: &[u8]) -> Outcome {
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
