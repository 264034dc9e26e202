//! Clients with which TLS does not come about: what the log says of them, and what those are told that have not even tried.

use std::io;

use http::StatusCode;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::proxy::turned_away::{Asked, Origin, Reason, Reporter};
use crate::semantics::request_line;
use crate::server::connection::LINGER;
use crate::server::socket::ClientSocket;

/// What of a plain request is read before it is answered, so that closing does not reset the connection.
const HEAD: usize = 4 * 1024;

/// Whether the first byte that comes is one that HTTP begins with and TLS does not.
///
/// # Errors
/// The client is gone.
pub(super) async fn speaks_http(client: &ClientSocket) -> io::Result<bool> {
    let mut first = [0];
    let seen = client.peek(&mut first).await?;
    Ok(seen == 1 && first.iter().all(u8::is_ascii_uppercase))
}

/// Tells a client that speaks HTTP in the clear what it should do.
pub(crate) async fn refuse_http(reporter: &Reporter, origin: Origin<'_>, mut client: ClientSocket) {
    let mut head = [0; HEAD];
    let why = Reason::InTheClear;
    let (answer, sent) = reporter.answer(StatusCode::BAD_REQUEST, why.sentence());
    let told = async {
        let read = client.read(&mut head).await?;
        client.write_all(&answer).await?;
        client.shutdown().await?;
        io::Result::Ok(read)
    };
    if let Ok(Ok(read)) = timeout(LINGER, told).await {
        let asked = Asked {
            line: request_line::read(&head[..read]),
            bytes: read as u64,
            ..Asked::default()
        };
        reporter.report(origin, why, &asked, &sent);
    }
}

/// Why there was no handshake, in words; `None` for a client that just went away.
pub(crate) fn why(error: &io::Error) -> Option<String> {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    let Some(inner) = inner else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => None,
            _ => Some(error.to_string()),
        };
    };
    Some(match inner {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS".to_owned()
        }
        Error::AlertReceived(alert) => refused(*alert),
        Error::NoCertificatesPresented => {
            "it shows no certificate, and `client_ca` asks for one".to_owned()
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate was issued by nobody in `client_ca`".to_owned()
        }
        Error::InvalidCertificate(error) => format!("its certificate is not accepted: {error:?}"),
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered | PeerIncompatible::Tls13RequiredForQuic,
        ) => "it speaks no version of TLS that is spoken here".to_owned(),
        Error::PeerIncompatible(reason) => format!("it has nothing in common with us: {reason:?}"),
        Error::NoApplicationProtocol => {
            "it speaks no protocol that is spoken here (ALPN)".to_owned()
        }
        other => other.to_string(),
    })
}

fn refused(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnknownCA => "it does not know who has issued our certificate".to_owned(),
        AlertDescription::CertificateExpired => {
            "it says that our certificate has expired".to_owned()
        }
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "it does not accept our certificate".to_owned()
        }
        other => format!("it has sent the alert {other:?}"),
    }
}
