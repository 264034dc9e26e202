//! What stands behind a body crosses where both sides speak HTTP/2 and it is of an answer. Elsewhere it is left out, and the message is whole.

use http::HeaderMap;

use crate::support::{
    Backend, Client, Http2Backend, Http2Client, Proxy, fields_of, in_front_of, ok, request,
    upstream_of,
};

const WITH_TRAILERS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                             5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";

/// A request with a body and something behind it.
const ASK: &str = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                   5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";

fn http2_backend() -> Http2Backend {
    Http2Backend::start(|mut incoming| async move {
        let body = incoming.read().await;
        let sent = incoming.body.trailers().await.unwrap();
        let mut answer = incoming.begin(&[]);
        let told = if sent.is_some() {
            "with trailers"
        } else {
            "without"
        };
        let told = [&body[..], told.as_bytes()].concat();
        answer.send_data(told.into(), false).unwrap();
        answer.send_trailers(fields_of(&[("x-sum", "1")])).unwrap();
    })
}

#[test]
fn trailers_of_an_answer_over_http1_are_left_out_and_the_connections_go_on() {
    let backend = Backend::answering(|_| WITH_TRAILERS);
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Client::connect(proxy.address());
    for _ in 0..3 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!(answer.text(), "hello");
        assert_eq!(answer.header("Trailer"), None);
    }
    let mut client = Http2Client::connect(proxy.address());
    for _ in 0..3 {
        let answer = client.get("/");
        assert_eq!((answer.text().as_str(), &answer.trailers), ("hello", &None));
    }
}

#[test]
fn trailers_of_an_answer_over_http2_reach_clients_of_http2_only() {
    let backend = http2_backend();
    let proxy = Proxy::start(&upstream_of(&[backend.address()], "protocol: http2"));
    let answer = Http2Client::connect(proxy.address()).get("/");
    let sum = answer
        .trailers
        .as_ref()
        .and_then(|trailers| trailers.get("x-sum"));
    assert_eq!(sum.unwrap(), "1");
    assert_eq!(answer.text(), "without");
    let mut client = Client::connect(proxy.address());
    for _ in 0..3 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!(answer.text(), "without");
    }
}

#[test]
fn trailers_of_a_request_reach_no_backend_and_the_request_is_whole() {
    let http1 = Backend::start(|conversation| {
        // A chunked body is read to its last chunk here, and what comes behind it would stand before the next head.
        for _ in 0..2 {
            conversation.wait_for(b"0\r\n\r\n");
            conversation.head();
            conversation.send(ok("whole"));
        }
        conversation.wait_for_close();
    });
    let http2 = http2_backend();
    let one = Proxy::start(&in_front_of(&[http1.address()]));
    let two = Proxy::start(&upstream_of(&[http2.address()], "protocol: http2"));
    let mut client = Client::connect(one.address());
    assert_eq!(client.ask(ASK).text(), "whole");
    let sent = http1.requests().pop().unwrap().head;
    assert!(!sent.to_lowercase().contains("x-sum"), "{sent}");
    assert_eq!(
        Client::connect(two.address()).ask(ASK).text(),
        "hellowithout"
    );

    let ask = |address| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        let mut exchange = Http2Client::connect(address).open(request("POST", "/"));
        exchange.send("hello", false);
        exchange.end_with(trailers);
        exchange.answer().text()
    };
    assert_eq!(ask(two.address()), "hellowithout");
    assert_eq!(ask(one.address()), "whole");
    let sent = http1.requests().pop().unwrap().head;
    assert!(!sent.to_lowercase().contains("x-sum"), "{sent}");
}
