//! What a backend is told of the client: exactly what an nginx user expects, and nothing that a client made up.

use crate::support::{Answer, HelloBackend, Proxy, ask, get_with};

/// A hello service behind the proxy, with more lines at the top level of its file and in its route.
fn hello_behind(top_level: &str, route: &str) -> (HelloBackend, Proxy) {
    let hello = HelloBackend::start("app1");
    let proxy = Proxy::start(&format!(
        "listeners:
  - address: 127.0.0.1:0
{top_level}
upstreams:
  hello:
    backends: [{}]
routes:
  - upstream: hello
{route}
",
        hello.address()
    ));
    (hello, proxy)
}

const TRUSTED: &str = "trusted_proxies: [127.0.0.0/8]";

/// What the backend got under `name`; a header that came twice is no header of which one can be sure.
fn received(answer: &Answer, name: &str) -> Option<String> {
    let headers = answer.received();
    let mut values = headers
        .iter()
        .filter(|(found, _)| found.eq_ignore_ascii_case(name));
    let value = values.next().map(|(_, value)| value.clone());
    assert_eq!(values.next(), None, "{name} came twice: {headers:?}");
    value
}

fn assert_received(answer: &Answer, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(received(answer, name).as_deref(), Some(*value), "{name}");
    }
}

#[test]
fn a_spoofed_x_real_ip_is_overwritten_and_x_forwarded_for_gets_the_peer_appended() {
    let (_hello, proxy) = hello_behind("", "");
    let answer = get_with(
        proxy.address(),
        "/headers",
        "X-Real-IP: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\n",
    );
    assert_received(
        &answer,
        &[
            ("X-Real-IP", "127.0.0.1"),
            ("X-Forwarded-For", "6.6.6.6, 127.0.0.1"),
            ("Host", "a.test"),
            ("X-Forwarded-Proto", "http"),
        ],
    );
}

#[test]
fn a_request_without_forwarded_headers_gets_all_of_them() {
    let (_hello, proxy) = hello_behind("", "");
    let port = proxy.address().port().to_string();
    assert_received(
        &proxy.get("/headers"),
        &[
            ("X-Real-IP", "127.0.0.1"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "a.test"),
            ("X-Forwarded-Port", &port),
        ],
    );
}

#[test]
fn what_a_client_claims_of_scheme_host_and_port_is_overwritten() {
    let (_hello, proxy) = hello_behind("", "");
    let port = proxy.address().port().to_string();
    let answer = get_with(
        proxy.address(),
        "/headers",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: bank.test\r\nX-Forwarded-Port: 443\r\n",
    );
    assert_received(
        &answer,
        &[
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "a.test"),
            ("X-Forwarded-Port", &port),
        ],
    );
}

#[test]
fn from_a_trusted_proxy_the_client_is_who_it_says() {
    let (_hello, proxy) = hello_behind(TRUSTED, "");
    let answer = get_with(
        proxy.address(),
        "/headers",
        "X-Real-IP: 7.7.7.7\r\nX-Forwarded-For: 6.6.6.6\r\n",
    );
    assert_received(
        &answer,
        &[
            ("X-Real-IP", "6.6.6.6"),
            ("X-Forwarded-For", "6.6.6.6, 127.0.0.1"),
        ],
    );
    let logged = proxy.logged(|line| line["request_uri"] == "/headers");
    assert_eq!(logged["remote_addr"], "6.6.6.6");
    assert_eq!(logged["realip_remote_addr"], "127.0.0.1");
}

#[test]
fn the_client_is_the_last_one_that_is_not_a_trusted_proxy() {
    let (_hello, proxy) = hello_behind("trusted_proxies: [127.0.0.1, 10.0.0.0/8]", "");
    let answer = get_with(
        proxy.address(),
        "/headers",
        "X-Forwarded-For: 6.6.6.6, 8.8.8.8\r\nX-Forwarded-For: 10.1.2.3\r\n",
    );
    assert_received(
        &answer,
        &[
            ("X-Real-IP", "8.8.8.8"),
            ("X-Forwarded-For", "6.6.6.6, 8.8.8.8, 10.1.2.3, 127.0.0.1"),
        ],
    );
}

#[test]
fn a_trusted_proxy_may_say_scheme_host_and_port() {
    let (_hello, proxy) = hello_behind(TRUSTED, "");
    let answer = get_with(
        proxy.address(),
        "/headers",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\nX-Forwarded-Port: 443\r\n",
    );
    assert_received(
        &answer,
        &[
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "shop.test"),
            ("X-Forwarded-Port", "443"),
        ],
    );
}

#[test]
fn host_reaches_the_backend_as_the_client_sent_it() {
    let (_hello, proxy) = hello_behind("", "");
    let answer = ask(
        proxy.address(),
        "GET /headers HTTP/1.1\r\nHost: ShOp.Test:8080\r\n\r\n",
    );
    assert_received(
        &answer,
        &[
            ("Host", "ShOp.Test:8080"),
            ("X-Forwarded-Host", "ShOp.Test:8080"),
        ],
    );
}

#[test]
fn a_request_id_is_made_sent_on_returned_and_logged() {
    let (_hello, proxy) = hello_behind("", "");
    let answer = get_with(proxy.address(), "/headers", "X-Request-Id: made-up\r\n");
    let id = answer.header("X-Request-Id").unwrap();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'7'), "no UUIDv7: {id}");
    assert_received(&answer, &[("X-Request-Id", id)]);
    proxy.logged(|line| line["request_id"] == id);
    assert_ne!(proxy.get("/").header("X-Request-Id"), Some(id));
}

#[test]
fn a_request_id_of_a_trusted_proxy_is_kept() {
    let (_hello, proxy) = hello_behind(TRUSTED, "");
    let answer = get_with(
        proxy.address(),
        "/headers",
        "X-Request-Id: from-outside-1\r\n",
    );
    assert_eq!(answer.values("X-Request-Id"), ["from-outside-1"]);
    assert_received(&answer, &[("X-Request-Id", "from-outside-1")]);
    proxy.logged(|line| line["request_id"] == "from-outside-1");
}

#[test]
fn the_request_id_travels_in_the_header_that_the_file_names() {
    let (_hello, proxy) = hello_behind("request_id: { header: X-Correlation-Id }", "");
    let answer = proxy.get("/headers");
    let id = answer.header("X-Correlation-Id").unwrap();
    assert_received(&answer, &[("X-Correlation-Id", id)]);
    assert_eq!(answer.header("X-Request-Id"), None);
    assert!(
        answer
            .headers
            .iter()
            .any(|(name, _)| name == "X-Correlation-Id")
    );
}

#[test]
fn forwarded_headers_can_be_turned_off_for_all_routes() {
    let off = "forwarded: { x_forwarded_for: off, x_forwarded_proto: false, x_forwarded_host: false, \
               x_forwarded_port: false, x_real_ip: false }";
    let (_hello, proxy) = hello_behind(off, "");
    let answer = get_with(
        proxy.address(),
        "/headers",
        "X-Real-IP: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n",
    );
    for name in [
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
    ] {
        assert_eq!(received(&answer, name), None, "{name}");
    }
}

#[test]
fn a_route_overrides_single_forwarded_headers_of_the_top_level() {
    let (_hello, proxy) = hello_behind(
        "forwarded: { x_forwarded_proto: false, x_forwarded_host: false }",
        "    forwarded: { x_forwarded_for: replace, x_forwarded_proto: true }",
    );
    let answer = get_with(proxy.address(), "/headers", "X-Forwarded-For: 6.6.6.6\r\n");
    assert_received(
        &answer,
        &[
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Forwarded-Proto", "http"),
        ],
    );
    assert_eq!(received(&answer, "X-Forwarded-Host"), None);
}

#[test]
fn a_backend_can_be_given_its_own_address_as_host() {
    let (hello, proxy) = hello_behind("forwarded: { host: upstream }", "");
    let host = hello.address().to_string();
    assert_received(
        &proxy.get("/headers"),
        &[("Host", &host), ("X-Forwarded-Host", "a.test")],
    );
}

#[test]
fn the_forwarded_header_of_rfc_7239_is_sent_on_request() {
    let (_hello, proxy) = hello_behind("forwarded: { rfc7239: true }", "");
    let answer = proxy.get("/headers");
    let forwarded = received(&answer, "Forwarded").unwrap();
    for part in ["for=127.0.0.1", "host=a.test", "proto=http"] {
        assert!(
            forwarded.split(';').any(|found| found == part),
            "{part} in {forwarded}"
        );
    }
    let (_hello, proxy) = hello_behind("", "");
    assert_eq!(received(&proxy.get("/headers"), "Forwarded"), None);
}

#[test]
fn x_forwarded_for_is_appended_to_or_replaced() {
    for (how, expected) in [("append", "6.6.6.6, 127.0.0.1"), ("replace", "127.0.0.1")] {
        let keys = format!("forwarded: {{ x_forwarded_for: {how}, host: preserve }}");
        let (_hello, proxy) = hello_behind(&keys, "");
        let answer = get_with(proxy.address(), "/headers", "X-Forwarded-For: 6.6.6.6\r\n");
        assert_received(
            &answer,
            &[("X-Forwarded-For", expected), ("Host", "a.test")],
        );
    }
}

#[test]
fn each_forwarded_key_of_a_route_wins_over_the_top_level() {
    let (_hello, proxy) = hello_behind(
        "forwarded: { x_forwarded_for: off, x_forwarded_proto: false, x_forwarded_host: false, \
         x_forwarded_port: false, x_real_ip: false, rfc7239: false, host: upstream }",
        "    forwarded: { x_forwarded_for: append, x_forwarded_proto: true, x_forwarded_host: true, \
         x_forwarded_port: true, x_real_ip: true, rfc7239: true, host: preserve }",
    );
    let port = proxy.address().port().to_string();
    let answer = get_with(proxy.address(), "/headers", "X-Forwarded-For: 6.6.6.6\r\n");
    assert_received(
        &answer,
        &[
            ("X-Forwarded-For", "6.6.6.6, 127.0.0.1"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "a.test"),
            ("X-Forwarded-Port", &port),
            ("X-Real-IP", "127.0.0.1"),
            ("Host", "a.test"),
        ],
    );
    assert!(received(&answer, "Forwarded").is_some());
}

#[test]
fn a_route_can_leave_out_x_forwarded_for_and_send_the_backend_s_address_as_host() {
    let (hello, proxy) = hello_behind(
        "",
        "    forwarded: { x_forwarded_for: off, host: upstream }",
    );
    let answer = proxy.get("/headers");
    assert_received(&answer, &[("Host", &hello.address().to_string())]);
    assert_eq!(received(&answer, "X-Forwarded-For"), None);
}
