//! The header of the PROXY protocol, before anything else that a client sends.
//!
//! It is looked at before it is taken from the socket, so that exactly the header is taken: what follows is TLS or HTTP, and reads the socket
//! itself. Only bytes that could have been a header and then were none have to be carried on.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::socket::ClientSocket;
use crate::config::ProxyProtocol;
use crate::semantics::end::End;
use crate::semantics::proxy_protocol::{self, Refused};

/// From the connection to the end of the header.
const DEADLINE: Duration = Duration::from_secs(5);

/// So much of a header is looked at a time; nearly all are shorter.
const PIECE: usize = 512;

/// Who a client is.
#[derive(Debug)]
pub(super) struct Introduced {
    /// Its address: the header's, or else the connection's.
    pub(super) peer: End,
    /// What was read of it and is no header.
    pub(super) unread: Vec<u8>,
}

impl Introduced {
    /// Nothing was said.
    pub(super) fn as_connected(peer: End) -> Self {
        Self {
            peer,
            unread: Vec::new(),
        }
    }
}

/// Why a client is not believed to be anybody.
#[derive(Debug)]
pub(super) enum Unknown {
    /// There must be a header, and this peer's would not be believed.
    NotTrusted,
    /// There must be a header, and there is none.
    Absent,
    /// The header breaks the rules of the protocol.
    Malformed(&'static str),
    /// The header has not come.
    TooSlow,
    /// The peer went away.
    Gone,
}

/// Learns who the client is, from a peer that is trusted or not.
///
/// # Errors
/// The listener lets nobody in whom it does not know.
pub(super) async fn introduce(
    client: &mut ClientSocket,
    peer: End,
    is_trusted: bool,
    mode: ProxyProtocol,
) -> Result<Introduced, Unknown> {
    match mode {
        ProxyProtocol::Off => return Ok(Introduced::as_connected(peer)),
        ProxyProtocol::Accept if !is_trusted => return Ok(Introduced::as_connected(peer)),
        ProxyProtocol::Require if !is_trusted => return Err(Unknown::NotTrusted),
        ProxyProtocol::Accept | ProxyProtocol::Require => {}
    }
    let introduced = timeout(DEADLINE, read(client, peer)).await;
    match introduced.map_err(|_| Unknown::TooSlow)? {
        Ok((introduced, has_header)) => match mode {
            ProxyProtocol::Require if !has_header => Err(Unknown::Absent),
            _ => Ok(introduced),
        },
        Err(unknown) => Err(unknown),
    }
}

/// Reads the header, and says whether there is one.
async fn read(client: &mut ClientSocket, peer: End) -> Result<(Introduced, bool), Unknown> {
    let mut seen = Vec::new();
    let mut piece = [0; PIECE];
    loop {
        let taken = seen.len();
        let count = client.peek(&mut piece).await?;
        if count == 0 {
            return Err(Unknown::Gone);
        }
        seen.extend_from_slice(&piece[..count]);
        let header = match proxy_protocol::read(&seen) {
            Ok(header) => header,
            Err(Refused::Malformed(why)) => return Err(Unknown::Malformed(why)),
            Err(Refused::Absent) => {
                seen.truncate(taken);
                let unread = seen;
                return Ok((Introduced { peer, unread }, false));
            }
        };
        let of_header = header.map_or(count, |header| header.length.saturating_sub(taken));
        client
            .read_exact(&mut piece[..of_header.min(count)])
            .await?;
        if let Some(header) = header {
            let said = header.endpoints.map(|ends| ends.source);
            let peer = said.map_or(peer, |said| {
                SocketAddr::new(said.ip().to_canonical(), said.port()).into()
            });
            return Ok((Introduced::as_connected(peer), true));
        }
    }
}

impl From<io::Error> for Unknown {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTrusted => formatter.write_str("the peer is none of trusted_proxies"),
            Self::Absent => formatter.write_str("what it sends begins otherwise"),
            Self::Malformed(why) => write!(formatter, "the header is malformed: {why}"),
            Self::TooSlow => formatter.write_str("the header took too long"),
            Self::Gone => formatter.write_str("it went away"),
        }
    }
}
