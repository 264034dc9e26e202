use std::io;
use std::sync::Arc;
use std::time::Duration;

use pingora_core::{Error, ErrorType, OrErr};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, InvalidMessage, OtherError, PeerIncompatible};

use super::{Refusal, RefusalKind};

/// The error that Pingora makes of what rustls says, step by step as it does.
fn from_pingora(cause: io::Error) -> Box<Error> {
    let inner = Err::<(), _>(cause)
        .or_err(ErrorType::TLSHandshakeFailure, "tls connect error")
        .unwrap_err();
    let context = format!("TLS connect() failed: {inner}, SNI: app.test");
    let outer: pingora_core::Result<()> = Error::e_explain(ErrorType::TLSHandshakeFailure, context);
    outer.unwrap_err()
}

fn rustls_says(error: rustls::Error) -> Refusal {
    let error = io::Error::new(io::ErrorKind::InvalidData, error);
    Refusal::of(&from_pingora(error)).unwrap()
}

fn certificate(error: CertificateError) -> String {
    let refusal = rustls_says(rustls::Error::InvalidCertificate(error));
    assert_eq!(refusal.kind, RefusalKind::Certificate);
    refusal.to_string()
}

fn alert(alert: AlertDescription) -> String {
    let refusal = rustls_says(rustls::Error::AlertReceived(alert));
    assert_eq!(refusal.kind, RefusalKind::Alert);
    refusal.to_string()
}

fn protocol(error: io::Error) -> String {
    let refusal = Refusal::of(&from_pingora(error)).unwrap();
    assert_eq!(refusal.kind, RefusalKind::Protocol);
    refusal.to_string()
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn wrong_name(presented: &[&str]) -> String {
    certificate(CertificateError::NotValidForNameContext {
        expected: ServerName::try_from("app.test").unwrap(),
        presented: presented.iter().map(|name| (*name).to_owned()).collect(),
    })
}

#[test]
fn a_certificate_out_of_its_time_is_told_with_the_date() {
    let (time, day) = (at(1_800_000_000), at(1_714_521_600));
    assert_eq!(
        certificate(CertificateError::ExpiredContext {
            time,
            not_after: day
        }),
        "its certificate has expired on 2024-05-01"
    );
    assert_eq!(
        certificate(CertificateError::NotValidYetContext {
            time,
            not_before: day
        }),
        "its certificate is not valid before 2024-05-01; is the clock right?"
    );
    assert_eq!(
        certificate(CertificateError::Expired),
        "its certificate has expired"
    );
}

#[test]
fn a_wrong_name_is_told_with_both_names() {
    assert_eq!(
        wrong_name(&["DnsName(\"other.test\")"]),
        "its certificate is for other.test, not for app.test"
    );
    assert_eq!(
        wrong_name(&["DnsName(\"other.test\")", "IpAddress(192.0.2.1)"]),
        "its certificate is for other.test, 192.0.2.1, not for app.test"
    );
    assert_eq!(
        wrong_name(&["a", "b", "c", "d", "e"]),
        "its certificate is for a, b, c and 2 more, not for app.test"
    );
    assert_eq!(
        wrong_name(&[]),
        "its certificate is for no name at all (subjectAltName), and not for app.test"
    );
}

#[test]
fn a_name_cannot_break_the_line_of_the_log() {
    let words = wrong_name(&["DnsName(\"a\nWARN \u{1b}[31mall is well\")"]);
    assert!(!words.contains(char::is_control), "{words:?}");
}

#[test]
fn an_authority_that_is_not_known_is_told_apart_from_one_that_did_not_sign() {
    assert_eq!(
        certificate(CertificateError::UnknownIssuer),
        "its certificate was issued by an unknown authority"
    );
    assert_eq!(
        certificate(CertificateError::BadSignature),
        "its certificate was not signed by the authority that it names"
    );
    assert!(certificate(CertificateError::Revoked).ends_with(": Revoked"));
}

/// rustls wraps an error of webpki here, which prints as this does.
#[test]
fn the_certificate_of_an_authority_itself_is_told_as_such() {
    #[derive(Debug, Clone, Copy)]
    struct CaUsedAsEndEntity;
    impl std::fmt::Display for CaUsedAsEndEntity {
        fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(out, "{self:?}")
        }
    }
    impl std::error::Error for CaUsedAsEndEntity {}
    let error = CertificateError::Other(OtherError(Arc::new(CaUsedAsEndEntity)));
    assert!(certificate(error).contains("(CA:TRUE)"));
}

#[test]
fn an_alert_is_told_with_what_the_backend_misses() {
    assert!(alert(AlertDescription::CertificateRequired).contains("`client_cert`"));
    assert!(alert(AlertDescription::UnknownCA).contains("client certificate"));
    assert!(alert(AlertDescription::UnrecognisedName).contains("app.test (`server_name`)"));
    assert!(alert(AlertDescription::ProtocolVersion).contains("no version of TLS"));
    assert!(alert(AlertDescription::HandshakeFailure).contains("no cipher"));
    assert!(alert(AlertDescription::NoApplicationProtocol).contains("`protocol`"));
    assert_eq!(
        alert(AlertDescription::InternalError),
        "it ended TLS (alert InternalError)"
    );
}

#[test]
fn what_is_no_handshake_is_told_as_such() {
    let rustls = |error: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error);
    assert_eq!(
        protocol(rustls(rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
        ))),
        "it does not speak TLS"
    );
    assert!(
        protocol(rustls(rustls::Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
        )))
        .starts_with("it has no version or cipher of TLS in common with us")
    );
    assert_eq!(
        protocol(rustls(rustls::Error::NoCertificatesPresented)),
        "it has no certificate"
    );
    let eof = io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof");
    assert!(protocol(eof).starts_with("it closed the connection"));
    let reset = io::Error::from_raw_os_error(rustix::io::Errno::CONNRESET.raw_os_error());
    assert!(protocol(reset).starts_with("it reset the connection"));
    assert!(protocol(io::Error::other("something new")).ends_with(": something new"));
}

#[test]
fn an_alert_after_the_handshake_is_found_inside_of_the_error() {
    let alert = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
    let error = Err::<(), _>(io::Error::new(io::ErrorKind::InvalidData, alert))
        .or_err(ErrorType::ReadError, "while reading response headers")
        .unwrap_err();
    let refusal = Refusal::of(&error).unwrap();
    assert_eq!(refusal.kind, RefusalKind::Alert);
    assert!(refusal.to_string().contains("client certificate"));
}

#[test]
fn tls_in_the_place_of_an_answer_is_told_as_such() {
    let context = format!("buf: {}", b"\x15\x03\x03\x00\x02\x022".escape_ascii());
    let error = Error::explain(ErrorType::InvalidHTTPHeader, context);
    assert!(
        Refusal::of(&error)
            .unwrap()
            .to_string()
            .contains("`tls: {}`")
    );
}

#[test]
fn what_is_not_about_tls_is_left_alone() {
    let error = Error::explain(ErrorType::ConnectRefused, "TLS or not");
    assert_eq!(Refusal::of(&error), None);
    let error = Err::<(), _>(io::Error::other("reset"))
        .or_err(ErrorType::ReadError, "reading")
        .unwrap_err();
    assert_eq!(Refusal::of(&error), None);
}
