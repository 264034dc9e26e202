//! Requests and clients that never get as far as the engine have their line in the access log too.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Answer, Authority, Client, Http2Client, Proxy, TlsClient, request};

const FINE: &str = "GET /fine HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// Answers itself, with these keys of its listener and these at the top.
fn answering(listener: &str, top: &str) -> String {
    format!(
        "listeners:\n  - {{ name: public, address: 127.0.0.1:0{listener} }}\n{top}routes:\n  - respond: {{ status: 200, body: fine }}\n"
    )
}

/// A listener that speaks TLS.
fn over_tls(authority: &Authority) -> Proxy {
    let tls = ", tls: { certificates: [{ cert: own.pem, key: own.key }] }";
    with_certificate(authority, &answering(tls, ""))
}

/// With the certificate in its folder.
fn with_certificate(authority: &Authority, configuration: &str) -> Proxy {
    let own = authority.issue(&["a.test"]);
    Proxy::start_with(configuration, |command| {
        let folder = command.get_current_dir().unwrap();
        fs::write(folder.join("own.pem"), own.pem()).unwrap();
        fs::write(folder.join("own.key"), own.key_pem()).unwrap();
    })
}

fn line_with_error(proxy: &Proxy, error: &str) -> Value {
    proxy.logged(|line| line["error"] == error)
}

fn assert_is_of(line: &Value, answer: &Answer) {
    assert_eq!(line["status"], answer.status, "{line}");
    let id = answer.header("X-Request-Id").expect("a request id");
    assert_eq!(line["request_id"], id);
    assert!(answer.text().contains(id), "{answer:?}");
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_eq!(line["body_bytes_sent"], answer.body.len());
    assert!(line["bytes_sent"].as_u64() > line["body_bytes_sent"].as_u64());
}

#[test]
fn each_head_that_is_refused_has_a_line_that_says_why() {
    let proxy = Proxy::start(&answering("", ""));
    let long = "x".repeat(16 * 1024);
    let many = "X-More: yes\r\n".repeat(100);
    for (head, status, error, method, target) in [
        (
            "GET /a HTTP/1.1\r\n\r\n",
            400,
            "host_malformed",
            "GET",
            "/a",
        ),
        (
            "GET /b HTTP/1.1\r\nHost: a\r\nbad\r\n\r\n",
            400,
            "head_malformed",
            "GET",
            "/b",
        ),
        (
            "GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
            "target_malformed",
            "GET",
            "http://b/c",
        ),
        (
            "POST /d HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n",
            400,
            "framing_malformed",
            "POST",
            "/d",
        ),
        (
            &format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
            414,
            "target_too_long",
            "GET",
            &format!("/{}", &long[..1023]),
        ),
        (
            &format!("GET /e HTTP/1.1\r\nHost: a\r\nX: {long}{long}\r\n\r\n"),
            431,
            "head_too_large",
            "GET",
            "/e",
        ),
        (
            &format!("GET /f HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
            431,
            "too_many_headers",
            "GET",
            "/f",
        ),
        (
            "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
            501,
            "tunnel_refused",
            "CONNECT",
            "a:443",
        ),
    ] {
        let mut client = Client::connect(proxy.address());
        let answer = client.ask(head);
        let line = line_with_error(&proxy, error);
        assert_is_of(&line, &answer);
        assert_eq!(answer.status, status, "{error}");
        assert_eq!(line["request_method"], method);
        assert_eq!(line["request_uri"], target);
        assert_eq!(line["server_protocol"], "HTTP/1.1", "{line}");
        assert_eq!(line["listener"], "public");
        assert_eq!(line["remote_addr"], "127.0.0.1");
        assert_eq!(line["remote_port"], client.local_address().port());
        assert!(line["route"].is_null() && line["host"].is_null(), "{line}");
        assert!(line["request_length"].as_u64() >= Some(19), "{line}");
    }
}

#[test]
fn the_line_of_a_head_that_was_too_slow_says_how_long_it_took() {
    let proxy = Proxy::start(&answering(", timeouts: { header: 300ms }", ""));
    let answer = Client::connect(proxy.address()).ask("GET / HTTP/1.1\r\nHost: a");
    assert_eq!(answer.status, 408);
    let line = line_with_error(&proxy, "head_too_slow");
    assert!(line["request_time"].as_f64() >= Some(0.3), "{line}");
}

#[test]
fn what_cannot_be_read_of_a_refused_head_is_left_out_of_its_line() {
    let proxy = Proxy::start(&answering("", ""));
    let bytes = b"\x16\x03\x01\0\"\\ \x1b[31m\r\n\r\n";
    assert_eq!(Client::connect(proxy.address()).ask(bytes).status, 400);
    let line = line_with_error(&proxy, "head_malformed");
    for key in [
        "request_method",
        "request_uri",
        "server_protocol",
        "http_user_agent",
    ] {
        assert!(line[key].is_null(), "{key} in {line}");
    }
}

#[test]
fn a_client_that_leaves_within_a_head_has_a_line_with_499() {
    let proxy = Proxy::start(&answering("", ""));
    let mut client = Client::connect(proxy.address());
    client.send("GET /half HTTP/1.1\r\nHost: a.te");
    drop(client);
    let line = line_with_error(&proxy, "client_closed_request");
    assert_eq!(line["status"], 499);
    assert_eq!(line["request_uri"], "/half");
    assert_eq!(line["bytes_sent"], 0);
}

#[test]
fn a_client_that_connects_and_goes_away_has_no_line() {
    let authority = Authority::new("our authority");
    for mut proxy in [Proxy::start(&answering("", "")), over_tls(&authority)] {
        for silent in [true, false, true] {
            let mut client = Client::connect(proxy.address());
            client.finish();
            // With a reset and in order.
            if !silent {
                client.reset();
            } else {
                assert!(client.is_closed());
            }
        }
        proxy.signal(Signal::TERM);
        proxy.end();
        assert_eq!(proxy.stdout.to_the_end(), [""; 0]);
    }
}

#[test]
fn a_handshake_that_fails_has_a_line_without_a_status() {
    let authority = Authority::new("our authority");
    let proxy = over_tls(&authority);
    let mut client = Client::connect(proxy.address());
    client.send("\0nonsense that is neither");
    while !client.is_closed() {}
    let line = line_with_error(&proxy, "tls_handshake_failed");
    assert!(
        line["status"].is_null() && line["request_id"].is_null(),
        "{line}"
    );
    assert_eq!(line["listener"], "public");
    assert_eq!(line["remote_port"], client.local_address().port());
    let (mut client, _) = TlsClient::new(&authority).connect(proxy.address(), "a.test");
    assert_eq!(client.ask("GET / HTTP/1.1\r\n\r\n").status, 400);
    let line = line_with_error(&proxy, "host_malformed");
    assert_eq!(line["scheme"], "https");
}

#[test]
fn http_where_tls_is_spoken_has_a_line_with_the_request() {
    let authority = Authority::new("our authority");
    let proxy = over_tls(&authority);
    let answer = Client::connect(proxy.address()).ask(FINE);
    let line = line_with_error(&proxy, "http_where_tls_is_spoken");
    assert_is_of(&line, &answer);
    assert_eq!(answer.status, 400);
    assert_eq!(line["request_uri"], "/fine");
}

#[test]
fn a_handshake_that_fails_behind_a_proxy_is_told_of_the_client_that_it_speaks_for() {
    let authority = Authority::new("our authority");
    let listener =
        ", proxy_protocol: require, tls: { certificates: [{ cert: own.pem, key: own.key }] }";
    let top = "trusted_proxies: [127.0.0.0/8]\n";
    let proxy = with_certificate(&authority, &answering(listener, top));
    let mut client = Client::connect(proxy.address());
    client.send("PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n");
    client.send("\x16\x03\x01\0\x05nonsense");
    while !client.is_closed() {}
    let line = line_with_error(&proxy, "tls_handshake_failed");
    assert_eq!(line["remote_addr"], "192.0.2.1");
    assert_eq!(line["remote_port"], 50000);
    proxy.stderr.find("whom it is about", |line| {
        line.contains("public: 192.0.2.1:50000: no TLS")
            .then_some(())
    });
}

#[test]
fn a_proxy_in_front_that_does_not_say_who_it_speaks_for_has_a_line() {
    for (trusted, says, error) in [
        ("[127.0.0.0/8]", FINE, "proxy_header_missing"),
        (
            "[127.0.0.0/8]",
            "PROXY TCP4 nonsense\r\n",
            "proxy_header_malformed",
        ),
        ("[192.0.2.1/32]", "", "proxy_header_not_trusted"),
    ] {
        let top = format!("trusted_proxies: {trusted}\n");
        let proxy = Proxy::start(&answering(", proxy_protocol: require", &top));
        let mut client = Client::connect(proxy.address());
        client.try_send(says.as_bytes());
        while !client.is_closed() {}
        let line = line_with_error(&proxy, error);
        assert!(line["status"].is_null(), "{line}");
        assert_eq!(line["remote_addr"], "127.0.0.1");
    }
}

#[test]
fn a_stream_that_is_refused_has_a_line_with_its_fields() {
    let proxy = Proxy::start(&answering("", "request_id: { header: X-Trace }\n"));
    let mut client = Http2Client::connect(proxy.address());
    let mut other_host = request("GET", "/two?q=1");
    let fields = other_host.headers_mut();
    fields.insert("host", "b.test".parse().unwrap());
    fields.insert("user-agent", "tester/1".parse().unwrap());
    let answer = client.send(other_host).answer();
    assert_eq!(answer.status, 400);
    let line = line_with_error(&proxy, "host_malformed");
    for (key, value) in [
        ("request_id", answer.header("x-trace").unwrap()),
        ("request_method", "GET"),
        ("request_uri", "/two?q=1"),
        ("server_protocol", "HTTP/2.0"),
        ("http_user_agent", "tester/1"),
        ("host", "a.test"),
    ] {
        assert_eq!(line[key], value, "{key} in {line}");
    }
    assert_eq!(line["status"], 400);
    assert_eq!(line["body_bytes_sent"], answer.body.len());
    assert!(answer.text().contains(answer.header("x-trace").unwrap()));
}

#[test]
fn a_connection_that_breaks_the_rules_of_http2_has_a_line() {
    let proxy = Proxy::start(&answering(", protocols: [http2]", ""));
    let mut client = Client::connect(proxy.address());
    client.send(FINE);
    while !client.is_closed() {}
    let line = line_with_error(&proxy, "http2_protocol_error");
    assert!(line["status"].is_null(), "{line}");
}

#[test]
fn refused_requests_are_written_in_each_format() {
    for (format, wanted) in [
        (
            "combined",
            "127.0.0.1 - - [TIME] \"GET /\\x07 HTTP/1.1\" 400 90 \"-\" \"-\"",
        ),
        (
            "'$listener $error $status $request_uri $http_user_agent $route'",
            "public head_malformed 400 /\\x07 - -",
        ),
    ] {
        let proxy = Proxy::start(&answering(
            "",
            &format!("access_log: {{ format: {format} }}\n"),
        ));
        let answer = Client::connect(proxy.address()).ask("GET /\u{7} HTTP/1.1\r\n\r\n");
        assert_eq!(answer.status, 400);
        let line = proxy.stdout.find("a line", |line| Some(line.to_owned()));
        let line = match (line.find('['), line.find(']')) {
            (Some(start), Some(end)) => line.replace(&line[start + 1..end], "TIME"),
            _ => line,
        };
        assert_eq!(line, wanted);
    }
}
