//! Which version of HTTP a client and a listener speak.

use std::fs;
use std::process::{Command, Stdio};

use super::answering_proxy;
use crate::support::{Authority, Client, Http2Client, Proxy, TlsClient, get, output_of, request};

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn proxy_for(protocols: &str) -> Proxy {
    Proxy::start(&format!(
        "listeners:\n  - address: 127.0.0.1:0\n    protocols: {protocols}\nroutes:\n  - respond: {{ status: 200, body: fine }}\n"
    ))
}

/// The same over TLS, with certificates for `a.test` and `b.test`.
fn tls_proxy_for(authority: &Authority, keys: &str) -> Proxy {
    let certificate = authority.issue(&["a.test"]);
    let other = authority.issue(&["b.test"]);
    let configuration = format!(
        "listeners:\n  - address: 127.0.0.1:0\n    tls: {{ certificates: [{{ cert: own.pem, key: own.key }}, {{ cert: b.pem, key: b.key }}] }}\n    {keys}\n\
         routes:\n  - respond: {{ status: 200, body: fine }}\n"
    );
    Proxy::start_with(&configuration, |command| {
        let folder = command.get_current_dir().unwrap();
        fs::write(folder.join("own.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("own.key"), certificate.key_pem()).unwrap();
        fs::write(folder.join("b.pem"), other.pem()).unwrap();
        fs::write(folder.join("b.key"), other.key_pem()).unwrap();
    })
}

#[test]
fn both_versions_are_spoken_on_one_port_in_the_clear() {
    let proxy = answering_proxy();
    assert_eq!(
        Http2Client::connect(proxy.address()).get("/").text(),
        "fine"
    );
    assert_eq!(get(proxy.address(), "/").text(), "fine");
    proxy.logged(|line| line["server_protocol"] == "HTTP/2.0");
    proxy.logged(|line| line["server_protocol"] == "HTTP/1.1");
}

#[test]
fn curl_is_served_with_and_without_prior_knowledge() {
    let proxy = answering_proxy();
    for (flag, version) in [
        ("--http2-prior-knowledge", "2"),
        ("--http1.1", "1.1"),
        ("--http2", "1.1"),
        ("--http1.0", "1.0"),
    ] {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--write-out", " %{http_version}", flag]);
        curl.arg(format!("http://{}/", proxy.address()));
        if curl.stdin(Stdio::null()).output().is_err() {
            // A machine without it has the other tests.
            return;
        }
        let output = output_of(curl);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // Of an HTTP/1.0 request the answer's version is as good as its own.
        let is_as_told =
            said == format!("fine {version}") || version == "1.0" && said.starts_with("fine 1");
        assert!(is_as_told, "{flag}: {said}");
    }
}

#[test]
fn a_request_of_http1_that_begins_like_the_preface_is_served_as_soon_as_it_differs() {
    let proxy = answering_proxy();
    let mut client = Client::connect(proxy.address());
    for piece in ["P", "R", "OPFIND / HTTP/1.1\r\nHost: a.test\r\n", "\r\n"] {
        client.send(piece);
    }
    assert_eq!(client.answer().text(), "fine");
    // Shorter than the preface.
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().text(), "fine");
}

#[test]
fn a_preface_in_pieces_is_one_as_well() {
    let proxy = answering_proxy();
    let mut client = Client::connect(proxy.address());
    let (start, rest) = PREFACE.split_at(10);
    client.send(start);
    client.send(rest);
    // An empty SETTINGS frame.
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    // The server's own, whose type is the fourth byte.
    client.wait_until(|bytes| bytes.get(3) == Some(&4));
}

#[test]
fn a_client_that_sends_part_of_the_preface_is_answered_408_after_the_head_s_deadline() {
    let proxy = answering_proxy();
    let mut client = Client::connect(proxy.address());
    client.send(&PREFACE[..20]);
    assert_eq!(client.answer().status, 408);
    assert!(client.is_closed());
}

#[test]
fn a_listener_for_http1_alone_does_not_know_the_preface() {
    let proxy = proxy_for("[http1]");
    let mut client = Client::connect(proxy.address());
    client.send(PREFACE);
    assert_eq!(client.answer().status, 400);
    assert_eq!(get(proxy.address(), "/").text(), "fine");
}

#[test]
fn a_listener_for_http2_alone_does_not_know_http1() {
    let proxy = proxy_for("[http2]");
    assert_eq!(
        Http2Client::connect(proxy.address()).get("/").text(),
        "fine"
    );
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\nwhat is longer than a preface");
    assert!(client.try_answer().is_err());
}

#[test]
fn each_word_of_protocols_stands_for_a_version() {
    let proxy = proxy_for("[http1, http2]");
    assert_eq!(
        Http2Client::connect(proxy.address()).get("/").text(),
        "fine"
    );
    assert_eq!(get(proxy.address(), "/").text(), "fine");
}

#[test]
fn over_tls_the_handshake_comes_to_http2_where_both_speak_it() {
    let authority = Authority::new("our authority");
    let proxy = tls_proxy_for(&authority, "protocols: [http1, http2]");
    let mut client = Http2Client::connect_tls(proxy.address(), &authority, "a.test");
    assert_eq!(client.get("/").text(), "fine");
    let line = proxy.logged(|line| line["server_protocol"] == "HTTP/2.0");
    assert_eq!(line["scheme"], "https");
    for (offered, agreed) in [
        (vec!["h2", "http/1.1"], Some("h2")),
        (vec!["http/1.1"], Some("http/1.1")),
        (vec!["http/1.0"], Some("http/1.0")),
        (vec!["http/1.0", "http/1.1"], Some("http/1.1")),
        (vec![], None),
    ] {
        let client = TlsClient::with(&authority, |habits| habits.protocols = offered);
        let (mut client, greeting) = client.connect(proxy.address(), "a.test");
        assert_eq!(greeting.protocol.as_deref(), agreed);
        if agreed != Some("h2") {
            let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
            assert_eq!(answer.text(), "fine");
        }
    }
}

#[test]
fn over_tls_only_the_protocols_of_the_listener_are_offered() {
    let authority = Authority::new("our authority");
    let both = || {
        TlsClient::with(&authority, |habits| {
            habits.protocols = vec!["h2", "http/1.1"];
        })
    };
    for (protocols, name) in [("[http1]", "http/1.1"), ("[http2]", "h2")] {
        let proxy = tls_proxy_for(&authority, &format!("protocols: {protocols}"));
        let (_, greeting) = both().connect(proxy.address(), "a.test");
        assert_eq!(greeting.protocol.as_deref(), Some(name));
    }
}

#[test]
fn a_request_for_a_host_that_the_connection_was_not_made_for_is_answered_421() {
    let authority = Authority::new("our authority");
    let proxy = tls_proxy_for(&authority, "protocols: [http2]");
    let mut client = Http2Client::connect_tls(proxy.address(), &authority, "a.test");
    // It would be shown another certificate for that one.
    let mut other = request("GET", "/");
    *other.uri_mut() = "https://b.test/".parse().unwrap();
    let answer = client.send(other).answer();
    assert_eq!(answer.status, 421);
    assert_eq!(client.get("/").text(), "fine");
}
