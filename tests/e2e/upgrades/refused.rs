//! Requests that ask for another protocol, and do not get it.

use super::ASK;
use crate::support::{Authority, Backend, Client, Proxy, in_front_of, ok, upstream_of};

/// A backend that switches whatever it is asked, to this.
fn switching_to(protocol: &str) -> Backend {
    Backend::saying(format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\nwelcome"
    ))
}

fn proxy_for(backend: &Backend) -> Proxy {
    Proxy::start(&in_front_of(&[backend.address()]))
}

#[test]
fn a_backend_may_answer_a_websocket_request_as_any_other_and_the_connection_goes_on() {
    let backend = Backend::answering(|_| ok("no websockets here"));
    let proxy = proxy_for(&backend);
    let mut client = Client::connect(proxy.address());
    for _ in 0..3 {
        let answer = client.ask(ASK);
        assert_eq!(answer.text(), "no websockets here");
        assert_eq!(answer.header("Connection"), Some("keep-alive"));
    }
    // What comes behind the head is the next request, and not the body of this one.
    client.send(ASK.repeat(2));
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_refusal_with_a_body_of_any_framing_crosses_whole() {
    for refusal in [
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nwho?",
        "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwho?\r\n0\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 426 Upgrade Required\r\n\r\nwho?",
    ] {
        let backend = Backend::saying(refusal);
        let proxy = proxy_for(&backend);
        let mut client = Client::connect(proxy.address());
        client.send(ASK);
        let mut answer = client.answer();
        if answer.status == 103 {
            answer = client.answer();
        }
        assert_eq!(answer.text(), "who?", "{refusal}");
        assert!(answer.is_complete, "{refusal}");
    }
}

#[test]
fn a_backend_that_switches_to_a_protocol_it_was_not_asked_for_is_answered_502() {
    for protocol in ["h2c", "websocket, h2c", "TLS/1.0"] {
        let backend = switching_to(protocol);
        let answer = Client::connect(proxy_for(&backend).address()).ask(ASK);
        assert_eq!(answer.status, 502, "{protocol}");
    }
}

#[test]
fn no_other_upgrade_than_a_websocket_crosses_and_a_backend_that_switches_anyway_is_answered_502() {
    let upgrades = [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
        "Connection: Upgrade\r\nUpgrade: websocket, h2c",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c",
        "Connection: Upgrade\r\nUpgrade: TLS/1.0",
        // Who does not name it in `Connection` does not ask for it.
        "Upgrade: websocket",
    ];
    let honest = Backend::answering(|_| ok("as ever"));
    let (careless, fine) = (switching_to("h2c"), proxy_for(&honest));
    let careless = (proxy_for(&careless), careless);
    for upgrade in upgrades {
        let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{upgrade}\r\n\r\n");
        let answer = Client::connect(fine.address()).ask(&request);
        assert_eq!(answer.text(), "as ever", "{upgrade}");
        let sent = honest.requests().pop().unwrap();
        for name in ["Upgrade", "Connection", "HTTP2-Settings"] {
            assert_eq!(sent.header(name), None, "{upgrade}");
        }
        let answer = Client::connect(careless.0.address()).ask(&request);
        assert_eq!(answer.status, 502, "{upgrade}");
    }
}

#[test]
fn a_websocket_request_with_a_body_crosses_as_one_that_asks_for_nothing() {
    let backend = Backend::answering(|request| ok(&String::from_utf8_lossy(&request.body)));
    let proxy = proxy_for(&backend);
    let body = "Content-Length: 5\r\n\r\nhello";
    let mut client = Client::connect(proxy.address());
    for _ in 0..2 {
        let answer = client.ask(ASK.trim_end().to_owned() + "\r\n" + body);
        assert_eq!(answer.text(), "hello");
    }
    let sent = backend.requests().pop().unwrap();
    assert_eq!(
        (sent.header("Upgrade"), sent.header("Connection")),
        (None, None)
    );
}

#[test]
fn over_http1_0_there_is_no_upgrade() {
    let backend = Backend::answering(|_| ok("old"));
    let proxy = proxy_for(&backend);
    let answer = Client::connect(proxy.address()).ask(ASK.replace("HTTP/1.1", "HTTP/1.0"));
    assert_eq!(answer.text(), "old");
    assert_eq!(backend.requests()[0].header("Upgrade"), None);
}

#[test]
fn a_backend_whose_certificate_is_not_accepted_gets_no_websocket_either() {
    let (trusted, other) = (Authority::new("ours"), Authority::new("theirs"));
    let backend = Backend::start_tls(other.issue(&["app.test"]).server(), |conversation| {
        conversation.request();
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, trusted.pem()).unwrap();
    let keys = format!(
        "tls: {{ ca: \"{}\", server_name: app.test }}",
        file.display()
    );
    let proxy = Proxy::start(&upstream_of(&[backend.address()], &keys));
    let answer = Client::connect(proxy.address()).ask(ASK);
    assert_eq!(answer.status, 502);
    assert_eq!(
        answer.header("Proxy-Status"),
        Some("evenkeel; error=tls_certificate_error")
    );
    proxy.stderr.find("why", |line| {
        line.contains("its certificate was issued by an unknown authority")
            .then_some(())
    });
}
