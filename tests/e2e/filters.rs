//! The built-in filters, on the wire.

use crate::support::{Answer, Backend, Client, Proxy, ask, get_with, ok};

/// One route to `backend` with these filters, and one that is answered here.
fn proxy(backend: &Backend, filters: &str) -> Proxy {
    let address = backend.address();
    Proxy::start(&format!(
        "trusted_proxies: [127.0.0.1]\nlisteners: [{{ address: 127.0.0.1:0, name: public }}]\n\
         upstreams: {{ web: {{ backends: [{address}] }}, gone: {{ backends: [127.0.0.1:1] }} }}\n\
         filters: {filters}\n\
         routes:\n  - upstream: web\n  - match: {{ path: /ours }}\n    respond: {{ body: ours }}\n\
         \x20 - match: {{ path: /gone }}\n    upstream: gone\n"
    ))
}

fn echo() -> Backend {
    Backend::answering(|request| ok(&request.head))
}

/// The head that the backend gets of this one.
fn received(filters: &str, head: &str) -> String {
    let backend = echo();
    let answer = ask(proxy(&backend, filters).address(), head);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text()
}

fn lines<'h>(head: &'h str, name: &str) -> Vec<&'h str> {
    let named = |line: &&str| {
        line.to_ascii_lowercase()
            .starts_with(&format!("{}:", name.to_ascii_lowercase()))
    };
    head.lines().filter(named).collect()
}

#[test]
fn request_headers_are_set_added_and_removed_in_their_places() {
    let head = received(
        "[request_headers: { set: { x-a: new, X-New: '$remote_addr $http_x_b $$' }, add: { X-B: [two, three] }, remove: [X-C] }]",
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\nX-A: 11\r\nX-B: one\r\nX-C: 3\r\nX-D: 4\r\n\r\n",
    );
    let ours = ["x-real-ip", "x-forwarded", "x-request-id"];
    let own: Vec<_> = head
        .lines()
        .skip(1)
        .filter(|line| line.to_ascii_lowercase().starts_with("x-"))
        .filter(|line| {
            !ours
                .iter()
                .any(|name| line.to_ascii_lowercase().starts_with(name))
        })
        .collect();
    assert_eq!(
        own,
        [
            "x-a: new",
            "X-B: one",
            "X-B: two",
            "X-B: three",
            "X-D: 4",
            "X-New: 127.0.0.1 one $"
        ]
    );
}

#[test]
fn request_headers_have_the_last_word_over_the_forwarded_ones() {
    let head = received(
        "[request_headers: { set: { Host: inside.test, X-Real-IP: $host, X-Forwarded-For: $remote_addr, X-Request-Id: mine }, \
         remove: [X-Forwarded-Proto] }]",
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n\r\n",
    );
    for line in [
        "Host: inside.test",
        "X-Real-IP: a.test",
        "X-Forwarded-For: 203.0.113.9",
        "X-Request-Id: mine",
    ] {
        let (name, _) = line.split_once(':').unwrap();
        assert_eq!(lines(&head, name), [line], "{head}");
    }
    assert_eq!(lines(&head, "x-forwarded-proto"), [""; 0]);
    assert_eq!(
        lines(&head, "x-forwarded-host"),
        ["X-Forwarded-Host: a.test"]
    );
}

#[test]
fn a_header_that_is_set_to_nothing_is_removed() {
    let head = received(
        "[request_headers: { set: { X-User: $cookie_user }, add: { X-More: $arg_more } }]",
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-User: admin\r\n\r\n",
    );
    assert!(
        !head.to_ascii_lowercase().contains("x-user") && !head.contains("X-More"),
        "{head}"
    );
}

#[test]
fn no_value_ends_a_header_line_before_its_end() {
    let head = received(
        "[request_headers: { set: { X-Path: $uri } }]",
        "GET /a%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: a.test\r\n\r\n",
    );
    assert_eq!(lines(&head, "x-path"), ["X-Path: /a%0D%0AX-Evil: 1"]);
    assert_eq!(lines(&head, "x-evil"), [""; 0]);
}

#[test]
fn response_headers_know_the_answer() {
    let backend = Backend::answering(
        |_| "HTTP/1.1 203 OK\r\nServer: theirs\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\nContent-Length: 0\r\n\r\n",
    );
    let proxy = proxy(
        &backend,
        "[response_headers: { set: { X-Kept: '$upstream_http_server $upstream_addr', X-Two: '$status' }, \
         add: { X-Three: [more] }, remove: [Server, x-one] }]",
    );
    let answer = proxy.get("/");
    let names: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let wanted = [
        "X-Two",
        "X-Three",
        "X-Three",
        "Content-Length",
        "X-Request-Id",
        "X-Kept",
    ];
    assert_eq!(
        names.iter().filter(|name| wanted.contains(name)).count(),
        6,
        "{names:?}"
    );
    assert!(!names.contains(&"Server") && !names.contains(&"X-One"));
    assert_eq!(
        answer.header("x-kept"),
        Some(format!("theirs {}", backend.address()).as_str())
    );
    assert_eq!(answer.header("x-two"), Some("203"));
    assert_eq!(answer.values("x-three"), ["3", "more"]);
    let ours = proxy.get("/ours");
    assert_eq!(
        (ours.header("x-two"), ours.header("x-kept")),
        (Some("200"), None)
    );
    assert_eq!(proxy.get("/gone").header("x-two"), Some("502"));
}

#[test]
fn the_backend_is_sent_the_rewritten_path_and_the_query_as_it_came() {
    for (rule, target, wanted) in [
        (
            "{ strip_prefix: /api/ }",
            "/api/a%2Fb/%7e?x=%20&y",
            "/a%2Fb/%7e?x=%20&y",
        ),
        ("{ strip_prefix: /api }", "/apix/../y", "/apix/../y"),
        ("{ add_prefix: /v1 }", "//x;y", "/v1//x;y"),
        ("{ path: '/u/$arg_id' }", "/z?id=7", "/u/7?id=7"),
        (
            "{ regex: '^/(?<lang>[a-z]{2})/(.*)', to: '/$2/${path_lang}' }",
            "/de/x%20y?q",
            "/x%20y/de?q",
        ),
    ] {
        let head = received(
            &format!("[rewrite: {rule}]"),
            &format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        );
        assert_eq!(head.split(' ').nth(1), Some(wanted), "{rule}");
    }
}

#[test]
fn an_absolute_target_is_rewritten_to_a_path() {
    let head = received(
        "[rewrite: { strip_prefix: /api }]",
        "GET http://a.test/api/x?y HTTP/1.1\r\nHost: a.test\r\n\r\n",
    );
    assert!(
        head.starts_with("GET /x?y HTTP/1.1\r\nHost: a.test\r\n"),
        "{head}"
    );
}

#[test]
fn the_log_and_the_routes_see_the_path_as_the_client_sent_it() {
    let backend = echo();
    let proxy = proxy(
        &backend,
        "[rewrite: { path: /ours }, request_headers: { set: { X-Uri: $request_uri } }]",
    );
    let answer = proxy.get("/theirs?q");
    assert!(answer.text().starts_with("GET /ours?q "), "{answer:?}");
    assert_eq!(lines(&answer.text(), "x-uri"), ["X-Uri: /theirs?q"]);
    assert_eq!(
        proxy.logged(|line| line["status"] == 200)["request_uri"],
        "/theirs?q"
    );
}

#[test]
fn a_rewrite_never_climbs_out() {
    let backend = echo();
    let proxy = proxy(
        &backend,
        "[rewrite: { regex: '^/files(.*)', to: '/data/$1' }]",
    );
    let answer = proxy.get("/files../secret");
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.header("proxy-status"),
        Some("evenkeel; error=http_request_error")
    );
    assert!(backend.requests().is_empty());
}

fn assert_is_too_large(answer: &Answer) {
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(
        answer.header("proxy-status"),
        Some("evenkeel; error=http_request_error")
    );
    assert!(answer.text().contains("too large"));
}

#[test]
fn a_body_whose_length_says_that_it_is_too_large_is_refused_at_once() {
    let backend = echo();
    let proxy = proxy(&backend, "[body_limit: 1KiB]");
    let post = |length: usize| {
        let body = "x".repeat(length);
        let head =
            format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n{body}");
        ask(proxy.address(), head)
    };
    assert_eq!(post(1024).status, 200);
    assert_is_too_large(&post(1025));
    let mut client = Client::connect(proxy.address());
    // The client waits to be told to go on, and is told not to.
    let head = "POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n";
    assert_is_too_large(&client.ask(head));
    assert_eq!(backend.requests().len(), 1);
    assert_eq!(
        proxy.logged(|line| line["status"] == 413)["error"],
        "http_request_error"
    );
}

#[test]
fn a_body_of_unknown_length_is_counted_as_it_comes() {
    let backend = Backend::start(|conversation| {
        conversation.wait_for(b"\r\n0\r\n\r\n");
        conversation.send(ok("whole"));
    });
    let proxy = proxy(&backend, "[body_limit: 10]");
    let head = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = Client::connect(proxy.address());
    client.send(head);
    client.send("5\r\nhello\r\n");
    let answer = client.ask("5\r\nworld\r\n0\r\n\r\n");
    assert_eq!(answer.text(), "whole", "ten bytes are allowed");
    let mut client = Client::connect(proxy.address());
    client.send(head);
    client.send("5\r\nhello\r\n");
    assert_is_too_large(&client.ask("6\r\nworld!\r\n"));
    assert!(client.is_closed());
    assert_eq!(proxy.get("/ours").status, 200);
}

#[test]
fn a_body_that_is_sent_again_is_counted_again() {
    let resetting = Backend::start(|conversation| {
        conversation.wait_for(b"\r\n0\r\n\r\n");
        conversation.reset();
    });
    let good = Backend::start(|conversation| {
        conversation.wait_for(b"\r\n0\r\n\r\n");
        conversation.send(ok("whole"));
    });
    let proxy = Proxy::start(&format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]\nupstreams: {{ web: {{ backends: [{}, {}] }} }}\n\
         routes: [{{ upstream: web, filters: [body_limit: 10] }}]\n",
        resetting.address(),
        good.address()
    ));
    let head = "PUT / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n0\r\n\r\n";
    for _ in 0..2 {
        let answer = ask(proxy.address(), head);
        assert_eq!((answer.status, answer.text().as_str()), (200, "whole"));
    }
}

#[test]
fn clients_are_let_in_by_their_address_behind_trusted_proxies() {
    let backend = echo();
    let proxy = proxy(
        &backend,
        "[ip_access: { allow: [203.0.113.0/24, 127.0.0.1], deny: [203.0.113.9] }]",
    );
    let from = |client: &str| {
        let header = format!("X-Forwarded-For: {client}\r\n");
        get_with(proxy.address(), "/", &header)
    };
    assert_eq!(proxy.get("/").status, 200);
    assert_eq!(from("203.0.113.7").status, 200);
    for stranger in ["203.0.113.9", "198.51.100.1"] {
        let answer = from(stranger);
        assert_eq!(answer.status, 403);
        assert_eq!(
            answer.header("proxy-status"),
            Some("evenkeel; error=http_request_denied")
        );
    }
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn filters_stand_at_the_top_level_at_a_listener_and_at_a_route() {
    let backend = echo();
    let proxy = Proxy::start(&format!(
        "filters: [request_headers: {{ add: {{ X-Passed: top }} }}]
listeners:
  - address: 127.0.0.1:0
    filters: [request_headers: {{ add: {{ X-Passed: listener }} }}]
upstreams: {{ web: {{ backends: [{}] }} }}
routes:
  - upstream: web
    filters: [request_headers: {{ add: {{ X-Passed: route }} }}]
",
        backend.address()
    ));
    assert_eq!(
        lines(&proxy.get("/").text(), "x-passed"),
        ["X-Passed: top", "X-Passed: listener", "X-Passed: route"]
    );
}
