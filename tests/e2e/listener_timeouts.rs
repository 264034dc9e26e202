//! How long clients are waited for, as each listener has it. That a client's slowness is never a backend's fault is seen here and in
//! `faults`.

use std::fs;

use crate::support::{Authority, Backend, Client, Proxy, in_front_of, ok, upstream_of};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// More than the kernel holds for both ends of a connection.
const LARGE: usize = 32 * 1024 * 1024;

/// `file` with these timeouts at its listener.
fn with(file: &str, timeouts: &str) -> String {
    let address = "  - address: 127.0.0.1:0\n";
    file.replacen(
        address,
        &format!("{address}    timeouts: {{ {timeouts} }}\n"),
        1,
    )
}

fn answering(timeouts: &str) -> Proxy {
    let file =
        "listeners:\n  - address: 127.0.0.1:0\nroutes:\n  - respond: { status: 200, body: fine }\n";
    Proxy::start(&with(file, timeouts))
}

fn large() -> Backend {
    let body = "x".repeat(LARGE);
    Backend::answering(move |_| ok(&body))
}

/// Seen failing with the deadline begun again by each byte that comes.
#[test]
fn a_head_that_drips_is_answered_408_when_the_time_for_the_whole_head_is_over() {
    let proxy = answering("header: 300ms");
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-Drip: ");
    client.drip(b"x");
    let answer = client.answer();
    assert_eq!(answer.status, 408, "{answer:?}");
    let error = answer.header("Proxy-Status");
    assert_eq!(error, Some("evenkeel; error=http_request_error"));
}

#[test]
fn a_client_that_stops_within_its_body_is_answered_408_and_no_backend_is_blamed() {
    let backend = Backend::start(|conversation| {
        conversation.head();
        conversation.wait_for_close();
    });
    let keys = "outlier: { failures: 1 }";
    let proxy = Proxy::start(&with(
        &upstream_of(&[backend.address()], keys),
        "body: 300ms",
    ));
    let mut client = Client::connect(proxy.address());
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhello");
    let answer = client.answer();
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(client.is_closed());
    let logged = proxy.logged(|line| line["status"] == 408);
    assert_eq!(logged["error"], "http_request_error");
    assert!(
        !proxy
            .stderr
            .all()
            .iter()
            .any(|line| line.contains("ejected"))
    );
}

#[test]
fn a_connection_without_a_request_is_closed_when_it_was_idle_for_too_long() {
    let proxy = answering("idle: 300ms");
    let mut client = Client::connect(proxy.address());
    assert_eq!(client.ask(GET).text(), "fine");
    assert!(client.is_closed(), "after a request");
    assert!(Client::connect(proxy.address()).is_closed(), "before one");
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_cut() {
    let backend = large();
    let proxy = Proxy::start(&with(&in_front_of(&[backend.address()]), "write: 300ms"));
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    let logged = proxy.logged(|line| line["request_uri"] == "/");
    assert_eq!(logged["error"], "connection_write_timeout");
    assert!(!client.try_answer().is_ok_and(|answer| answer.is_complete));
}

/// Seen failing with the backend's deadline not begun again when the client goes on.
#[test]
fn a_client_that_pauses_within_its_answer_for_longer_than_the_backends_timeout_gets_it_whole() {
    let backend = large();
    let clock = Backend::hanging();
    let file = format!(
        "{}  - match: {{ path: /clock }}\n    upstream: clock\n",
        upstream_of(&[backend.address()], "timeouts: { read: 300ms }").replace(
            "upstreams:\n",
            &format!(
                "upstreams:\n  clock: {{ backends: [\"{}\"], timeouts: {{ response: 1s, read: 1s }} }}\n",
                clock.address()
            )
        )
    );
    let proxy = Proxy::start(&file);
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    client.wait_for(b"xxx");
    assert_eq!(proxy.get("/clock").status, 504);
    let answer = client.answer();
    assert_eq!((answer.status, answer.body.len()), (200, LARGE));
    assert!(answer.is_complete);
}

#[test]
fn a_client_that_does_not_finish_its_handshake_is_closed() {
    let authority = Authority::new("our authority");
    let own = authority.issue(&["a.test"]);
    let file = "listeners:
  - address: 127.0.0.1:0
    tls: { certificates: [{ cert: own.pem, key: own.key }] }
    timeouts: { tls_handshake: 300ms }
routes:
  - respond: { status: 200 }
";
    let proxy = Proxy::start_with(file, |command| {
        let folder = command.get_current_dir().unwrap();
        fs::write(folder.join("own.pem"), own.pem()).unwrap();
        fs::write(folder.join("own.key"), own.key_pem()).unwrap();
    });
    let mut client = Client::connect(proxy.address());
    // The beginning of a record of TLS.
    client.send([0x16, 3, 1]);
    assert!(client.is_closed());
    let line = "no TLS: the handshake took too long";
    proxy
        .stderr
        .find(line, |said| said.contains(line).then_some(()));
}
