//! `timeouts` of a listener: how long clients are waited for.

use super::duration::{DAY, MILLISECOND};
use super::reader::Reader;
use super::section::section;
use super::spot::Spot;
use std::time::Duration;

/// How long clients are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerTimeouts {
    /// For the whole head of a request, from its first byte.
    pub header: Duration,
    /// Between two reads of a request's body.
    pub body: Duration,
    /// For a request, on a connection that has none.
    pub idle: Duration,
    /// Between two writes of an answer.
    pub write: Duration,
    /// For TLS, from the connection to the end of the handshake.
    pub tls_handshake: Duration,
}

section! {
    /// How long clients are waited for.
    pub(super) struct ListenerTimeoutsEntry {
        /// For the whole head of a request, from its first byte; the client is then answered 408.
        header: Duration [MILLISECOND..=DAY] = Duration::from_secs(10),
        /// Between two reads of the body of a request; the client is then answered 408.
        body: Duration [MILLISECOND..=DAY] = Duration::from_secs(30),
        /// For a request, on a connection that has none; the connection is then closed.
        idle: Duration [MILLISECOND..=DAY] = Duration::from_secs(60),
        /// Between two writes of an answer; the connection of a client that takes nothing for so long is cut.
        write: Duration [MILLISECOND..=DAY] = Duration::from_secs(60),
        /// For the handshake of TLS, from the connection to its end; the connection is then closed.
        tls_handshake: Spot<Duration> [MILLISECOND..=DAY] = Spot::default_value(Duration::from_secs(10)),
    }
}

impl ListenerTimeoutsEntry {
    /// The settings, once it is seen that each has something to limit.
    pub(super) fn build(self, has_tls: bool, reader: &mut Reader<'_>) -> ListenerTimeouts {
        if let Some(place) = &self.tls_handshake.place
            && !has_tls
        {
            reader.fault_at(
                place,
                "clients speak in the clear here, so there is no handshake; add `tls` to the listener, or remove this",
            );
        }
        ListenerTimeouts {
            header: self.header,
            body: self.body,
            idle: self.idle,
            write: self.write,
            tls_handshake: self.tls_handshake.value,
        }
    }
}
