//! Which route takes a request, through the front door.

use crate::support::{Answer, Backend, Client, Proxy, ask, get, get_with, in_front_of, ok};

/// Routes that answer with their own name, as `routes` in the file says.
fn proxy(routes: &str) -> Proxy {
    Proxy::start(&format!(
        "listeners:\n  - address: 127.0.0.1:0\nroutes:\n{routes}"
    ))
}

fn ask_host(proxy: &Proxy, host: &str) -> String {
    ask(
        proxy.address(),
        format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"),
    )
    .text()
}

#[test]
fn an_exact_host_wins_over_a_wildcard_and_a_wildcard_over_any() {
    let proxy = proxy(
        "  - { respond: { status: 200, body: any } }
  - { match: { host: '*.example.com' }, respond: { status: 200, body: wildcard } }
  - { match: { host: '*.api.example.com' }, respond: { status: 200, body: longer } }
  - { match: { host: [www.example.com, example.org] }, respond: { status: 200, body: exact } }
",
    );
    for (host, wanted) in [
        ("www.example.com", "exact"),
        ("example.org", "exact"),
        ("WWW.Example.COM:8080", "exact"),
        ("www.example.com.", "exact"),
        ("shop.example.com", "wildcard"),
        ("a.b.example.com", "wildcard"),
        ("v1.api.example.com", "longer"),
        ("example.com", "any"),
        ("notexample.com", "any"),
        ("127.0.0.1", "any"),
        ("[::1]:80", "any"),
    ] {
        assert_eq!(ask_host(&proxy, host), wanted, "{host}");
    }
}

#[test]
fn a_path_prefix_ends_at_a_segment_border_and_the_longest_wins() {
    let proxy = proxy(
        "  - { respond: { status: 200, body: any } }
  - { match: { path: /api/ }, respond: { status: 200, body: api } }
  - { match: { path: /api/v1 }, respond: { status: 200, body: v1 } }
  - { match: { path: { exact: /api/v1/me } }, respond: { status: 200, body: me } }
  - { match: { path: { regex: '^/v[0-9]+/' } }, respond: { status: 200, body: regex } }
",
    );
    for (path, wanted) in [
        ("/api", "api"),
        ("/api/", "api"),
        ("/api/x?y", "api"),
        ("/api?x", "api"),
        ("/apix", "any"),
        ("/API", "any"),
        ("/api/v1", "v1"),
        ("/api/v1/x", "v1"),
        ("/api/v10", "api"),
        ("/api/v1/me", "me"),
        ("/api/v1/me/", "v1"),
        ("/%61pi/x", "api"),
        ("/api%2Fv1", "any"),
        ("/v12/x", "regex"),
        ("/", "any"),
    ] {
        assert_eq!(proxy.get(path).text(), wanted, "{path}");
    }
}

#[test]
fn method_headers_and_query_are_matched_together() {
    let proxy = proxy(
        "  - { respond: { status: 200, body: any } }
  - match: { method: [GET, HEAD], headers: { X-Version: '2', X-Debug: { present: false } }, query: { page: { regex: '^[0-9]+$' } } }
    respond: { status: 200, body: all }
",
    );
    let answered = |target: &str, headers: &str| get_with(proxy.address(), target, headers).text();
    assert_eq!(answered("/?page=12", "x-version: 2\r\n"), "all");
    assert_eq!(answered("/?page=x", "x-version: 2\r\n"), "any");
    assert_eq!(answered("/?page=12", ""), "any");
    assert_eq!(
        answered("/?page=12", "X-Version: 2\r\nX-Debug: 1\r\n"),
        "any"
    );
    let post =
        "POST /?page=12 HTTP/1.1\r\nHost: a.test\r\nX-Version: 2\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(ask(proxy.address(), post).text(), "any");
}

#[test]
fn a_route_can_be_for_one_of_two_listeners() {
    let proxy = Proxy::start(
        "listeners:
  - { address: 127.0.0.1:0, name: public }
  - { address: 0.0.0.0:0, name: internal }
routes:
  - { match: { listener: internal }, respond: { status: 200, body: inside } }
  - { match: { listener: public, path: /p }, respond: { status: 200, body: outside } }
",
    );
    let public = proxy.address_like("127.0.0.1:");
    let mut internal = proxy.address_like("0.0.0.0:");
    internal.set_ip(public.ip());
    let text = |address, target| get(address, target).text();
    assert_eq!(text(internal, "/p"), "inside");
    assert_eq!(text(public, "/p"), "outside");
    assert_eq!(get(public, "/").status, 404);
}

fn assert_body(answer: &Answer, body: &str) {
    assert_eq!(answer.text(), body);
    assert_eq!(answer.values("Content-Length"), [body.len().to_string()]);
}

#[test]
fn a_route_can_answer_by_itself_with_status_headers_and_body() {
    let proxy = proxy(
        "  - respond: { status: 451, headers: { Content-Type: text/html, X-Two: [one, two] }, body: \"<p>Gone\\n\" }
",
    );
    let answer = proxy.get("/");
    assert_eq!(answer.status, 451);
    assert_body(&answer, "<p>Gone\n");
    assert_eq!(answer.values("Content-Type"), ["text/html"]);
    assert_eq!(answer.values("X-Two"), ["one", "two"]);
    assert_eq!(answer.values("X-Request-Id").len(), 1);
    assert_eq!(answer.header("Proxy-Status"), None);
}

#[test]
fn an_answer_to_head_has_the_headers_of_the_answer_to_get_and_no_body() {
    let proxy = proxy("  - respond: { status: 200, body: hello }\n");
    let mut client = Client::connect(proxy.address());
    client.send("HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let answer = client.answer_without_body();
    assert_eq!(answer.header("Content-Length"), Some("5"));
    // A body would be taken for the start of the next answer.
    let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_body(&answer, "hello");
}

#[test]
fn an_answer_without_content_has_no_length() {
    let proxy = proxy("  - respond: { status: 204 }\n");
    let mut client = Client::connect(proxy.address());
    for _ in 0..2 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!(
            (answer.status, answer.header("Content-Length")),
            (204, None)
        );
    }
}

#[test]
fn an_answer_of_a_route_leaves_no_request_body_behind() {
    let proxy = proxy("  - respond: { status: 200, body: hello }\n");
    let mut client = Client::connect(proxy.address());
    for _ in 0..2 {
        let answer = client.ask(
            "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 18\r\n\r\nGET /x HTTP/1.1\r\n\r",
        );
        assert_body(&answer, "hello");
    }
    let answer = client.ask(
        "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    assert_body(&answer, "hello");
    assert_body(
        &client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        "hello",
    );
}

#[test]
fn routes_lead_to_different_upstreams() {
    let (one, other) = (
        Backend::answering(|_| ok("one")),
        Backend::answering(|_| ok("other")),
    );
    let proxy = Proxy::start(&format!(
        "listeners:
  - address: 127.0.0.1:0
upstreams:
  one: {{ backends: [{}] }}
  other: {{ backends: [{}] }}
routes:
  - {{ upstream: one }}
  - {{ match: {{ path: /other }}, upstream: other }}
",
        one.address(),
        other.address()
    ));
    assert_eq!(proxy.get("/").text(), "one");
    assert_eq!(proxy.get("/other/x").text(), "other");
    assert_eq!(other.requests()[0].target(), "/other/x");
}

#[test]
fn a_backend_can_be_named_by_its_host_name() {
    let backend = Backend::answering(|_| ok("fine"));
    let file = in_front_of(&[backend.address()]);
    let proxy = Proxy::start(&file.replace(
        &format!("[{}]", backend.address()),
        &format!("[localhost:{}]", backend.address().port()),
    ));
    for _ in 0..3 {
        assert_eq!(proxy.get("/").text(), "fine");
    }
}

#[test]
fn a_higher_priority_wins_over_a_longer_path() {
    let proxy = proxy(
        "  - { match: { path: /api/v1 }, respond: { body: longer } }
  - { match: { path: /api }, priority: 1, respond: { body: higher } }
",
    );
    assert_eq!(proxy.get("/api/v1/x").text(), "higher");
}

#[test]
fn headers_are_matched_by_expression_and_arguments_by_presence() {
    let proxy = proxy(
        "  - { respond: { body: any } }
  - { match: { headers: { X-Tenant: { regex: '^[a-z]+$' } } }, respond: { body: tenant } }
  - { match: { query: { debug: { present: true } } }, respond: { body: debug } }
",
    );
    let answered = |target: &str, headers: &str| get_with(proxy.address(), target, headers).text();
    assert_eq!(answered("/", "X-Tenant: blue\r\n"), "tenant");
    assert_eq!(answered("/", "X-Tenant: 12\r\n"), "any");
    assert_eq!(answered("/?debug", ""), "debug");
    assert_eq!(answered("/?bug", ""), "any");
}
