//! Which version of HTTP a client speaks.
//!
//! Over TLS the two agree on it in the handshake (ALPN, RFC 7301). In the clear a client that speaks HTTP/2 begins with its preface
//! (RFC 9113 §3.3, §3.4), which no request of HTTP/1 begins with: as soon as a byte differs, it is HTTP/1. Nobody waits for 24 bytes that
//! an HTTP/1 client might never send.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use pingora_core::server::ShutdownWatch;
use tokio::time::{Instant, timeout};

use super::connection::Connection;
use super::http1::{self, begins};
use super::http2;
use super::socket::Socket;
use crate::config::Protocols;
use crate::proxy::HttpProxy;
use crate::proxy::turned_away::Reason;

/// What a client says first on a connection of HTTP/2.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What serves a client to the end.
pub(super) type Serving = BoxFuture<'static, ()>;

/// Learns which version its client speaks; what then serves the connection, if there is something to serve. `agreed` is what the handshake
/// of TLS came to, if there was one.
pub(super) async fn begin<S: Socket>(
    proxy: Arc<HttpProxy>,
    mut connection: Box<Connection<S>>,
    mut closing: ShutdownWatch,
    protocols: Protocols,
    agreed: Option<Agreed>,
) -> Option<Serving> {
    let spoken = match (protocols, agreed) {
        (Protocols { http2: false, .. }, _) => Spoken::Http1,
        (Protocols { http1: false, .. }, _) | (_, Some(Agreed::Http2)) => Spoken::Http2,
        (_, Some(Agreed::Nothing)) => Spoken::Http1,
        (_, None) => tokio::select! {
            spoken = listen(&mut connection) => spoken,
            () = begins(&mut closing) => Spoken::Nothing,
        },
    };
    match spoken {
        Spoken::Http1 => Some(Box::pin(http1::serve(proxy, connection, closing))),
        Spoken::Http2 => Some(Box::pin(http2::serve(proxy, connection))),
        Spoken::Refused(why, since) => {
            http1::refuse(&proxy, connection, why, since).await;
            None
        }
        Spoken::Nothing => None,
    }
}

/// What a handshake of TLS came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreed {
    /// HTTP/2.
    Http2,
    /// HTTP/1, or nothing, which is the same.
    Nothing,
}

enum Spoken {
    Http1,
    Http2,
    /// What there is of it will not become a request; its first byte came so long ago.
    Refused(Reason, Duration),
    Nothing,
}

/// Reads until it is clear what the client speaks; what was read stays unread for whoever serves it.
async fn listen<S: Socket>(connection: &mut Connection<S>) -> Spoken {
    let timeouts = connection.facts().settings.timeouts;
    // Something may have come behind the header of a proxy.
    if connection.unread().is_empty() {
        match timeout(timeouts.idle, connection.read_more()).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false) | Err(_)) | Err(_) => return Spoken::Nothing,
        }
    }
    let began = Instant::now();
    let rest = async {
        loop {
            if let Some(spoken) = begun(connection.unread()) {
                return spoken;
            }
            match connection.read_more().await {
                Ok(true) => {}
                Ok(false) | Err(_) => {
                    return Spoken::Refused(Reason::HeadBrokeOff, began.elapsed());
                }
            }
        }
    };
    timeout(timeouts.header, rest)
        .await
        .unwrap_or_else(|_| Spoken::Refused(Reason::HeadTooSlow, began.elapsed()))
}

/// What begins with these bytes; `None` as long as it could be both.
fn begun(bytes: &[u8]) -> Option<Spoken> {
    let known = bytes.len().min(PREFACE.len());
    match bytes[..known] == PREFACE[..known] {
        false => Some(Spoken::Http1),
        true if known == PREFACE.len() => Some(Spoken::Http2),
        true => None,
    }
}
