//! What a route can do with its requests besides sending them to one upstream: share them out, send the client elsewhere.

use std::collections::BTreeMap;

use crate::support::{Backend, Client, Proxy, ask, get, get_with, ok};

/// Two upstreams of one backend each, which answer with their names, one that nobody answers at, and this `split`.
fn split(split: &str) -> (Proxy, [Backend; 2]) {
    let backends = [
        Backend::answering(|_| ok("stable")),
        Backend::answering(|_| ok("canary")),
    ];
    let [stable, canary] = backends.each_ref().map(Backend::address);
    let proxy = Proxy::start(&format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]
upstreams:
  stable: {{ backends: [{stable}] }}
  canary: {{ backends: [{canary}] }}
  spare: {{ backends: [127.0.0.1:1] }}
routes:
  - split: {split}
"
    ));
    (proxy, backends)
}

fn shares(proxy: &Proxy, requests: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..requests {
        *shares.entry(proxy.get("/").text()).or_default() += 1;
    }
    shares
}

#[test]
fn a_split_shares_requests_exactly_in_proportion_to_weight() {
    let (proxy, _backends) =
        split("[{ upstream: stable, weight: 95 }, { upstream: canary, weight: 5 }]");
    for _ in 0..3 {
        let shares = shares(&proxy, 20);
        assert_eq!((shares["stable"], shares["canary"]), (19, 1));
    }
    let (proxy, _backends) = split("[{ upstream: stable }, { upstream: canary }]");
    let shares = shares(&proxy, 20);
    assert_eq!((shares["stable"], shares["canary"]), (10, 10));
}

#[test]
fn an_upstream_of_weight_0_gets_nothing_of_a_split() {
    let (proxy, _backends) = split("[{ upstream: stable }, { upstream: canary, weight: 0 }]");
    assert_eq!(shares(&proxy, 20).keys().collect::<Vec<_>>(), ["stable"]);
}

#[test]
fn with_a_key_the_same_key_goes_the_same_way() {
    let (proxy, _backends) =
        split("{ key: $cookie_user, between: [{ upstream: stable }, { upstream: canary }] }");
    let way =
        |user: usize| get_with(proxy.address(), "/", &format!("Cookie: user={user}\r\n")).text();
    let ways: Vec<_> = (0..60).map(way).collect();
    // In the same order they would go the same ways in turns as well.
    let mut again: Vec<_> = (0..60).rev().map(way).collect();
    again.reverse();
    assert_eq!(again, ways);
    // Fewer than 10 of 60 at a half happens once in 100 million runs, and the hash is the same in each.
    for name in ["stable", "canary"] {
        assert!(
            ways.iter().filter(|way| *way == name).count() >= 10,
            "{ways:?}"
        );
    }
}

#[test]
fn with_a_key_an_upstream_of_weight_0_gets_no_key() {
    let (proxy, _backends) = split(
        "{ key: $cookie_user, between: [{ upstream: stable }, { upstream: canary, weight: 0 }] }",
    );
    for user in 0..60 {
        let cookie = format!("Cookie: user={user}\r\n");
        assert_eq!(get_with(proxy.address(), "/", &cookie).text(), "stable");
    }
}

#[test]
fn an_upstream_of_a_split_that_is_down_keeps_its_share() {
    let gone = crate::support::RefusingBackend::new();
    let stable = Backend::answering(|_| ok("stable"));
    let proxy = Proxy::start(&format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]
upstreams:
  stable: {{ backends: [{}] }}
  canary: {{ backends: [{}] }}
routes:
  - split: [{{ upstream: stable }}, {{ upstream: canary }}]
",
        stable.address(),
        gone.address()
    ));
    let statuses: Vec<_> = (0..10).map(|_| proxy.get("/").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 502).count(), 5);
}

fn redirecting(redirect: &str) -> Proxy {
    Proxy::start(&format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]\nroutes:\n  - redirect: {redirect}\n"
    ))
}

#[test]
fn a_redirect_leads_where_its_template_says() {
    let proxy = redirecting("{ to: 'https://$host$request_uri' }");
    let answer = proxy.get("/a%20b/c?x=1&y=%2F");
    assert_eq!(answer.status, 308);
    assert_eq!(
        answer.header("Location"),
        Some("https://a.test/a%20b/c?x=1&y=%2F")
    );
    assert_eq!(
        answer.text(),
        "308 Permanent Redirect: https://a.test/a%20b/c?x=1&y=%2F\n"
    );
    assert!(answer.header("X-Request-Id").is_some());
    let logged = proxy.logged(|line| line["status"] == 308);
    assert_eq!(logged["upstream"], serde_json::Value::Null);
}

#[test]
fn a_redirect_has_the_status_of_the_file() {
    for status in [301, 302, 307, 308] {
        let proxy = redirecting(&format!("{{ to: /new, status: {status} }}"));
        let answer = proxy.get("/");
        assert_eq!(
            (answer.status, answer.header("Location")),
            (status, Some("/new"))
        );
    }
}

#[test]
fn what_a_client_says_cannot_end_the_header_or_lead_to_another_host() {
    let proxy = redirecting("{ to: '/$arg_to' }");
    let answer = proxy.get("/?to=/evil.test/");
    assert_eq!(answer.header("Location"), Some("/evil.test/"));
    let answer = get_with(proxy.address(), "/?to=a%0d%0aSet-Cookie:x", "");
    assert_eq!(answer.header("Location"), Some("/a%0d%0aSet-Cookie:x"));
    assert_eq!(answer.header("Set-Cookie"), None);
    let proxy = redirecting("{ to: '/$http_to' }");
    let answer = get_with(proxy.address(), "/", "To: a b\"<\u{e9}>\\c\r\n");
    assert_eq!(answer.header("Location"), Some("/a%20b%22%3C%C3%A9%3E%5Cc"));
}

#[test]
fn after_a_redirect_the_connection_goes_on_also_with_a_body() {
    let proxy = redirecting("{ to: /new }");
    let mut client = Client::connect(proxy.address());
    for _ in 0..2 {
        let answer =
            client.ask("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(answer.status, 308);
    }
    client.send("HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(
        client.answer_without_body().header("Location"),
        Some("/new")
    );
    assert_eq!(
        ask(proxy.address(), "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").status,
        308
    );
    assert_eq!(get(proxy.address(), "/").status, 308);
}

#[test]
fn a_route_answers_json_as_the_file_has_it_and_with_what_is_known_of_the_request() {
    let proxy = Proxy::start(
        "listeners: [{ address: 127.0.0.1:0 }]
routes:
  - match: { path: { regex: '^/users/(?<id>[^/]+)' } }
    respond:
      status: 404
      json:
        error: no such user
        id: $path_id
        agent: $http_user_agent
        price: 5$$
        more: [1, 2.5, true, null, { version: \"1.10\", port: '${PORT:-8080}' }, []]
  - match: { path: /fixed }
    respond: { json: [one, two], headers: { Content-Type: application/problem+json } }
",
    );
    let agent = "User-Agent: \"curl\" \\ {}\r\n";
    let answer = get_with(proxy.address(), "/users/a%22b%0d%0a%C3%A9", agent);
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.json(),
        serde_json::json!({
            "error": "no such user", "id": "a\"b\r\n\u{e9}", "agent": "\"curl\" \\ {}", "price": "5$",
            "more": [1, 2.5, true, null, {"version": "1.10", "port": "8080"}, []],
        })
    );
    let length = answer.body.len().to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    let keys = answer.text().find("\"error\"") < answer.text().find("\"agent\"");
    assert!(keys, "in the order of the file");
    let fixed = proxy.get("/fixed");
    assert_eq!(fixed.text(), r#"["one","two"]"#);
    assert_eq!(fixed.values("content-type"), ["application/problem+json"]);
}
