//! A connection over TLS, as the rest of the server sees it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustls::{ProtocolVersion, ServerConnection};

use super::terminator::HTTP2;
use crate::observe::record::Tls;
use crate::proxy::connection::TlsFacts;
use crate::server::protocol::Agreed;
use crate::server::socket::ClientSocket;
use crate::server::socket::Socket;
use crate::tls::{Chooser, distinguished_name};

/// TLS over a client's socket.
pub(crate) type TlsStream = tokio_rustls::server::TlsStream<ClientSocket>;

impl Socket for TlsStream {
    /// TLS ends in order with a `close_notify` (RFC 8446 §6.1), which is never sent then; the reset is for clients that do not mind.
    fn abort_on_drop(&self) -> io::Result<()> {
        self.get_ref().0.abort_on_drop()
    }

    fn duplicate(&self) -> io::Result<OwnedFd> {
        self.get_ref().0.duplicate()
    }
}

/// What is known of a connection's TLS for its whole life.
pub(crate) fn session(stream: &TlsStream, chooser: Arc<Chooser>) -> TlsFacts {
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    TlsFacts {
        session: Tls {
            protocol: protocol(session),
            cipher: cipher(session),
            server_name: session.server_name().map(str::to_owned),
            has_client_certificate: certificate.is_some(),
            client_subject: certificate.and_then(distinguished_name),
        },
        chooser,
    }
}

/// Which version of HTTP the handshake came to.
pub(crate) fn agreed(stream: &TlsStream) -> Agreed {
    let (_, session) = stream.get_ref();
    match session.alpn_protocol() {
        Some(HTTP2) => Agreed::Http2,
        _ => Agreed::Nothing,
    }
}

/// As OpenSSL, and so nginx, calls it.
fn protocol(session: &ServerConnection) -> &'static str {
    match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "",
    }
}

/// The name of the IANA's registry, which for TLS 1.3 is that of OpenSSL too: `TLS_AES_128_GCM_SHA256`.
fn cipher(session: &ServerConnection) -> String {
    let suite = session.negotiated_cipher_suite();
    let name = suite.and_then(|suite| suite.suite().as_str());
    name.map(|name| name.replacen("TLS13_", "TLS_", 1))
        .unwrap_or_default()
}
