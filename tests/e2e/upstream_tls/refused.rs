//! Backends that TLS does not come about with: the answer, the reason in the log, and that another backend is tried.

use rcgen::{BasicConstraints, CertificateParams, IsCa};
use rustls::ProtocolVersion;

use super::{NAME, answering, file, file_for, in_front_of, start};
use crate::support::{
    Authority, Backend, Certificate, Client, Conversation, DnsServer, Proxy, ask, eventually,
    expired, ok,
};

/// One GET fails with this status and error, and the log gives this reason, as the end of its line.
fn assert_refused(proxy: &Proxy, status: u16, error: &str, reason: &str) {
    let answer = proxy.get("/");
    assert_eq!(answer.status, status, "{answer:?}");
    let proxy_status = answer.header("Proxy-Status").unwrap();
    assert_eq!(proxy_status, format!("evenkeel; error={error}"));
    let logged = proxy.logged(|line| line["status"] == status);
    assert_eq!(logged["error"], error);
    let line = proxy.stderr.find("the failed request in the log", |line| {
        line.contains(&format!("answered {status}: {error}"))
            .then(|| line.to_owned())
    });
    assert!(line.ends_with(&format!(": {reason}")), "{line}");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new("our authority");
    let backend = answering(&authority.issue(&["other.test"]));
    assert_refused(
        &in_front_of(&backend, &authority),
        502,
        "tls_certificate_error",
        "its certificate is for other.test, not for app.test",
    );
    assert!(backend.requests().is_empty());
}

#[test]
fn an_expired_certificate_is_refused() {
    let authority = Authority::new("our authority");
    let backend = answering(&authority.issue_with(&[NAME], expired));
    assert_refused(
        &in_front_of(&backend, &authority),
        502,
        "tls_certificate_error",
        "its certificate has expired on 2024-05-01",
    );
    assert!(backend.requests().is_empty());
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let authority = Authority::new("our authority");
    let backend = answering(&Authority::new("another one").issue(&[NAME]));
    assert_refused(
        &in_front_of(&backend, &authority),
        502,
        "tls_certificate_error",
        "its certificate was issued by an unknown authority",
    );
}

#[test]
fn a_certificate_of_an_impostor_with_the_authority_s_name_is_refused() {
    let authority = Authority::new("our authority");
    let backend = answering(&Authority::new("our authority").issue(&[NAME]));
    let proxy = in_front_of(&backend, &authority);
    let answer = proxy.get("/");
    assert_eq!(answer.status, 502);
    assert!(backend.requests().is_empty());
}

/// What `openssl req -x509` makes by default.
#[test]
fn a_self_signed_certificate_that_is_an_authority_s_is_refused_with_the_reason() {
    let itself = Certificate::self_signed(&[NAME], |parameters: &mut CertificateParams| {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let backend = answering(&itself);
    let settings = "tls: { ca: ca.pem, server_name: app.test }";
    let proxy = start(
        &file(&[backend.address()], settings),
        &[("ca.pem", itself.pem())],
    );
    assert_refused(
        &proxy,
        502,
        "tls_certificate_error",
        "its certificate is that of an authority (CA:TRUE), which may not be a server's own",
    );
}

/// With TLS 1.3 the backend says so when the handshake looks complete to the proxy.
#[test]
fn a_backend_that_misses_a_client_certificate_is_answered_502_with_the_reason() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    for version in [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3] {
        let config = servers.issue(&[NAME]).server_that(version, Some(&clients));
        let backend = Backend::answering_tls(config, |_| ok("let in"));
        assert_refused(
            &in_front_of(&backend, &servers),
            502,
            "tls_alert_received",
            "it asks for a client certificate (`client_cert`)",
        );
        assert!(backend.requests().is_empty());
    }
}

#[test]
fn an_address_is_verified_like_a_name() {
    let authority = Authority::new("our authority");
    let backend = answering(&authority.issue(&[NAME, "127.0.0.2"]));
    let proxy = start(
        &file(&[backend.address()], "tls: { ca: ca.pem }"),
        &[("ca.pem", authority.pem())],
    );
    assert_refused(
        &proxy,
        502,
        "tls_certificate_error",
        "its certificate is for app.test, 127.0.0.2, not for 127.0.0.1",
    );
}

#[test]
fn a_backend_in_the_clear_where_tls_is_configured_is_answered_502_with_the_reason() {
    let plain = Backend::start(|conversation: &mut Conversation| {
        conversation.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        conversation.wait_for_close();
    });
    assert_refused(
        &in_front_of(&plain, &Authority::new("our authority")),
        502,
        "tls_protocol_error",
        "it does not speak TLS",
    );
    assert!(plain.requests().is_empty());
}

#[test]
fn a_backend_that_closes_during_the_handshake_is_answered_502_with_the_reason() {
    let closing = Backend::start(|conversation: &mut Conversation| conversation.wait_for(b"\x16"));
    let proxy = in_front_of(&closing, &Authority::new("our authority"));
    let answer = proxy.get("/");
    assert_eq!(
        answer.header("Proxy-Status"),
        Some("evenkeel; error=tls_protocol_error")
    );
    proxy.stderr.find("a question about TLS", |line| {
        line.ends_with("during the TLS handshake; does it speak TLS?")
            .then_some(())
    });
}

#[test]
fn a_backend_with_tls_where_none_is_configured_is_answered_502_with_the_reason() {
    let authority = Authority::new("our authority");
    let backend = answering(&authority.issue(&[NAME]));
    let proxy = start(&file(&[backend.address()], "tls: off"), &[]);
    let answer = proxy.get("/");
    assert_eq!(
        answer.header("Proxy-Status"),
        Some("evenkeel; error=http_protocol_error")
    );
    let line = proxy.stderr.find("the failed request", |line| {
        line.contains("http_protocol_error")
            .then(|| line.to_owned())
    });
    let reason = ": it answers in TLS, which is off here; `tls: {}` in its upstream switches it on";
    assert!(line.ends_with(reason), "{line}");
}

#[test]
fn a_handshake_that_hangs_is_answered_504() {
    let hanging = Backend::start(Conversation::wait_for_close);
    let settings = "tls: {}
    timeouts: { connect: 200ms }";
    let proxy = start(&file(&[hanging.address()], settings), &[]);
    let answer = proxy.get("/");
    assert_eq!(answer.status, 504);
    assert_eq!(
        answer.header("Proxy-Status"),
        Some("evenkeel; error=connection_timeout")
    );
}

#[test]
fn a_backend_that_cannot_be_believed_is_passed_over_for_one_that_can() {
    let authority = Authority::new("our authority");
    let hopeless = [
        answering(&authority.issue_with(&[NAME], expired)),
        answering(&Authority::new("another one").issue(&[NAME])),
        answering(&authority.issue(&["other.test"])),
    ];
    let good = answering(&authority.issue(&[NAME]));
    let addresses: Vec<_> = hopeless
        .iter()
        .chain([&good])
        .map(Backend::address)
        .collect();
    let proxy = start(
        &file(&addresses, "tls: { ca: ca.pem, server_name: app.test }"),
        &[("ca.pem", authority.pem())],
    );
    // Nothing of the request was sent, so any method may go on.
    for _ in 0..8 {
        let request = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(ask(proxy.address(), request).status, 200);
    }
    assert_eq!(good.requests().len(), 8);
    assert!(hopeless.iter().all(|backend| backend.requests().is_empty()));
}

/// Dates that are none make Pingora panic once the handshake is done (`get_organization_serial_bytes`); only where nothing is
/// verified does it come that far.
#[test]
fn a_certificate_that_pingora_cannot_read_costs_its_request_and_nothing_else() {
    let certificate = Authority::new("our authority").issue(&[NAME]);
    let broken = certificate.with_bytes(b"750101000000Z", b"75010100000?Z");
    let backend = answering(&broken);
    let address = backend.address();
    let proxy = start(
        &file_for(
            &format!("{{ address: {address}, max_requests: 1 }}"),
            "tls: { verify: false }",
        ),
        &[],
    );
    // The second one would be answered 503 if the first were still counted.
    for _ in 0..2 {
        let mut client = Client::connect(proxy.address());
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert!(client.try_answer().is_err());
    }
}

/// Seen failing with connections kept by address alone: the former name's one goes on.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs 127.0.0.9")]
fn a_connection_is_not_used_again_under_a_name_that_its_certificate_is_not_for() {
    let authority = Authority::new("our authority");
    let backend = answering(&authority.issue(&["old.test"]));
    let port = backend.address().port();
    let dns = DnsServer::start();
    dns.set_addresses("old.test", 1, &["127.0.0.1"]);
    dns.set_addresses("new.test", 1, &["127.0.0.9"]);
    let file = file_for(
        &format!("\"old.test:{port}\", \"new.test:{port}\""),
        "tls: { ca: ca.pem }\n    outlier: off",
    );
    let resolver = format!("resolver: {{ servers: [{}] }}\n", dns.address());
    let proxy = start(&(resolver + &file), &[("ca.pem", authority.pem())]);
    // Nobody is at the other address: whoever is sent there goes on to this one.
    assert_eq!(proxy.get("/").status, 200);
    dns.set_addresses("new.test", 1, &["127.0.0.1"]);
    dns.set_addresses("old.test", 1, &["127.0.0.9"]);
    // The names are asked for apart: until both answers are in, each may be refused for another reason, or the old name answer.
    eventually("the address is held to its new name", || {
        let status = proxy.get("/").status;
        let reasons = proxy.stderr.all();
        let reason = "its certificate is for old.test, not for new.test";
        status == 502 && reasons.iter().any(|line| line.contains(reason))
    });
}
