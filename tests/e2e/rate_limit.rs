//! `rate_limit`, on the wire. Rates are one request an hour, so that no wait of a busy machine brings one back.

use crate::support::{Answer, Backend, Proxy, ask, get_with, ok};

/// A listener in front of `backend` with these filters; what `X-Forwarded-For` says is believed.
fn proxy(backend: &Backend, filters: &str) -> Proxy {
    Proxy::start(&format!(
        "trusted_proxies: [127.0.0.1]\nlisteners: [{{ address: 127.0.0.1:0 }}]\n\
         upstreams: {{ web: {{ backends: [{}] }} }}\nfilters: {filters}\n\
         routes:\n  - upstream: web\n  - match: {{ path: /ours }}\n    respond: {{ body: ours }}\n\
         \x20   filters: [rate_limit: {{ rate: 7/m, key: all }}]\n",
        backend.address()
    ))
}

fn hello() -> Backend {
    Backend::answering(|_| ok("hello"))
}

fn from(proxy: &Proxy, client: &str) -> u16 {
    let header = format!("X-Forwarded-For: {client}\r\n");
    get_with(proxy.address(), "/", &header).status
}

/// What a client of a limit of one request an hour is told, without the seconds, which have begun to run.
fn told(answer: &Answer) -> [String; 2] {
    ["ratelimit-policy", "ratelimit"].map(|name| {
        let value = answer.header(name).unwrap_or_default();
        let (start, seconds) = value.rsplit_once('=').unwrap();
        assert!((3000..=3600).contains(&seconds.parse().unwrap()), "{value}");
        start.to_owned()
    })
}

#[test]
fn requests_above_the_burst_are_answered_429_and_never_reach_the_backend() {
    let backend = hello();
    let proxy = proxy(&backend, "[rate_limit: { rate: 1/h, burst: 3 }]");
    for left in ["1", "1", "0"] {
        let answer = proxy.get("/");
        assert_eq!(answer.status, 200);
        let wanted = ["\"1/h\";q=1;w".to_owned(), format!("\"1/h\";r={left};t")];
        assert_eq!(told(&answer), wanted);
        assert_eq!(answer.header("retry-after"), None);
    }
    let answer = proxy.get("/");
    assert_eq!(answer.status, 429);
    assert_eq!(
        answer.header("proxy-status"),
        Some("evenkeel; error=http_request_denied")
    );
    assert_eq!(
        told(&answer),
        ["\"1/h\";q=1;w", "\"1/h\";r=0;t"].map(str::to_owned)
    );
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((3000..=3600).contains(&wait), "{wait}");
    assert!(answer.text().contains("too many requests"), "{answer:?}");
    assert_eq!(backend.requests().len(), 3);
    assert_eq!(
        proxy.logged(|line| line["status"] == 429)["error"],
        "http_request_denied"
    );
}

/// Seen failing with a burst of 1.
#[test]
fn the_burst_is_the_rate_s_count_unless_it_says_otherwise() {
    let backend = hello();
    let proxy = proxy(&backend, "[rate_limit: { rate: 4/h }]");
    let statuses: Vec<_> = (0..5).map(|_| proxy.get("/").status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 429]);
}

#[test]
fn a_refusal_has_the_configured_status() {
    let backend = hello();
    let proxy = proxy(&backend, "[rate_limit: { rate: 1/h, status: 503 }]");
    assert_eq!(proxy.get("/").status, 200);
    let answer = proxy.get("/");
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.header("proxy-status"),
        Some("evenkeel; error=http_request_denied")
    );
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    let body = answer.text();
    assert!(
        body.starts_with("503 Service Unavailable: These are too many"),
        "{body}"
    );
}

#[test]
fn each_client_behind_a_trusted_proxy_has_a_limit_of_its_own() {
    let backend = hello();
    let proxy = proxy(&backend, "[rate_limit: { rate: 1/h }]");
    for (client, status) in [
        ("203.0.113.1", 200),
        ("203.0.113.1", 429),
        ("203.0.113.2", 200),
        ("2001:db8:0:1::1", 200),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", 429),
        ("2001:db8:0:2::1", 200),
    ] {
        assert_eq!(from(&proxy, client), status, "{client}");
    }
}

#[test]
fn requests_are_counted_by_the_key() {
    let backend = hello();
    let proxy = proxy(
        &backend,
        "[rate_limit: { rate: 1/h, key: '$http_x_key $request_method' }]",
    );
    let status = |method: &str, key: &str| {
        let head = format!("{method} / HTTP/1.1\r\nHost: a.test\r\nX-Key: {key}\r\n\r\n");
        ask(proxy.address(), head).status
    };
    assert_eq!((status("GET", "a"), status("GET", "a")), (200, 429));
    assert_eq!((status("GET", "b"), status("PUT", "a")), (200, 200));
}

#[test]
fn of_several_limits_each_holds_and_each_is_told() {
    let backend = hello();
    let proxy = proxy(&backend, "[rate_limit: { rate: 2/h }]");
    let answer = proxy.get("/ours");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ours"));
    assert_eq!(
        answer.values("ratelimit-policy"),
        ["\"7/m\";q=7;w=60", "\"2/h\";q=2;w=3600"]
    );
    assert_eq!(answer.values("ratelimit").len(), 2);
    assert_eq!(
        (proxy.get("/").status, proxy.get("/ours").status),
        (200, 429)
    );
}

#[test]
fn clients_that_come_at_once_get_the_burst_to_the_request() {
    let backend = hello();
    let proxy = proxy(&backend, "[rate_limit: { rate: 1/h, burst: 30 }]");
    let ask = || (0..10).filter(|_| proxy.get("/").status == 200).count();
    let passed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(passed, 30);
}
