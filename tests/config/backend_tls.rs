//! What `tls` of an upstream means, and what its files must hold.

use evenkeel::config::{self, Surroundings, Tls, Trust, Upstream};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The file with one upstream that has these settings. It names files that `files` has.
fn parse(
    settings: &str,
    files: &dyn Fn(&Path) -> io::Result<Vec<u8>>,
) -> Result<Upstream, config::Faults> {
    let text = format!(
        "listeners: [{{ address: 127.0.0.1:80 }}]\nroutes: [{{ upstream: web }}]\n\
         upstreams: {{ web: {{ backends: [app.test:443, 192.0.2.1:443, '[2001:db8::1]:443'], {settings} }} }}\n"
    );
    let surroundings = Surroundings {
        folder: std::path::Path::new(""),
        environment: &|_| None,
        files,
        vocabulary: &config::Vocabulary::default(),
    };
    let config = config::parse_with("test.yaml", &text, &surroundings)?;
    Ok(config.into_inner().upstreams.remove(0))
}

fn nothing(_: &Path) -> io::Result<Vec<u8>> {
    Err(ErrorKind::NotFound.into())
}

fn tls(settings: &str) -> Option<Tls> {
    let upstream = parse(settings, &nothing);
    upstream.unwrap_or_else(|faults| panic!("{faults}")).tls
}

/// A certificate with its key that is valid in 2026 only.
fn identity() -> String {
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new(["any.test".to_owned()]).expect("a name");
    parameters.not_before = date_time_ymd(2026, 1, 1);
    parameters.not_after = date_time_ymd(2026, 12, 31);
    let certificate = parameters.self_signed(&key).expect("a certificate");
    certificate.pem() + &key.serialize_pem()
}

fn january_2027() -> SystemTime {
    let seconds = date_time_ymd(2027, 1, 1).unix_timestamp();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs())
}

/// What is warned of in January 2027 about an upstream with these settings, where every file is `file`.
fn warnings(settings: &str, file: &str) -> Vec<String> {
    let text = format!(
        "listeners: [{{ address: 127.0.0.1:80 }}]\nroutes: [{{ upstream: web }}]\n\
         upstreams: {{ web: {{ backends: [app.test:443], tls: {settings} }} }}\n"
    );
    let surroundings = Surroundings {
        folder: std::path::Path::new(""),
        environment: &|_| None,
        files: &|_| Ok(file.as_bytes().to_vec()),
        vocabulary: &config::Vocabulary::default(),
    };
    let config = config::parse_with("test.yaml", &text, &surroundings);
    let config = config.unwrap_or_else(|faults| panic!("{faults}"));
    config.warnings(january_2027())
}

#[test]
fn tls_is_off_unless_it_is_switched_on() {
    assert_eq!(tls("balance: random"), None);
    assert_eq!(tls("tls: off"), None);
    let on = tls("tls: {}").expect("TLS");
    assert_eq!(
        (on.server_name.as_deref(), &on.trust, &on.identity),
        (None, &Trust::System, &None)
    );
}

#[test]
fn a_backend_is_asked_for_by_its_name_or_address_as_written_or_by_the_configured_name() {
    let upstream = parse("tls: {}", &nothing).expect("a good file");
    let names = |tls: &Tls| -> Vec<_> {
        let backends = upstream.backends.iter();
        backends
            .map(|backend| tls.name_of(&backend.address))
            .collect()
    };
    let own = tls("tls: {}").expect("TLS");
    assert_eq!(names(&own), ["app.test", "192.0.2.1", "2001:db8::1"]);
    for name in ["app.internal", "192.0.2.7", "2001:db8::7"] {
        let other = tls(&format!("tls: {{ server_name: '{name}' }}")).expect("TLS");
        assert_eq!(names(&other), [name; 3]);
    }
}

#[test]
fn files_are_read_at_the_path_that_is_written() {
    let file = identity();
    let read = |path: &Path| match path.to_str() {
        Some("certs/ca.pem" | "/run/client.pem" | "../client.key") => Ok(file.clone().into_bytes()),
        _ => nothing(path),
    };
    let settings =
        "tls: { ca: certs/ca.pem, client_cert: /run/client.pem, client_key: ../client.key }";
    let tls = parse(settings, &read)
        .expect("a good file")
        .tls
        .expect("TLS");
    assert!(matches!(tls.trust, Trust::These(_)));
    assert!(tls.identity.is_some());
}

#[test]
fn a_key_that_is_not_the_certificate_s_is_refused_where_it_is_named() {
    let (one, other) = (identity(), identity());
    let read = |path: &Path| {
        Ok(if path == "client.pem" { &one } else { &other }
            .clone()
            .into_bytes())
    };
    let faults = parse(
        "tls: { client_cert: client.pem, client_key: client.key }",
        &read,
    );
    let faults = faults.expect_err("a fault");
    let fault = faults.iter().next().expect("one");
    assert_eq!(fault.path, "upstreams.web.tls.client_key");
    assert!(
        fault
            .message
            .starts_with("\"client.key\" holds another key"),
        "{fault}"
    );
    assert_eq!(faults.iter().count(), 1);
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_for_every_reason() {
    for (kind, words) in [
        (ErrorKind::NotFound, "there is no file \"ca.pem\""),
        (ErrorKind::PermissionDenied, "may not read \"ca.pem\""),
        (ErrorKind::IsADirectory, "\"ca.pem\" is a directory"),
        (ErrorKind::FileTooLarge, "\"ca.pem\" is larger than 4 MiB"),
        (ErrorKind::TimedOut, "\"ca.pem\" cannot be read: timed out"),
    ] {
        let read = |_: &Path| Err(kind.into());
        let faults = parse("tls: { ca: ca.pem }", &read).expect_err("a fault");
        assert!(faults.to_string().contains(words), "{faults}");
    }
}

#[test]
fn good_settings_are_not_warned_of() {
    assert_eq!(warnings("{}", ""), [""; 0]);
    assert_eq!(warnings("off", ""), [""; 0]);
}

#[test]
fn verifying_nothing_is_warned_of_once() {
    let warnings = warnings("{ verify: false }", "");
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("upstreams.web.tls.verify: false: "));
}

#[test]
fn what_has_expired_is_warned_of_and_no_fault() {
    let file = identity();
    let authority = warnings("{ ca: a.pem }", &file);
    assert_eq!(authority.len(), 1);
    let start = "upstreams.web.tls.ca: the certificate has expired on 2026-12-31; ";
    assert!(authority[0].starts_with(start), "{authority:?}");
    let client = warnings("{ client_cert: a.pem, client_key: a.pem }", &file);
    assert_eq!(client.len(), 1);
    let start = "upstreams.web.tls.client_cert: the certificate has expired on 2026-12-31; ";
    assert!(client[0].starts_with(start), "{client:?}");
}

#[test]
fn of_many_certificates_it_is_said_how_many_have_expired() {
    let valid = rcgen::generate_simple_self_signed(["b.test".to_owned()]).expect("a certificate");
    let file = valid.cert.pem() + &identity() + &identity();
    let warnings = warnings("{ ca: a.pem }", &file);
    let words =
        "2 of the 3 certificates are out of date; the first of these has expired on 2026-12-31";
    assert!(warnings[0].contains(words), "{warnings:?}");
}
