//! Random files and requests, out of few words, so that they meet often.

use std::net::SocketAddr;

use fastrand::Rng;

/// An id that is kept when it comes from a trusted peer.
pub(super) const KEPT_ID: &str = "kept-0123456789";

/// What a client sends.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) head: String,
    pub(super) body: &'static str,
}

impl Sent {
    pub(super) fn is_head_request(&self) -> bool {
        self.head.starts_with("HEAD ")
    }
}

fn one<'w>(random: &mut Rng, words: &[&'w str]) -> &'w str {
    words[random.usize(..words.len())]
}

/// So many of these, none twice.
fn some<'w>(random: &mut Rng, count: usize, words: &[&'w str]) -> Vec<&'w str> {
    let mut words = words.to_vec();
    random.shuffle(&mut words);
    words.truncate(count);
    words
}

const HOSTS: [&str; 7] = [
    "a.test",
    "b.a.test",
    "'*.test'",
    "'*.a.test'",
    "x.b.a.test",
    "'[::1]'",
    "127.0.0.1",
];
const PATHS: [&str; 13] = [
    "/",
    "/a",
    "/a/",
    "/a/b/",
    "/b",
    "'/a b/'",
    "{ exact: / }",
    "{ exact: /a }",
    "{ exact: /a/b }",
    "{ regex: '^/v[0-9]+/' }",
    "{ regex: 'b$' }",
    "{ regex: '^/a' }",
    "{ regex: '(?i)^/A$' }",
];
const PREDICATES: [&str; 10] = [
    "method: GET",
    "method: [POST, HEAD]",
    "headers: { x-env: canary }",
    "headers: { x-env: { present: true } }",
    "headers: { x-env: { regex: '^c' }, te: { present: false } }",
    "query: { debug: '1' }",
    "query: { q: { present: false } }",
    "query: { x: { regex: ' ' } }",
    "listener: public",
    "listener: [inside]",
];
const FILTERS: [&str; 15] = [
    "request_headers: { set: { X-Env: '$host-$arg_debug' } }",
    "request_headers: { add: { X-Env: more, X-New: '$request_method $uri' } }",
    "request_headers: { remove: [x-env, X-Dup, te] }",
    "request_headers: { set: { Host: filtered.test } }",
    "request_headers: { set: { X-Forwarded-For: '$realip_remote_addr' }, add: { X-Real-IP: 9.9.9.9 } }",
    "request_headers: { remove: [X-Forwarded-Proto, X-Request-Id], set: { x-dup: one } }",
    "response_headers: { add: { X-Seen: '$route' } }",
    "rewrite: { strip_prefix: /a }",
    "rewrite: { add_prefix: /new }",
    "rewrite: { path: '/fixed/$remote_addr' }",
    "rewrite: { regex: '^/v([0-9]+)/', to: '/version/$1/' }",
    "body_limit: 2",
    "ip_access: { allow: [127.0.0.0/8] }",
    "ip_access: { deny: [203.0.113.0/24] }",
    "ip_access: { deny: [198.51.100.0/24] }",
];
const ACTIONS: [&str; 9] = [
    "upstream: u0",
    "upstream: u1",
    "upstream: u2",
    "upstream: u1",
    "split: { key: '$request_uri', between: [{ upstream: u0, weight: 2 }, { upstream: u1 }, { upstream: u2, weight: 3 }] }",
    "redirect: { to: 'https://$host$request_uri' }",
    "redirect: { to: '/moved$uri', status: 302 }",
    "respond: { status: 204 }",
    "respond: { status: 418, body: tea, headers: { X-Own: yes } }",
];
const FORWARDED: [&str; 6] = [
    "{ x_forwarded_for: replace }",
    "{ x_forwarded_for: off, x_real_ip: false }",
    "{ rfc7239: true }",
    "{ x_forwarded_proto: false, x_forwarded_port: false }",
    "{ host: upstream }",
    "{ x_forwarded_host: false, rfc7239: true, host: upstream }",
];
const TRUSTED: [&str; 3] = ["[]", "[127.0.0.0/8]", "[127.0.0.1, 10.0.0.0/8]"];

/// A file with the listeners `public` on this port and `inside`, and a backend for each of three upstreams.
///
/// Every answer that has passed the filters says which route and upstream it is from.
pub(super) fn file(random: &mut Rng, port: u16, backends: [SocketAddr; 3]) -> String {
    let mut file = format!(
        "listeners:\n  - {{ name: public, address: 127.0.0.1:{port}, filters: [{}] }}\n  \
           - {{ name: inside, address: 127.0.0.2:{port} }}\n",
        filters(random, 1)
    );
    file += &format!("trusted_proxies: {}\n", one(random, &TRUSTED));
    if random.bool() {
        file += &format!("forwarded: {}\n", one(random, &FORWARDED));
    }
    file += &format!(
        "filters: [{{ response_headers: {{ set: {{ X-Route: $route, X-Upstream: $upstream }} }} }}, {}]\nupstreams:\n",
        filters(random, 1)
    );
    for (index, backend) in backends.iter().enumerate() {
        file += &format!("  u{index}: {{ backends: [{backend}] }}\n");
    }
    file += "routes:\n";
    let mut last = Vec::new();
    for number in 0..random.usize(1..9) {
        file += &route(random, number, &mut last);
    }
    if random.u8(..4) > 0 {
        file += &format!("  - {{ upstream: u{} }}\n", random.u8(..3));
    }
    file
}

/// A route that asks for a host and a path of its own, or for those of the last one and something else besides.
fn route(random: &mut Rng, number: usize, last: &mut Vec<String>) -> String {
    let is_like_the_last = random.u8(..3) == 0 && !last.is_empty();
    if !is_like_the_last {
        last.clear();
        if random.u8(..3) > 0 {
            let count = random.usize(1..3);
            let hosts = some(random, count, &HOSTS);
            last.push(format!("host: [{}]", hosts.join(", ")));
        }
        if random.u8(..4) > 0 {
            last.push(format!("path: {}", one(random, &PATHS)));
        }
    }
    let mut questions = last.clone();
    let count = match is_like_the_last {
        true => 1,
        false => random.usize(..3),
    };
    let mut kinds = Vec::new();
    for predicate in some(random, count, &PREDICATES) {
        let kind = predicate.split(':').next();
        if !kinds.contains(&kind) {
            kinds.push(kind);
            questions.push(predicate.to_owned());
        }
    }
    let mut route = format!("  - {}\n", one(random, &ACTIONS));
    if random.bool() {
        route += &format!("    name: route-{number}\n");
    }
    if !questions.is_empty() {
        route += &format!("    match: {{ {} }}\n", questions.join(", "));
    }
    if random.u8(..4) == 0 {
        route += &format!("    priority: {}\n", random.i8(-1..3));
    }
    if random.u8(..4) == 0 {
        route += &format!("    forwarded: {}\n", one(random, &FORWARDED));
    }
    route + &format!("    filters: [{}]\n", filters(random, 3))
}

fn filters(random: &mut Rng, most: usize) -> String {
    let count = random.usize(..=most);
    let filters = some(random, count, &FILTERS).into_iter();
    let filters: Vec<_> = filters.map(|filter| format!("{{ {filter} }}")).collect();
    filters.join(", ")
}

const TARGETS: [&str; 20] = [
    "/",
    "/a",
    "/A",
    "/a/",
    "/a/b",
    "/a//b",
    "/a/./b",
    "/a/../b",
    "/%61",
    "/a%2fb",
    "/a%20b/c",
    "/ab",
    "/v1/x",
    "/v12/",
    "/b",
    "/b/",
    "/%zz",
    "/a;x=1/b",
    "//a",
    "/caf\u{e9}",
];
const QUERIES: [&str; 8] = [
    "",
    "",
    "?debug=1",
    "?q",
    "?debug=%31&x=+",
    "?",
    "?x=a%20b&q=",
    "?debug=2&debug=1",
];
const NAMED: [&str; 11] = [
    "a.test",
    "A.Test:80",
    "a.test.",
    "b.a.test",
    "x.b.a.test",
    "y.test",
    "other.example",
    "[::1]:80",
    "[::1]",
    "127.0.0.1:8080",
    "b.A.test.:1",
];
const LINES: [&str; 24] = [
    "X-Env: canary",
    "x-env: prod",
    "X-Dup: 1\r\nX-dup: 2",
    "X-Forwarded-For: 203.0.113.9",
    "X-Forwarded-For: 10.1.1.1, 198.51.100.7\r\nX-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: outer.test",
    "X-Forwarded-Port: 444",
    "X-Real-IP: 6.6.6.6",
    "X_Real_IP: 6.6.6.6",
    "Forwarded: for=203.0.113.9;proto=https",
    "Forwarded: for=\"broken",
    "Connection: x-env, keep-alive",
    "Connection: close, X-Forwarded-For, Cookie",
    "Connection: te\r\nTE: trailers",
    "Connection: Upgrade\r\nUpgrade: websocket",
    "Connection: upgrade\r\nUpgrade: h2c",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "Cookie: a=1; b=2",
    "X-Request-Id: kept-0123456789",
    "Accept: */*\r\nUser-Agent: Test/1.0",
    "X-Empty:",
    "Via: 1.1 outer",
];
const BODIES: [(&str, &str); 5] = [
    ("", ""),
    ("", ""),
    ("Content-Length: 3\r\n", "abc"),
    ("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n"),
    ("Content-Length: 0\r\n", ""),
];
const MALFORMED: [&str; 5] = [
    "Host: b.test\r\n",
    "Content-Length: 1, 1\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Bad Name: x\r\n",
    "Content-Length: 3\r\nContent-Length: 4\r\n",
];

/// A request, now and then one that has to be refused.
pub(super) fn sent(random: &mut Rng) -> Sent {
    let method = match random.u8(..8) {
        0 => one(random, &["PUT", "DELETE", "PATCH"]),
        1 => "HEAD",
        2 | 3 => "POST",
        _ => "GET",
    };
    let named = one(random, &NAMED);
    let target = format!("{}{}", one(random, &TARGETS), one(random, &QUERIES));
    let (method, target) = match random.u8(..24) {
        0 => ("OPTIONS", "*".to_owned()),
        1 => (method, format!("http://{named}{target}")),
        _ => (method, target),
    };
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {named}\r\n");
    let count = random.usize(..5);
    for line in some(random, count, &LINES) {
        head += &format!("{line}\r\n");
    }
    let bodies = if head.contains("Upgrade:") {
        &BODIES[..1]
    } else {
        &BODIES[..]
    };
    let (lines, body) = bodies[random.usize(..bodies.len())];
    head += lines;
    if random.u8(..50) == 0 {
        head += one(random, &MALFORMED);
    }
    head += "\r\n";
    Sent { head, body }
}
