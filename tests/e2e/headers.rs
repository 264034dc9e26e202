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

/// A configuration whose answers pass a filter on their way, and one whose answers pass none: these are not read line by line.
fn with_a_filter_and_without(backend: &Backend) -> [String; 2] {
    let without = in_front_of(&[backend.address()]);
    let with = format!("{without}    filters: [response_headers: {{ remove: [X-Not-There] }}]\n");
    [with, without]
}

/// The header lines that clients get of an answer with these, with a filter and without; but for those that are ours.
fn answer_lines(lines: &str) -> [Vec<String>; 2] {
    let answer = format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok");
    let backend = Backend::answering(move |_| answer.clone());
    with_a_filter_and_without(&backend).map(|file| {
        let proxy = Proxy::start(&file);
        let headers = proxy.get("/").headers.into_iter();
        let ours = ["Date", "Connection", "Content-Length", "X-Request-Id"];
        headers
            .filter(|(name, _)| !ours.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {value}"))
            .collect()
    })
}

#[test]
fn case_order_and_duplicates_of_answer_headers_are_kept() {
    let lines = "X-Zebra: 1\r\nX-ZEBRA: 3\r\nset-COOKIE: a=1\r\nSet-Cookie: b=2\r\nX-apple: 2\r\n";
    for found in answer_lines(lines) {
        let found = found.iter().map(|line| format!("{line}\r\n"));
        assert_eq!(found.collect::<String>(), lines);
    }
}

#[test]
fn answer_headers_of_one_name_go_out_together_behind_filters_and_as_they_came_otherwise() {
    let [with_a_filter, without] = answer_lines(
        "X-Zebra: 1\r\nset-COOKIE: a=1\r\nX-apple: 2\r\nSet-Cookie: b=2\r\nX-ZEBRA: 3\r\n",
    );
    assert_eq!(
        with_a_filter,
        [
            "X-Zebra: 1",
            "X-ZEBRA: 3",
            "set-COOKIE: a=1",
            "Set-Cookie: b=2",
            "X-apple: 2"
        ]
    );
    assert_eq!(
        without,
        [
            "X-Zebra: 1",
            "set-COOKIE: a=1",
            "X-apple: 2",
            "Set-Cookie: b=2",
            "X-ZEBRA: 3"
        ]
    );
}

#[test]
fn an_answer_is_the_same_with_a_filter_on_its_way_and_without() {
    let bodies = [
        "Content-Length: 2\r\n\r\nok",
        "Content-Length: 2\r\ncontent-length: 2\r\n\r\nok",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "Connection: close\r\nContent-Length: 2\r\n\r\nok",
        "Connection: X-Internal, close\r\nX-Internal: 1\r\nContent-Length: 2\r\n\r\nok",
        "Keep-Alive: timeout=5\r\nUpgrade: h2c\r\nTrailer: X-Sum\r\nContent-Length: 0\r\n\r\n",
        "X-Request-Id: theirs\r\nx-request-ID: twice\r\nContent-Length: 2\r\n\r\nok",
        "X-Name: caf\u{e9}\r\nX-Empty:\r\nX-Spaces:  a  b  \r\nContent-Length: 2\r\n\r\nok",
    ];
    for begin in [
        "HTTP/1.1 200 OK",
        "HTTP/1.1 404 Nowhere to be found",
        "HTTP/1.1 500 ",
        "HTTP/1.0 200 OK",
    ] {
        for rest in bodies {
            let is_old = begin.starts_with("HTTP/1.0");
            if is_old && rest.contains("chunked") {
                continue;
            }
            let answer = format!("{begin}\r\nSERVER: they\r\n{rest}");
            let told = answer.clone();
            let backend = Backend::answering(move |_| answer.clone());
            let [with_a_filter, without] = with_a_filter_and_without(&backend).map(|file| {
                let proxy = Proxy::start(&file);
                let mut answer = proxy.get("/");
                for (name, value) in &mut answer.headers {
                    if ["Date", "X-Request-Id"].contains(&name.as_str()) {
                        value.clear();
                    }
                }
                answer.headers.sort();
                answer
            });
            assert_eq!(
                format!("{with_a_filter:?}"),
                format!("{without:?}"),
                "{told}"
            );
            assert_eq!(without.header("Server"), Some("they"), "{told}");
        }
    }
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
