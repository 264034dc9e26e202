//! No TLS with the backend.

use rcgen::CertificateParams;
use rustls::ProtocolVersion;

use super::rows;
use super::scenario::Scenario;
use crate::support::{Authority, Backend, Certificate, Conversation, expired, ok};

rows! {
    wrong_name = "the backend's certificate is for another name",
    out_of_date = "the backend's certificate has expired",
    unknown_issuer = "the backend's certificate was issued by an unknown authority",
    in_the_clear = "the backend does not speak TLS",
    closes = "the backend closes during the TLS handshake",
    wants_certificate_early = "the backend asks for a client certificate over TLS 1.2, and there is no tls.client_cert",
    wants_certificate_late = "the backend asks for a client certificate over TLS 1.3, and there is no tls.client_cert",
}

const NAME: &str = "app.test";

fn issued(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Scenario {
    let authority = Authority::new("our authority");
    let certificate = authority.issue_with(names, change);
    presenting(&certificate, &authority)
}

/// A backend with this certificate, and a proxy that trusts this authority.
fn presenting(certificate: &Certificate, trusted: &Authority) -> Scenario {
    let backend = Backend::answering_tls(certificate.server(), |_| ok("failing"));
    Scenario::of(backend).over_tls(trusted, NAME)
}

fn wrong_name() -> Scenario {
    issued(&["other.test"], |_| {})
}

fn out_of_date() -> Scenario {
    issued(&[NAME], expired)
}

fn unknown_issuer() -> Scenario {
    let stranger = Authority::new("a stranger");
    presenting(&stranger.issue(&[NAME]), &Authority::new("our authority"))
}

fn in_the_clear() -> Scenario {
    let backend = Backend::start(|conversation: &mut Conversation| {
        conversation.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        conversation.wait_for_close();
    });
    Scenario::of(backend).over_tls(&Authority::new("our authority"), NAME)
}

fn closes() -> Scenario {
    let backend = Backend::start(|conversation: &mut Conversation| conversation.wait_for(b"\x16"));
    Scenario::of(backend).over_tls(&Authority::new("our authority"), NAME)
}

fn wants_certificate_early() -> Scenario {
    wants_certificate(ProtocolVersion::TLSv1_2)
}

/// The backend says so when the handshake looks complete to the proxy.
fn wants_certificate_late() -> Scenario {
    wants_certificate(ProtocolVersion::TLSv1_3)
}

fn wants_certificate(version: ProtocolVersion) -> Scenario {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let config = servers.issue(&[NAME]).server_that(version, Some(&clients));
    let backend = Backend::answering_tls(config, |_| ok("failing"));
    Scenario::of(backend).over_tls(&servers, NAME)
}
