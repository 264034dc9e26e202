//! Examples of what becomes of requests: where they go, and what is changed or refused on the way.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Example, examples};
use crate::support::{Answer, Authority, Backend, Proxy, TlsClient, ask, get_with, ok};

examples! {
    a_canary_gets_its_share = "canary.yaml",
    there_is_one_name_and_one_scheme = "redirects.yaml",
    each_host_has_its_site = "virtual-hosts.yaml",
    headers_are_changed_on_both_ways = "headers.yaml",
    backends_are_sent_other_paths = "rewrite.yaml",
    clients_are_let_in_by_address = "access-control.yaml",
    the_log_has_a_form_of_its_own = "access-log.yaml",
    https_is_spoken_and_http_is_sent_there = "https.yaml",
}

fn echo() -> Backend {
    Backend::answering(|request| ok(&request.head))
}

fn named(name: &'static str) -> Backend {
    Backend::answering(move |_| ok(name))
}

fn of_host(proxy: &Proxy, host: &str, target: &str) -> Answer {
    of_host_at(proxy.address(), host, target)
}

fn of_host_at(address: SocketAddr, host: &str, target: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    ask(address, request)
}

fn a_canary_gets_its_share(example: Example) {
    let (stable, canary) = (named("stable"), named("canary"));
    let proxy = example
        .with("10.0.0.1:8000", stable.address())
        .with("10.0.0.2:8000", canary.address())
        .start();
    let mut shares: BTreeMap<String, usize> = BTreeMap::new();
    (0..40).for_each(|_| *shares.entry(proxy.get("/").text()).or_default() += 1);
    assert_eq!((shares["stable"], shares["canary"]), (38, 2));
    let version = |user: usize| {
        let cookie = format!("Cookie: user={user}\r\n");
        get_with(proxy.address(), "/checkout/pay", &cookie).text()
    };
    let versions: Vec<_> = (0..20).map(version).collect();
    // In the same order the shares would fall the same way without a key as well.
    let again: Vec<_> = (0..20).rev().map(version).collect();
    assert!(again.iter().eq(versions.iter().rev()), "{versions:?}");
    let tester = get_with(proxy.address(), "/", "X-Version: canary\r\n");
    assert_eq!(tester.text(), "canary");
}

fn there_is_one_name_and_one_scheme(example: Example) {
    let app = named("app");
    let proxy = example
        .with("127.0.0.1:8081", "0.0.0.0:0")
        .with("10.0.0.1:8000", app.address())
        .start();
    let mut behind_tls = proxy.address_like("0.0.0.0:");
    let plain = proxy.address_like("127.0.0.1:");
    behind_tls.set_ip(plain.ip());
    for (address, host, target, expected) in [
        (
            plain,
            "www.example.com",
            "/a?b=c",
            (308, Some("https://www.example.com/a?b=c")),
        ),
        (
            behind_tls,
            "example.com",
            "/a?b=c",
            (308, Some("https://www.example.com/a?b=c")),
        ),
        (
            behind_tls,
            "www.example.com",
            "/blog/1",
            (301, Some("/news")),
        ),
        (behind_tls, "www.example.com", "/a", (200, None)),
    ] {
        let answer = ask(
            address,
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        );
        assert_eq!(
            (answer.status, answer.header("Location")),
            expected,
            "{host}{target}"
        );
    }
}

fn each_host_has_its_site(example: Example) {
    let (site, api, tenants) = (named("site"), named("api"), named("tenants"));
    let proxy = example
        .with("10.0.0.1:8000", site.address())
        .with("10.0.0.2:8000", api.address())
        .with("10.0.0.3:8000", tenants.address())
        .start();
    for (host, target, expected) in [
        ("example.com", "/", "site"),
        ("www.example.com", "/apidocs", "site"),
        ("www.example.com", "/api/users", "api"),
        ("api.example.com", "/users", "api"),
        ("blue.example.com", "/", "tenants"),
        ("a.b.example.com", "/api/", "tenants"),
    ] {
        assert_eq!(
            of_host(&proxy, host, target).text(),
            expected,
            "{host}{target}"
        );
    }
    assert_eq!(of_host(&proxy, "example.org", "/").status, 404);
}

fn headers_are_changed_on_both_ways(example: Example) {
    let backend = Backend::answering(|request| {
        let body = &request.head;
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\nServer: theirs\r\nX-Powered-By: PHP\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    });
    let address = backend.address().to_string();
    let proxy = example.with("10.0.0.1:8000", &address).start();
    let sent = "X-Debug: 1\r\nX-Forwarded-For: 6.6.6.6\r\n";
    let answer = get_with(proxy.address(), "/", sent);
    assert_eq!(
        answer.header("Strict-Transport-Security"),
        Some("max-age=31536000")
    );
    assert_eq!(answer.header("X-Served-By"), Some(address.as_str()));
    for name in ["Server", "X-Powered-By"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    let head = answer.text();
    let id = answer.header("X-Correlation-Id").unwrap();
    for line in [
        "Host: app.internal",
        "X-Original-Host: a.test",
        "Via: 1.1 evenkeel",
        "X-Forwarded-For: 127.0.0.1",
        &format!("X-Correlation-Id: {id}"),
    ] {
        assert!(head.lines().any(|found| found == line), "{line} in {head}");
    }
    assert!(
        head.contains("\nForwarded: ") && !head.contains("X-Debug"),
        "{head}"
    );
}

fn backends_are_sent_other_paths(example: Example) {
    let backend = echo();
    let proxy = example.with("10.0.0.1:8000", backend.address()).start();
    for (target, expected) in [
        ("/api/users?page=2", "/users?page=2"),
        ("/logo.png", "/static/logo.png"),
        ("/u/7?x", "/users/7?x"),
        ("/u/me", "/u/me"),
        ("/sites", "/tenants/a.test"),
    ] {
        let head = proxy.get(target).text();
        assert_eq!(head.split(' ').nth(1), Some(expected), "{target}");
    }
}

fn clients_are_let_in_by_address(example: Example) {
    let backend = echo();
    let proxy = example
        .with("10.0.0.1:8000", backend.address())
        .with(
            "trusted_proxies: [10.0.0.0/8]",
            "trusted_proxies: [127.0.0.1]",
        )
        .start();
    for (client, target, status) in [
        ("192.0.2.1", "/", 200),
        ("203.0.113.9", "/", 403),
        ("192.168.1.1", "/admin/", 200),
        ("192.168.66.1", "/admin/", 403),
        ("192.0.2.1", "/admin/", 403),
        ("192.168.1.1", "/.git/config", 403),
    ] {
        let header = format!("X-Forwarded-For: {client}\r\n");
        let answer = get_with(proxy.address(), target, &header);
        assert_eq!(answer.status, status, "{client} {target}");
    }
}

fn the_log_has_a_form_of_its_own(example: Example) {
    let backend = named("app");
    let proxy = example.with("10.0.0.1:8000", backend.address()).start();
    proxy.get("/x?y=1");
    let line = proxy.stdout.find("a line", |line| Some(line.to_owned()));
    let (start, end) = line.split_once(" in ").unwrap();
    let address = backend.address();
    assert_eq!(
        start,
        format!("127.0.0.1 \"GET /x?y=1\" 200 3 by {address}")
    );
    assert!(end.ends_with(" s"), "{line}");
}

fn https_is_spoken_and_http_is_sent_there(example: Example) {
    let app = named("app");
    let authority = Authority::new("our authority");
    let certificate = authority.issue(&["a.test"]);
    let proxy = example
        .with("0.0.0.0:8443", "127.0.0.2:0")
        .with("10.0.0.1:8000", app.address())
        .with("../example/", "")
        .start_beside(&[
            ("server.pem", certificate.pem()),
            ("server.key", certificate.key_pem()),
        ]);
    let plain = of_host_at(proxy.address_like("127.0.0.1:"), "a.test", "/x?y=1");
    assert_eq!(plain.header("Location"), Some("https://a.test/x?y=1"));
    let https = proxy.address_like("127.0.0.2:");
    let (mut client, _) = TlsClient::new(&authority).connect(https, "a.test");
    let answer = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(answer.text(), "app");
}
