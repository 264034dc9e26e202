//! Requests on HTTP/2, on their way to backends that speak HTTP/1.

use http::header::COOKIE;

use crate::support::{
    Backend, GatedBackend, HelloBackend, Http2Client, Proxy, eventually, in_front_of, ok, request,
    upstream_of,
};

#[test]
fn a_hundred_requests_at_once_have_each_its_own_answer() {
    let backend = Backend::answering(|request| ok(request.target()));
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Http2Client::connect(proxy.address());
    let exchanges: Vec<_> = (0..100)
        .map(|index| client.send(request("GET", &format!("/{index}"))))
        .collect();
    for (index, exchange) in exchanges.into_iter().enumerate() {
        assert_eq!(exchange.answer().text(), format!("/{index}"));
    }
    // What the log counts is of each request alone.
    let line = proxy.logged(|line| line["request_uri"] == "/7");
    assert_eq!(line["server_protocol"], "HTTP/2.0");
    assert_eq!(line["body_bytes_sent"], 2);
    let sent = line["bytes_sent"].as_u64().unwrap();
    assert!((2..2_000).contains(&sent), "{line}");
    let received = line["request_length"].as_u64().unwrap();
    assert!((1..2_000).contains(&received), "{line}");
}

#[test]
fn a_slow_answer_holds_up_no_other() {
    let slow = GatedBackend::start("slow");
    let proxy = Proxy::start(&format!(
        "listeners:\n  - address: 127.0.0.1:0\nupstreams: {{ slow: {{ backends: [{}] }} }}\n\
         routes:\n  - match: {{ path: /slow }}\n    upstream: slow\n  - respond: {{ status: 200, body: quick }}\n",
        slow.address()
    ));
    let mut client = Http2Client::connect(proxy.address());
    let first = client.send(request("GET", "/slow"));
    eventually("the request arrives", || !slow.requests().is_empty());
    assert_eq!(client.get("/").text(), "quick");
    slow.let_go(1);
    assert_eq!(first.answer().text(), "slow");
}

#[test]
fn the_backend_is_told_in_the_words_of_http1() {
    let backend = Backend::answering(|_| ok("hello"));
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Http2Client::connect(proxy.address());
    let mut asked = request("GET", "/a%20b?c=d");
    *asked.uri_mut() = "http://A.test:8080/a%20b?c=d".parse().unwrap();
    let headers = asked.headers_mut();
    headers.append(COOKIE, "a=1".parse().unwrap());
    headers.append(COOKIE, "b=2".parse().unwrap());
    headers.insert("te", "trailers".parse().unwrap());
    headers.insert("x-forwarded-for", "192.0.2.1".parse().unwrap());
    assert_eq!(client.send(asked).answer().text(), "hello");
    let seen = &backend.requests()[0];
    assert!(seen.head.starts_with("GET /a%20b?c=d HTTP/1.1\r\n"));
    for (name, value) in [
        ("Host", Some("A.test:8080")),
        ("Cookie", Some("a=1; b=2")),
        ("TE", None),
        ("X-Forwarded-For", Some("192.0.2.1, 127.0.0.1")),
        ("X-Forwarded-Host", Some("A.test:8080")),
        ("X-Forwarded-Proto", Some("http")),
        ("Transfer-Encoding", None),
    ] {
        assert_eq!(seen.header(name).as_deref(), value, "{name}");
    }
}

#[test]
fn large_bodies_pass_both_ways() {
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
    let mut client = Http2Client::connect(proxy.address());
    let body: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let answer = client.ask(request("POST", "/"), body.clone());
    assert_eq!(answer.status, 200);
    assert!(answer.broken.is_none() && answer.body == body);
}

#[test]
fn a_body_that_comes_in_pieces_is_chunked_for_the_backend() {
    let backend = Backend::start(|conversation| {
        conversation.head();
        for piece in ["3\r\none\r\n", "3\r\ntwo\r\n", "0\r\n\r\n"] {
            conversation.wait_for(piece.as_bytes());
        }
        conversation.send(ok("both"));
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Http2Client::connect(proxy.address());
    let mut exchange = client.open(request("PUT", "/"));
    exchange.send("one", false);
    exchange.send("two", false);
    exchange.end();
    assert_eq!(exchange.answer().text(), "both");
    let seen = &backend.requests()[0];
    assert_eq!(seen.header("Transfer-Encoding").as_deref(), Some("chunked"));
}

#[test]
fn answers_without_a_body_end_with_their_head() {
    let backend = Backend::answering(|request| match request.target() {
        "/204" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_owned(),
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Http2Client::connect(proxy.address());
    for (method, path, status) in [
        ("HEAD", "/", 200),
        ("GET", "/204", 204),
        ("GET", "/304", 304),
    ] {
        let answer = client.send(request(method, path)).answer();
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, ""),
            "{path}"
        );
    }
    // One of ours.
    let proxy = Proxy::start(&in_front_of(&[]).replace("backends: []", "backends: [127.0.0.1:1]"));
    let mut client = Http2Client::connect(proxy.address());
    let answer = client.send(request("HEAD", "/")).answer();
    assert_eq!((answer.status, answer.text().as_str()), (502, ""));
}

#[test]
fn interim_answers_reach_the_client() {
    let backend = Backend::start(|conversation| {
        conversation.head();
        conversation.send("HTTP/1.1 100 Continue\r\n\r\n");
        conversation.wait_for(b"0\r\n\r\n");
        conversation.send(ok("taken"));
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Http2Client::connect(proxy.address());
    let mut asked = request("POST", "/");
    asked
        .headers_mut()
        .insert("expect", "100-continue".parse().unwrap());
    let mut exchange = client.open(asked);
    assert_eq!(exchange.interim(), 100);
    exchange.send("body", true);
    assert_eq!(exchange.answer().text(), "taken");
}

#[test]
fn a_request_that_failed_is_tried_again_with_its_body() {
    let failing = Backend::saying("");
    let backend = Backend::answering(|request| ok(&String::from_utf8_lossy(&request.body)));
    let both = [failing.address(), backend.address()];
    let proxy = Proxy::start(&in_front_of(&both));
    let mut client = Http2Client::connect(proxy.address());
    for _ in 0..4 {
        let answer = client.ask(request("PUT", "/"), "again");
        assert_eq!((answer.status, answer.text().as_str()), (200, "again"));
    }
    assert!(!failing.requests().is_empty());
}

#[test]
fn pieces_of_an_answer_come_as_soon_as_they_are_there() {
    let (go, told) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::start(move |conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for event in ["one", "two"] {
            told.lock().unwrap().recv().unwrap();
            conversation.send(format!("3\r\n{event}\r\n"));
        }
        conversation.send("0\r\n\r\n");
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Http2Client::connect(proxy.address());
    let (head, mut body) = client.send(request("GET", "/")).head();
    assert_eq!(head.status(), 200);
    assert!(head.headers().get("transfer-encoding").is_none());
    for event in ["one", "two"] {
        go.send(()).unwrap();
        assert_eq!(body.piece().unwrap().unwrap(), event);
    }
    assert!(body.piece().is_none());
}

#[test]
fn trailers_of_a_backend_with_http1_are_left_out() {
    // Pingora reads them away.
    let backend = Backend::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let answer = Http2Client::connect(proxy.address()).get("/");
    assert_eq!((answer.text().as_str(), answer.trailers), ("hello", None));
}

#[test]
fn filters_see_and_change_requests_and_answers() {
    let backend = Backend::answering(|_| {
        let body = "x".repeat(10_000);
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10000\r\n\r\n{body}"
        )
    });
    let proxy = Proxy::start(&format!(
        "filters:\n  - body_limit: 10\n  - compress: {{}}\n  - response_headers: {{ set: {{ X-Seen: \"$host\" }} }}\n{}",
        in_front_of(&[backend.address()])
    ));
    let mut client = Http2Client::connect(proxy.address());
    let mut asked = request("GET", "/");
    asked
        .headers_mut()
        .insert("accept-encoding", "gzip".parse().unwrap());
    let answer = client.send(asked).answer();
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert_eq!(answer.header("x-seen"), Some("a.test"));
    assert!(
        answer.broken.is_none() && answer.body.len() < 1_000,
        "{answer:?}"
    );
    let refused = client.ask(request("POST", "/"), "longer than ten bytes");
    assert_eq!(refused.status, 413);
    let hanging = Backend::start(|conversation| conversation.wait_for_close());
    let limited = format!(
        "filters: [{{ body_limit: 10 }}]\n{}",
        in_front_of(&[hanging.address()])
    );
    let proxy = Proxy::start(&limited);
    let mut client = Http2Client::connect(proxy.address());
    let mut exchange = client.open(request("POST", "/"));
    exchange.send("longer than ten bytes", false);
    assert_eq!(exchange.answer().status, 413);
}

#[test]
fn sessions_stay_on_their_backend() {
    let backends = [HelloBackend::start("one"), HelloBackend::start("two")];
    let addresses: Vec<_> = backends.iter().map(HelloBackend::address).collect();
    let proxy = Proxy::start(&upstream_of(&addresses, "sticky: { cookie: session }"));
    let mut client = Http2Client::connect(proxy.address());
    let first = client.get("/");
    let cookie = first
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let name = first.header("x-backend").map(str::to_owned);
    for _ in 0..6 {
        let mut asked = request("GET", "/");
        asked
            .headers_mut()
            .append(COOKIE, "other=1".parse().unwrap());
        asked.headers_mut().append(COOKIE, cookie.parse().unwrap());
        let answer = client.send(asked).answer();
        assert_eq!(answer.header("x-backend").map(str::to_owned), name);
        assert_eq!(answer.header("set-cookie"), None);
    }
}
