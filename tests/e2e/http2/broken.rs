//! Answers that fail, and clients that give up.

use std::collections::HashMap;

use h2::Reason;

use crate::support::{
    Backend, GatedBackend, Http2Answer, Http2Client, Proxy, eventually, in_front_of, request,
    upstream_of,
};

fn assert_is_reset(answer: &Http2Answer) {
    let broken = answer.broken.as_ref().expect("an answer that broke off");
    assert_eq!(broken.reason(), Some(Reason::INTERNAL_ERROR), "{answer:?}");
}

#[test]
fn an_answer_that_breaks_off_is_reset_and_the_others_go_on() {
    // Seen failing with an `end()` in the place of the reset.
    for head in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
        let piece = if head.contains("chunked") {
            "5\r\nhello\r\n"
        } else {
            "hello"
        };
        let bytes = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{piece}");
        for backend in [
            Backend::saying(bytes.clone()),
            Backend::resetting_after(bytes),
        ] {
            let proxy = Proxy::start(&in_front_of(&[backend.address()]));
            let mut client = Http2Client::connect(proxy.address());
            for path in ["/", "/again"] {
                // The head may be taken back with the rest of it.
                match client.send(request("GET", path)).try_answer() {
                    Ok(answer) => assert_is_reset(&answer),
                    Err(error) => assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR)),
                }
            }
            proxy.logged(|line| line["error"] == "http_response_incomplete");
        }
    }
}

#[test]
fn what_a_backend_says_beyond_its_answer_reaches_nobody() {
    let backend = Backend::saying("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more");
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Http2Client::connect(proxy.address());
    assert_eq!(client.get("/").text(), "hello");
}

#[test]
fn a_backend_that_says_nothing_is_answered_for_with_504() {
    let backend = Backend::hanging();
    // Pingora keeps the longer of the two limits; the shorter one is kept on the client's stream.
    for timeouts in [
        "{ response: 100ms, read: 1h }",
        "{ response: 100ms, read: 100ms }",
    ] {
        let keys = format!("timeouts: {timeouts}");
        let proxy = Proxy::start(&upstream_of(&[backend.address()], &keys));
        let answer = Http2Client::connect(proxy.address()).get("/");
        assert_eq!(answer.status, 504, "{timeouts}");
        let error = answer.header("proxy-status");
        assert_eq!(error, Some("evenkeel; error=http_response_timeout"));
    }
}

#[test]
fn an_answer_that_stalls_midway_is_reset() {
    let backend = Backend::start(|conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        conversation.wait_for_close();
    });
    let keys = "timeouts: { response: 1h, read: 100ms }";
    let proxy = Proxy::start(&upstream_of(&[backend.address()], keys));
    let answer = Http2Client::connect(proxy.address()).get("/");
    assert_eq!(answer.body, b"hello");
    assert_is_reset(&answer);
    proxy.logged(|line| line["error"] == "connection_read_timeout");
}

#[test]
fn a_client_that_resets_its_request_ends_it_at_the_backend_too() {
    let (told, gone) = std::sync::mpsc::channel();
    let backend = Backend::start(move |conversation| {
        conversation.request();
        conversation.wait_for_close();
        let _ = told.send(());
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Http2Client::connect(proxy.address());
    let exchange = client.send(request("GET", "/left"));
    eventually("the request arrives", || !backend.requests().is_empty());
    exchange.reset();
    gone.recv_timeout(crate::support::DEADLINE).unwrap();
    let line = proxy.logged(|line| line["request_uri"] == "/left");
    assert_eq!(line["status"], 499);
}

#[test]
fn a_client_that_resets_its_request_leaves_the_queue() {
    // Seen failing with a departure that is never seen.
    let backend = GatedBackend::start("one");
    let configuration = upstream_of(&[], "queue: { size: 1, timeout: 1h }").replace(
        "backends: []",
        &format!(
            "backends: [{{ address: {}, max_requests: 1 }}]",
            backend.address()
        ),
    );
    let proxy = Proxy::start(&configuration);
    let mut client = Http2Client::connect(proxy.address());
    let held = client.send(request("GET", "/held"));
    eventually("the request arrives", || backend.requests().len() == 1);
    // One of the two waits, and the other one finds the queue full.
    let mut two = HashMap::from(["/a", "/b"].map(|path| (path, client.send(request("GET", path)))));
    let refused = proxy.logged(|line| line["status"] == 503);
    two.remove(refused["request_uri"].as_str().unwrap());
    let (path, waiting) = two.into_iter().next().unwrap();
    waiting.reset();
    proxy.logged(|line| line["request_uri"] == path && line["status"] == 499);
    let next = client.send(request("GET", "/next"));
    backend.let_go(2);
    assert_eq!(held.answer().status, 200);
    assert_eq!(next.answer().status, 200);
    assert_eq!(backend.targets(), ["/held", "/next"]);
}

#[test]
fn an_answer_before_the_body_has_come_is_whole() {
    let backend = Backend::start(|conversation| {
        conversation.head();
        conversation
            .send("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
        conversation.wait_for_close();
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Http2Client::connect(proxy.address());
    let mut exchange = client.open(request("POST", "/"));
    exchange.send("the first of much", false);
    let (head, mut body) = exchange.head();
    assert_eq!(head.status(), 403);
    assert_eq!(body.piece().unwrap().unwrap(), "no");
    assert!(body.piece().is_none());
}
