//! HTTP/1 on the wire, as clients of every kind speak it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use crate::support::{
    Answer, Backend, Client, HelloBackend, Proxy, ask, eventually, in_front_of, ok,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

fn answering_proxy() -> Proxy {
    Proxy::start(
        "listeners:
  - address: 127.0.0.1:0
routes:
  - respond: { status: 200, body: fine }
",
    )
}

fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("Proxy-Status"),
        Some("evenkeel; error=http_request_error")
    );
    assert_eq!(answer.text().lines().count(), 1, "{answer:?}");
    assert!(answer.is_complete);
}

#[test]
fn a_head_that_is_not_complete_in_ten_seconds_is_answered_408() {
    let proxy = answering_proxy();
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nHost: a.te");
    assert_refused(&client.answer(), 408);
    assert!(client.is_closed());
}

#[test]
fn a_head_above_32_kib_is_answered_431() {
    let proxy = answering_proxy();
    let padding = "x".repeat(40 * 1024);
    let mut client = Client::connect(proxy.address());
    client.send(format!(
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-Padding: {padding}"
    ));
    assert_refused(&client.answer(), 431);
}

#[test]
fn a_head_just_below_32_kib_is_served() {
    let proxy = answering_proxy();
    let padding = "x".repeat(31 * 1024);
    let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\nX-Padding: {padding}\r\n\r\n");
    assert_eq!(ask(proxy.address(), request).text(), "fine");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::answering(|request| ok(request.target()));
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Client::connect(proxy.address());
    let targets: Vec<_> = (0..10).map(|index| format!("/{index}")).collect();
    let requests = targets
        .iter()
        .map(|target| format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
    client.send(requests.collect::<String>());
    for target in &targets {
        assert_eq!(client.answer().text(), *target);
    }
}

#[test]
fn a_request_behind_a_body_is_answered_after_it() {
    let backend = Backend::answering(|request| ok(&String::from_utf8_lossy(&request.body)));
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Client::connect(proxy.address());
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody{GET}"
    ));
    assert_eq!(client.answer().text(), "body");
    assert_eq!(client.answer().text(), "");
}

#[test]
fn a_request_behind_a_chunked_body_is_answered_after_it() {
    let hello = HelloBackend::start("app1");
    let proxy = Proxy::start(&in_front_of(&[hello.address()]));
    let mut client = Client::connect(proxy.address());
    client.send(format!(
        "POST /headers HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n{GET}"
    ));
    assert_eq!(client.answer().json()["method"], "POST");
    assert_eq!(client.answer().hostname(), "app1");
}

#[test]
fn a_request_in_single_bytes_is_served() {
    let proxy = answering_proxy();
    let mut client = Client::connect(proxy.address());
    for byte in GET.as_bytes() {
        client.send([*byte]);
    }
    assert_eq!(client.answer().text(), "fine");
}

#[test]
fn empty_lines_before_a_request_are_ignored() {
    let proxy = answering_proxy();
    let mut client = Client::connect(proxy.address());
    assert_eq!(client.ask(format!("\r\n\r\n{GET}")).text(), "fine");
    assert_eq!(client.ask(format!("\r\n{GET}")).text(), "fine");
}

#[test]
fn an_http_1_1_request_without_host_is_answered_400() {
    let proxy = answering_proxy();
    assert_refused(&ask(proxy.address(), "GET / HTTP/1.1\r\n\r\n"), 400);
}

#[test]
fn a_request_that_is_not_http_is_answered_400() {
    let proxy = answering_proxy();
    for request in [
        "\u{16}\u{3}\u{1}\u{2}\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ] {
        let answer = ask(proxy.address(), request);
        assert_eq!(answer.status, 400, "{request:?}: {answer:?}");
    }
    assert_eq!(proxy.get("/").status, 200);
}

#[test]
fn an_http_1_0_connection_is_closed_after_the_answer() {
    let proxy = answering_proxy();
    let mut client = Client::connect(proxy.address());
    let answer = client.ask("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n");
    assert_eq!(answer.text(), "fine");
    assert!(client.is_closed());
}

#[test]
fn an_http_1_0_request_needs_no_host() {
    let proxy = answering_proxy();
    assert_eq!(
        ask(proxy.address(), "GET / HTTP/1.0\r\n\r\n").text(),
        "fine"
    );
}

#[test]
fn an_http_1_0_connection_is_kept_when_the_client_asks_for_it() {
    let hello = HelloBackend::start("app1");
    let proxy = Proxy::start(&in_front_of(&[hello.address()]));
    let mut client = Client::connect(proxy.address());
    for _ in 0..3 {
        let answer = client.ask("GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(answer.hostname(), "app1");
        let connection = answer.header("Connection").unwrap_or_default();
        assert!(connection.eq_ignore_ascii_case("keep-alive"), "{answer:?}");
    }
}

#[test]
fn an_http_1_0_client_is_never_sent_chunks() {
    let backend = Backend::answering(
        |_| "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    );
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    for headers in ["", "Connection: keep-alive\r\n"] {
        let mut client = Client::connect(proxy.address());
        let answer = client.ask(format!("GET / HTTP/1.0\r\nHost: a.test\r\n{headers}\r\n"));
        assert_eq!(answer.header("Transfer-Encoding"), None, "{answer:?}");
        assert_eq!(
            (answer.text().as_str(), answer.is_complete),
            ("hello world", true)
        );
    }
}

#[test]
fn an_http_1_1_client_gets_a_chunked_answer_and_keeps_its_connection() {
    let backend = Backend::answering(
        |_| "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    );
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Client::connect(proxy.address());
    for _ in 0..2 {
        let answer = client.ask(GET);
        assert_eq!(
            (answer.version.as_str(), answer.text().as_str()),
            ("HTTP/1.1", "hello world")
        );
    }
}

#[test]
fn a_client_that_asks_to_close_is_closed() {
    let proxy = answering_proxy();
    let mut client = Client::connect(proxy.address());
    let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.text(), "fine");
    assert!(client.is_closed());
}

#[test]
fn a_client_that_has_said_all_it_will_say_still_gets_its_answer() {
    let hello = HelloBackend::start("app1");
    let proxy = Proxy::start(&in_front_of(&[hello.address()]));
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    client.finish();
    assert_eq!(client.answer().hostname(), "app1");
}

#[test]
fn a_large_body_arrives_whole_in_both_directions() {
    let backend = Backend::answering(|request| {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            request.body.len()
        )
        .into_bytes();
        answer.extend_from_slice(&request.body);
        answer
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let body: Vec<u8> = (0..3_000_000_u32)
        .map(|index| (index % 251) as u8)
        .collect();
    let mut client = Client::connect(proxy.address());
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    client.send(&body);
    let answer = client.answer();
    assert!(
        answer.body == body,
        "{} of {} bytes",
        answer.body.len(),
        body.len()
    );
    assert!(backend.requests()[0].body == body);
}

/// A backend that says the first piece, and the second only when it is told to.
fn in_two_pieces(first: &'static str, second: &'static str) -> (Backend, Sender<()>) {
    let (go, told) = channel();
    let told = Mutex::new(told);
    let backend = Backend::start(move |conversation| {
        conversation.request();
        conversation.send(first);
        if told.lock().unwrap().recv().is_ok() {
            conversation.send(second);
        }
    });
    (backend, go)
}

/// The second piece of an answer comes only when the client has seen the first.
fn assert_passed_on_piece_by_piece(first: &'static str, second: &'static str) {
    let (backend, go) = in_two_pieces(first, second);
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    client.wait_for(b"first");
    go.send(()).unwrap();
    assert_eq!(client.answer().text(), "firstlater");
}

#[test]
fn each_piece_of_an_answer_with_a_length_reaches_the_client_when_it_comes() {
    let first = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst";
    assert_passed_on_piece_by_piece(first, "later");
}

#[test]
fn each_piece_of_a_chunked_answer_reaches_the_client_when_it_comes() {
    assert_passed_on_piece_by_piece(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        "5\r\nlater\r\n0\r\n\r\n",
    );
}

#[test]
fn each_piece_of_an_answer_without_a_length_reaches_the_client_when_it_comes() {
    assert_passed_on_piece_by_piece("HTTP/1.1 200 OK\r\n\r\nfirst", "later");
}

#[test]
fn the_head_of_an_answer_reaches_the_client_before_its_body_comes() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let (backend, go) = in_two_pieces(head, "later");
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    client.wait_for(b"\r\n\r\n");
    go.send(()).unwrap();
    assert_eq!(client.answer().text(), "later");
}

#[test]
fn a_client_that_waits_for_100_continue_is_told_to_go_on() {
    let hello = HelloBackend::start("app1");
    let proxy = Proxy::start(&in_front_of(&[hello.address()]));
    let mut client = Client::connect(proxy.address());
    let interim = client.ask(
        "POST /headers HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(interim.status, 100);
    assert_eq!(client.ask("body").json()["method"], "POST");
}

#[test]
fn an_answer_of_ours_does_not_wait_for_a_body_that_waits_for_100_continue() {
    let proxy = answering_proxy();
    let mut client = Client::connect(proxy.address());
    let answer = client.ask(
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(answer.text(), "fine");
    assert!(client.is_closed());
}

#[test]
fn an_interim_answer_reaches_the_client_before_the_final_one() {
    let backend = Backend::start(|conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
        conversation.send(ok("fine"));
        conversation.wait_for_close();
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Client::connect(proxy.address());
    let interim = client.ask(GET);
    assert_eq!(
        (interim.status, interim.header("Link")),
        (103, Some("</a.css>"))
    );
    assert_eq!(client.answer().text(), "fine");
}

#[test]
fn an_upgraded_connection_carries_bytes_both_ways() {
    let backend = Backend::start(|conversation| {
        conversation.request();
        conversation.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome",
        );
        conversation.wait_for(b"ping");
        conversation.send("pong");
        conversation.wait_for_close();
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Client::connect(proxy.address());
    let answer = client.ask(
        "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    assert_eq!(
        (answer.status, answer.header("Upgrade")),
        (101, Some("websocket"))
    );
    assert_eq!(
        backend.requests()[0].header("Upgrade").as_deref(),
        Some("websocket")
    );
    client.wait_for(b"welcome");
    client.send("ping");
    client.wait_for(b"pong");
}

#[test]
fn connections_to_a_backend_are_used_again() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let backend = Backend::start(move |conversation| {
        counter.fetch_add(1, Ordering::Relaxed);
        while conversation.request().is_some() {
            conversation.send(ok("fine"));
        }
    });
    let file = in_front_of(&[backend.address()]);
    let proxy = Proxy::start(&format!("server: {{ threads: 1 }}\n{file}"));
    for _ in 0..20 {
        assert_eq!(proxy.get("/").text(), "fine");
        let served = backend.requests().len();
        eventually("the request is logged", || {
            proxy.stdout.all().len() == served
        });
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}
