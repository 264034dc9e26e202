//! How often a request allocates, and how much: a change that makes each request dearer is seen at once, on any machine.
//!
//! The counts are those of the whole process, over many requests; a bound is a little above what was counted when it was written. One that
//! is exceeded on purpose is raised, with the reason in the commit; one that is far off is lowered. What instructions and microseconds a
//! request takes is `make bench`'s to say.

use std::net::SocketAddr;

use crate::support::{Client, HelloBackend, Http2Backend, Http2Client, Proxy, example};

const REQUESTS: u64 = 500;

const CHECKED: &str = "health_check: { http: { path: /health }, interval: 1h }";

/// As shipped, but for the number of workers: the log is written, headers are forwarded, backends are checked.
fn counting(backend: SocketAddr, keys: &str) -> Proxy {
    let configuration = format!(
        "server: {{ threads: 1 }}\nlisteners: [{{ address: 127.0.0.1:0 }}]\n\
         upstreams: {{ hello: {{ backends: [{backend}], {keys} }} }}\n\
         routes:\n  - match: {{ path: /allocations }}\n    filters: [{{ allocations: {{}} }}]\n    respond: {{ body: none }}\n  \
         - upstream: hello\n"
    );
    Proxy::start_command(example("counting"), &configuration)
}

/// What `counted` grows by for each of the requests that `ask` makes, when all that is made once is made.
fn per_request(counted: &str, mut ask: impl FnMut(&str) -> String) -> u64 {
    let mut run = || -> u64 {
        for _ in 0..REQUESTS {
            assert!(ask("/").contains("hello"));
        }
        let counts: serde_json::Value = serde_json::from_str(&ask("/allocations")).unwrap();
        counts[counted].as_u64().unwrap()
    };
    run();
    let before = run();
    (run() - before) / REQUESTS
}

fn per_request_over_http1(counted: &str) -> u64 {
    let backend = HelloBackend::start("a");
    let proxy = counting(backend.address(), CHECKED);
    let mut client = Client::connect(proxy.address());
    per_request(counted, |target| {
        let answer = client.ask(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        answer.text()
    })
}

fn per_request_over_http2(counted: &str) -> u64 {
    let backend = HelloBackend::start("a");
    let proxy = counting(backend.address(), CHECKED);
    let mut client = Http2Client::connect(proxy.address());
    per_request(counted, |target| client.get(target).text())
}

fn per_request_from_http2_to_http2(counted: &str) -> u64 {
    let backend = Http2Backend::start(|mut incoming| async move { incoming.answer("hello") });
    let proxy = counting(backend.address(), "protocol: http2");
    let mut client = Http2Client::connect(proxy.address());
    per_request(counted, |target| client.get(target).text())
}

#[test]
fn a_request_over_http1_allocates_no_more_than_it_did() {
    let count = per_request_over_http1("made");
    assert!((25..=47).contains(&count), "{count}");
}

#[test]
fn a_request_over_http2_allocates_no_more_than_it_did() {
    let count = per_request_over_http2("made");
    assert!((25..=53).contains(&count), "{count}");
}

/// Whether what is tested was built with `patches/`: `make test` does, and says so; Cargo by itself does not.
fn is_patched() -> bool {
    std::env::var_os("EVENKEEL_PATCHED").is_some()
}

#[test]
fn a_request_over_http1_takes_no_more_bytes_than_it_did() {
    let bytes = per_request_over_http1("asked");
    let most = if is_patched() { 17_800 } else { 31_600 };
    assert!(bytes <= most, "{bytes}");
}

#[test]
fn a_request_over_http2_takes_no_more_bytes_than_it_did() {
    let bytes = per_request_over_http2("asked");
    let most = if is_patched() { 15_300 } else { 29_200 };
    assert!(bytes <= most, "{bytes}");
}

#[test]
fn a_request_from_http2_to_http2_takes_no_more_bytes_than_it_did() {
    let bytes = per_request_from_http2_to_http2("asked");
    let most = if is_patched() { 11_600 } else { 26_000 };
    assert!(bytes <= most, "{bytes}");
}
