//! Examples of filters that look at who asks, and at who is answered.

use std::fs;
use std::io::Read;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Example, examples};
use crate::support::{Backend, Proxy, ask, get_with, ok};

examples! {
    one_too_many_is_answered_429 = "rate-limits.yaml",
    a_part_of_the_site_has_a_password = "basic-auth.yaml",
    scripts_of_other_sites_get_compressed_answers = "cors-and-compression.yaml",
}

fn echo() -> Backend {
    Backend::answering(|request| ok(&request.head))
}

fn one_too_many_is_answered_429(example: Example) {
    let app = echo();
    let proxy = example.with("10.0.0.1:8000", app.address()).start();
    let login = || {
        ask(
            proxy.address(),
            "POST /login HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
        )
    };
    let statuses = [(); 6].map(|()| login().status);
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429]);
    assert!(login().header("Retry-After").is_some());
    // The rest of the site goes on.
    assert_eq!(proxy.get("/").status, 200);
    let counted = get_with(proxy.address(), "/api/x", "X-Api-Key: k\r\n");
    let policies = counted.values("RateLimit-Policy");
    assert!(
        policies.iter().any(|policy| policy.contains("w=3600")),
        "{counted:?}"
    );
}

fn a_part_of_the_site_has_a_password(example: Example) {
    let app = echo();
    let users = fs::read_to_string("conf/example/users.htpasswd").unwrap();
    let proxy = example
        .with("10.0.0.1:8000", app.address())
        .with("../example/", "")
        .start_beside(&[("users.htpasswd", users)]);
    let asked = |proxy: &Proxy, password: &str| {
        let credentials = BASE64_STANDARD.encode(format!("demo:{password}"));
        let header = format!("Authorization: Basic {credentials}\r\n");
        get_with(proxy.address(), "/admin/", &header)
    };
    assert_eq!(proxy.get("/admin/").status, 401);
    assert_eq!(asked(&proxy, "wrong").status, 401);
    let let_in = asked(&proxy, "demo");
    assert_eq!(let_in.status, 200);
    assert!(!let_in.text().contains("Authorization"), "{let_in:?}");
    assert_eq!(proxy.get("/").status, 200);
}

fn scripts_of_other_sites_get_compressed_answers(example: Example) {
    let body = "{}".repeat(500);
    let answered = body.clone();
    let api = Backend::answering(move |_| {
        let length = answered.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{answered}"
        )
    });
    let proxy = example.with("10.0.0.1:8000", api.address()).start();
    let origin = "Origin: https://app.example.com\r\n";
    let answer = get_with(
        proxy.address(),
        "/",
        &format!("{origin}Accept-Encoding: gzip\r\n"),
    );
    assert_eq!(
        answer.header("Access-Control-Allow-Origin"),
        Some("https://app.example.com")
    );
    assert_eq!(answer.header("Content-Encoding"), Some("gzip"));
    let mut decoded = String::new();
    let mut decoder = flate2::read::GzDecoder::new(answer.body.as_slice());
    decoder.read_to_string(&mut decoded).unwrap();
    assert_eq!(decoded, body);
    let preflight = format!(
        "OPTIONS / HTTP/1.1\r\nHost: a.test\r\n{origin}Access-Control-Request-Method: DELETE\r\n\r\n"
    );
    let preflight = ask(proxy.address(), preflight);
    assert_eq!(
        (preflight.status, preflight.header("Access-Control-Max-Age")),
        (204, Some("3600"))
    );
    let stranger = get_with(proxy.address(), "/", "Origin: https://evil.test\r\n");
    assert_eq!(stranger.header("Access-Control-Allow-Origin"), None);
}
