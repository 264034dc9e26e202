//! Headers on their way through: what concerns one connection stays there, everything else arrives as it was sent.

use crate::support::{Backend, Client, Proxy, ask, in_front_of, ok};

/// The head that reached the backend, for this one from the client.
fn head_received(head: &str) -> String {
    let backend = Backend::answering(|_| ok("fine"));
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    assert_eq!(ask(proxy.address(), head).status, 200);
    backend.requests().remove(0).head
}

/// The lines of `head` whose names start with `X-` and are none of ours, in order.
fn own_lines(head: &str) -> Vec<&str> {
    let ours = ["x-real-ip", "x-forwarded-", "x-request-id"];
    head.lines()
        .filter(|line| line.to_ascii_lowercase().starts_with("x-"))
        .filter(|line| {
            !ours
                .iter()
                .any(|name| line.to_ascii_lowercase().starts_with(name))
        })
        .collect()
}

#[test]
fn hop_by_hop_headers_do_not_reach_the_backend() {
    let head = head_received(
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X-Sum\r\nX-Kept: 1\r\n\r\n",
    );
    let head = head.to_ascii_lowercase();
    for name in ["keep-alive:", "proxy-connection:", "te:", "trailer:"] {
        assert!(
            !head.lines().any(|line| line.starts_with(name)),
            "{name} in {head}"
        );
    }
    assert!(head.contains("x-kept: 1"));
}

#[test]
fn headers_that_connection_names_do_not_reach_the_backend() {
    let head = head_received(
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: X-Secret, close\r\nConnection: x-other\r\n\
         X-Secret: 1\r\nX-Other: 2\r\nX-Kept: 3\r\n\r\n",
    );
    assert_eq!(own_lines(&head), ["X-Kept: 3"], "{head}");
}

#[test]
fn connection_cannot_take_the_forwarded_headers_away() {
    let head = head_received(
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: X-Real-IP, X-Forwarded-For, X-Request-Id, Host\r\n\r\n",
    );
    for line in [
        "Host: a.test",
        "X-Real-IP: 127.0.0.1",
        "X-Forwarded-For: 127.0.0.1",
    ] {
        assert!(head.lines().any(|found| found == line), "{line} in {head}");
    }
    assert!(head.contains("X-Request-Id: "), "{head}");
}

#[test]
fn case_order_and_duplicates_of_request_headers_are_kept() {
    let head = head_received(
        "GET / HTTP/1.1\r\nhOsT: a.test\r\nX-Zebra: 1\r\nX-ZEBRA: 3\r\nx-apple: 2\r\nx-apple: 2\r\nX-Mango: 4\r\n\r\n",
    );
    assert_eq!(
        own_lines(&head),
        [
            "X-Zebra: 1",
            "X-ZEBRA: 3",
            "x-apple: 2",
            "x-apple: 2",
            "X-Mango: 4"
        ]
    );
    assert!(head.contains("\r\nhOsT: a.test\r\n"), "{head}");
}

/// The order of different names means nothing in HTTP (RFC 9110 §5.3).
#[test]
fn request_headers_of_one_name_go_out_together_where_the_first_stood() {
    let head = head_received(
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-Zebra: 1\r\nx-apple: 2\r\nX-ZEBRA: 3\r\nX-Mango: 4\r\nx-apple: 2\r\n\r\n",
    );
    assert_eq!(
        own_lines(&head),
        [
            "X-Zebra: 1",
            "X-ZEBRA: 3",
            "x-apple: 2",
            "x-apple: 2",
            "X-Mango: 4"
        ]
    );
}

/// The headers of these names, for an answer of the backend with these lines.
fn answer_headers(lines: &str, names: &[&str]) -> Vec<String> {
    let answer = format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok");
    let backend = Backend::answering(move |_| answer.clone());
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let headers = proxy.get("/").headers.into_iter();
    headers
        .filter(|(name, _)| names.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect()
}

#[test]
fn case_order_and_duplicates_of_answer_headers_are_kept() {
    let found = answer_headers(
        "X-Zebra: 1\r\nX-ZEBRA: 3\r\nset-COOKIE: a=1\r\nSet-Cookie: b=2\r\nX-apple: 2\r\n",
        &["X-Zebra", "X-ZEBRA", "set-COOKIE", "Set-Cookie", "X-apple"],
    );
    assert_eq!(
        found,
        [
            "X-Zebra: 1",
            "X-ZEBRA: 3",
            "set-COOKIE: a=1",
            "Set-Cookie: b=2",
            "X-apple: 2"
        ]
    );
}

#[test]
fn answer_headers_of_one_name_go_out_together_where_the_first_stood() {
    let found = answer_headers(
        "X-Zebra: 1\r\nset-COOKIE: a=1\r\nX-apple: 2\r\nSet-Cookie: b=2\r\nX-ZEBRA: 3\r\n",
        &["X-Zebra", "X-ZEBRA", "set-COOKIE", "Set-Cookie", "X-apple"],
    );
    assert_eq!(
        found,
        [
            "X-Zebra: 1",
            "X-ZEBRA: 3",
            "set-COOKIE: a=1",
            "Set-Cookie: b=2",
            "X-apple: 2"
        ]
    );
}

#[test]
fn hop_by_hop_headers_of_an_answer_do_not_reach_the_client() {
    let backend = Backend::answering(|_| {
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Internal\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: keep-alive\r\nX-Internal: 1\r\nX-Kept: 2\r\nContent-Length: 2\r\n\r\nok"
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let answer = proxy.get("/");
    for name in ["Keep-Alive", "Proxy-Connection", "X-Internal"] {
        assert_eq!(answer.header(name), None, "{name} in {answer:?}");
    }
    assert_eq!(answer.header("X-Kept"), Some("2"));
}

#[test]
fn a_backend_that_closes_its_connection_does_not_close_the_clients() {
    let backend =
        Backend::saying("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let mut client = Client::connect(proxy.address());
    for _ in 0..3 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!(answer.status, 200);
        assert_ne!(answer.header("connection"), Some("close"));
    }
}

#[test]
fn the_target_reaches_the_backend_byte_for_byte() {
    for target in [
        "/a%2Fb//c/./d?x=%20",
        "/%zz/../%7e?",
        "/?a=b&&c",
        "//double//",
        "/caf%C3%A9;v=1",
    ] {
        let head = head_received(&format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert!(
            head.starts_with(&format!("GET {target} HTTP/1.1\r\n")),
            "{head}"
        );
    }
}
