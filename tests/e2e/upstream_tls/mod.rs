//! TLS to backends: that requests cross it, and what the backend learns of us. Who is believed is in `trusted`, who
//! is not, and why, in `refused`.

mod refused;
mod trusted;

use std::fs;
use std::net::SocketAddr;

use rustls::ProtocolVersion;

use crate::support::{Authority, Backend, Certificate, Client, Proxy, ask, get, ok};

const NAME: &str = "app.test";

/// A file whose one upstream has these backends, and these settings besides.
fn file(backends: &[SocketAddr], settings: &str) -> String {
    let backends: Vec<_> = backends.iter().map(SocketAddr::to_string).collect();
    file_for(&backends.join(", "), settings)
}

fn file_for(backends: &str, settings: &str) -> String {
    format!(
        "listeners:
  - address: 127.0.0.1:0
upstreams:
  hello:
    backends: [{backends}]
    {settings}
routes:
  - upstream: hello
"
    )
}

/// The program, with these files beside its configuration.
fn start(configuration: &str, files: &[(&str, String)]) -> Proxy {
    start_trusting(configuration, files, None)
}

/// The same, where the system trusts the authorities in this one of the files.
fn start_trusting(configuration: &str, files: &[(&str, String)], system: Option<&str>) -> Proxy {
    Proxy::start_with(configuration, |command| {
        let folder = command.get_current_dir().unwrap().to_owned();
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
        if let Some(name) = system {
            command.env("SSL_CERT_FILE", folder.join(name));
            command.env_remove("SSL_CERT_DIR");
        }
    })
}

/// In front of one backend, whose certificate must be for [`NAME`] and issued by `authority`.
fn in_front_of(backend: &Backend, authority: &Authority) -> Proxy {
    start(
        &file(
            &[backend.address()],
            "tls: { ca: ca.pem, server_name: app.test }",
        ),
        &[("ca.pem", authority.pem())],
    )
}

fn answering(certificate: &Certificate) -> Backend {
    Backend::answering_tls(certificate.server(), |_| ok("over TLS"))
}

#[test]
fn requests_are_served_over_tls_with_an_authority_of_one_s_own() {
    let authority = Authority::new("our authority");
    let backend = answering(&authority.issue(&[NAME]));
    let proxy = in_front_of(&backend, &authority);
    let answer = proxy.get("/");
    assert_eq!((answer.status, answer.text().as_str()), (200, "over TLS"));
    let requests = backend.requests();
    // What the backend is told of the client is not changed by how it is spoken to.
    assert_eq!(requests[0].header("Host").as_deref(), Some("a.test"));
    assert_eq!(
        requests[0].header("X-Forwarded-Proto").as_deref(),
        Some("http")
    );
}

#[test]
fn large_bodies_cross_tls_whole_in_both_directions() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering_tls(authority.issue(&[NAME]).server(), |request| {
        let body = String::from_utf8_lossy(&request.body);
        ok(&body)
    });
    let proxy = in_front_of(&backend, &authority);
    let body = "0123456789abcdef".repeat(64 * 1024);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = ask(proxy.address(), head + &body);
    assert!(answer.is_complete);
    assert!(answer.text() == body);
}

#[test]
fn the_client_certificate_is_shown_to_a_backend_that_asks_for_one() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let client = clients.issue(&["evenkeel.test"]);
    for version in [ProtocolVersion::TLSv1_2, ProtocolVersion::TLSv1_3] {
        let config = servers.issue(&[NAME]).server_that(version, Some(&clients));
        let backend = Backend::answering_tls(config, |_| ok("let in"));
        let proxy = start(
            &file(
                &[backend.address()],
                "tls: { ca: ca.pem, server_name: app.test, client_cert: client.pem, client_key: client.key }",
            ),
            &[
                ("ca.pem", servers.pem()),
                ("client.pem", client.pem()),
                ("client.key", client.key_pem()),
            ],
        );
        assert_eq!(proxy.get("/").text(), "let in");
        assert_eq!(backend.handshakes()[0].certificates, [client.der().clone()]);
    }
}

#[test]
fn the_name_that_is_asked_for_is_the_configured_one_or_the_backend_s_as_written() {
    let authority = Authority::new("our authority");
    let certificate = authority.issue(&[NAME, "localhost", "127.0.0.1"]);
    let backend = answering(&certificate);
    let port = backend.address().port();
    for (written, tls, asked) in [
        ("127.0.0.1", "ca: ca.pem, server_name: app.test", Some(NAME)),
        ("localhost", "ca: ca.pem", Some("localhost")),
        // An address is no name to ask for (RFC 6066 §3), and is verified all the same.
        ("127.0.0.1", "ca: ca.pem", None),
    ] {
        let proxy = start(
            &file_for(&format!("'{written}:{port}'"), &format!("tls: {{ {tls} }}")),
            &[("ca.pem", authority.pem())],
        );
        assert_eq!(proxy.get("/").status, 200, "{written} {tls}");
        let seen = backend.handshakes().pop().unwrap().server_name;
        assert_eq!(seen.as_deref(), asked);
    }
}

#[test]
fn connections_over_tls_are_used_again() {
    let authority = Authority::new("our authority");
    let backend = answering(&authority.issue(&[NAME]));
    let proxy = in_front_of(&backend, &authority);
    let mut client = Client::connect(proxy.address());
    for _ in 0..10 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!(answer.status, 200);
    }
    assert_eq!(
        (backend.requests().len(), backend.handshakes().len()),
        (10, 1)
    );
}

/// What has been verified once is not verified again when a session goes on: that must stay within one set of settings.
#[test]
fn sessions_go_on_with_the_system_s_authorities_and_never_under_other_settings() {
    let authority = Authority::new("our authority");
    let backend = Backend::start_tls(authority.issue(&[NAME]).server(), |conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        conversation.wait_for_close();
    });
    let address = backend.address();
    let proxy = start_trusting(
        &format!(
            "listeners:
  - address: 127.0.0.1:0
upstreams:
  careless: {{ backends: [{address}], tls: {{ server_name: app.test, verify: false }} }}
  careful: {{ backends: [{address}], tls: {{ server_name: app.test }} }}
routes:
  - {{ match: {{ path: /careless }}, upstream: careless }}
  - {{ match: {{ path: /careful }}, upstream: careful }}
"
        ),
        &[("system.pem", authority.pem())],
        Some("system.pem"),
    );
    for path in ["/careless", "/careful", "/careful", "/careless"] {
        assert_eq!(get(proxy.address(), path).status, 204);
    }
    let resumed: Vec<_> = backend
        .handshakes()
        .iter()
        .map(|handshake| handshake.is_resumed)
        .collect();
    assert_eq!(resumed, [false, false, true, false]);
}

/// Seen failing with one group of connections for all upstreams: Pingora's pool does not look at `ca`.
#[test]
fn a_connection_is_not_used_again_by_an_upstream_that_would_not_have_made_it() {
    let (authority, other) = (
        Authority::new("our authority"),
        Authority::new("another one"),
    );
    let backend = answering(&authority.issue(&[NAME]));
    let address = backend.address();
    let proxy = start(
        &format!(
            "listeners:
  - address: 127.0.0.1:0
upstreams:
  believing: {{ backends: [{address}], tls: {{ server_name: app.test, ca: ca.pem }} }}
  doubting: {{ backends: [{address}], tls: {{ server_name: app.test, ca: other.pem }} }}
routes:
  - {{ match: {{ path: /believing }}, upstream: believing }}
  - {{ match: {{ path: /doubting }}, upstream: doubting }}
"
        ),
        &[("ca.pem", authority.pem()), ("other.pem", other.pem())],
    );
    for _ in 0..3 {
        assert_eq!(get(proxy.address(), "/believing").status, 200);
        assert_eq!(get(proxy.address(), "/doubting").status, 502);
    }
}

/// A close without TLS's own word for it may have been made by somebody in between (RFC 8446 §6.1).
#[test]
fn an_answer_without_a_length_looks_whole_only_when_it_ends_in_tls_s_own_way() {
    let authority = Authority::new("our authority");
    for ends_in_order in [false, true] {
        let config = authority.issue(&[NAME]).server();
        let backend = Backend::start_tls(config, move |conversation| {
            conversation.request();
            conversation.send("HTTP/1.1 200 OK\r\n\r\nonly this");
            if ends_in_order {
                conversation.end();
            }
        });
        let answer = in_front_of(&backend, &authority).get("/");
        assert_eq!(
            (answer.status, answer.is_complete),
            (200, ends_in_order),
            "{answer:?}"
        );
    }
}
