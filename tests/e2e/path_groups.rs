//! `$path_NAME`: what the named groups of a route's path have matched, wherever its texts have variables.

use std::collections::BTreeSet;

use crate::support::{Backend, Proxy, ok};

fn echo() -> Backend {
    Backend::answering(|request| ok(&request.head))
}

/// A route whose path has the groups `tenant` and `rest`, and one that has none.
fn proxy(backend: &Backend, top: &str, route: &str) -> Proxy {
    Proxy::start(&format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]\n{top}upstreams: {{ web: {{ backends: [{}] }} }}\nroutes:\n\
         \x20 - match: {{ path: {{ regex: '^/t/(?P<tenant>[^/]+)(?<rest>/.*)?$' }} }}\n    {route}\n\
         \x20 - match: {{ path: /other }}\n    upstream: web\n",
        backend.address()
    ))
}

fn line<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn headers_of_a_route_hold_the_groups_of_its_path_decoded() {
    let backend = echo();
    let proxy = proxy(
        &backend,
        "",
        "upstream: web\n    filters: [request_headers: { set: { X-Tenant: '<$path_tenant>', X-Rest: $path_rest } }, \
         response_headers: { set: { X-Answered: '${path_tenant}!' } }]",
    );
    let answer = proxy.get("/t/a%20b%2Fc%C3%A9?tenant=no");
    assert_eq!(line(&answer.text(), "X-Tenant"), Some("<a b%2Fcé>"));
    assert_eq!(
        line(&answer.text(), "X-Rest"),
        None,
        "it has matched nothing"
    );
    assert_eq!(answer.header("x-answered"), Some("a b%2Fcé!"));
    assert!(
        answer
            .text()
            .starts_with("GET /t/a%20b%2Fc%C3%A9?tenant=no ")
    );
    assert_eq!(line(&proxy.get("/t/a/b/c").text(), "X-Rest"), Some("/b/c"));
}

#[test]
fn no_group_ends_a_header_line_before_its_end() {
    let backend = echo();
    let proxy = proxy(
        &backend,
        "",
        "upstream: web\n    filters: [request_headers: { set: { X-Tenant: $path_tenant } }, \
         response_headers: { set: { X-Tenant: $path_tenant } }]",
    );
    let answer = proxy.get("/t/a%0d%0aX-Evil:%201");
    assert_eq!(line(&answer.text(), "X-Tenant"), Some("a%0D%0AX-Evil: 1"));
    assert_eq!(line(&answer.text(), "X-Evil"), None);
    assert_eq!(answer.header("x-tenant"), Some("a%0D%0AX-Evil: 1"));
    assert_eq!(answer.header("x-evil"), None);
}

#[test]
fn in_a_redirect_a_group_is_encoded_again() {
    // Seen failing with the decoded text as it is: `%3F` began a query.
    let backend = echo();
    let proxy = proxy(
        &backend,
        "",
        "redirect: { to: '/new/$path_tenant$path_rest?from=$uri' }",
    );
    for (asked, wanted) in [
        ("/t/a/b/c", "/new/a/b/c?from=/t/a/b/c"),
        ("/t/a%3Fb%23c", "/new/a%3Fb%23c?from=/t/a%3Fb%23c"),
        ("/t/a%20b%2Fc%25", "/new/a%20b%2Fc%25?from=/t/a%20b%2Fc%25"),
        ("/t/%C3%A9", "/new/%C3%A9?from=/t/%C3%A9"),
        (
            "/t/a%0d%0aX-Evil:%201",
            "/new/a%0D%0AX-Evil:%201?from=/t/a%0D%0AX-Evil:%201",
        ),
    ] {
        let answer = proxy.get(asked);
        assert_eq!(answer.header("location"), Some(wanted), "{asked}");
        assert_eq!(answer.header("x-evil"), None);
    }
}

#[test]
fn a_rewrite_takes_its_own_groups_first_and_then_the_route_s() {
    let backend = echo();
    for (rewrite, wanted) in [
        (
            "{ path: '/tenants/$path_tenant$path_rest' }",
            "/tenants/a%20b/c/d",
        ),
        (
            "{ regex: '^/(?<rest>.)', to: '/$path_rest/$path_tenant' }",
            "/t/a%20b",
        ),
    ] {
        let route = format!("upstream: web\n    filters: [rewrite: {rewrite}]");
        let answer = proxy(&backend, "", &route).get("/t/a%20b/c/d");
        assert_eq!(answer.text().split(' ').nth(1), Some(wanted), "{rewrite}");
    }
}

#[test]
fn texts_for_all_routes_know_the_groups_of_whichever_route_is_taken() {
    let backend = echo();
    let proxy = proxy(
        &backend,
        "filters: [request_headers: { set: { X-Tenant: $path_tenant } }]\n\
         access_log: { format: '$request_uri is of $path_tenant' }\n",
        "upstream: web",
    );
    assert_eq!(line(&proxy.get("/t/one").text(), "X-Tenant"), Some("one"));
    assert_eq!(line(&proxy.get("/other").text(), "X-Tenant"), None);
    for wanted in ["/t/one is of one", "/other is of -"] {
        let is_it = |line: &str| (line == wanted).then_some(());
        proxy.stdout.find("in the access log", is_it);
    }
}

#[test]
fn the_same_group_goes_to_the_same_backend() {
    let backends = ["one", "two"].map(|name| Backend::answering(move |_| ok(name)));
    let [one, two] = backends.each_ref().map(Backend::address);
    let proxy = Proxy::start(&format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]
upstreams:
  web: {{ backends: [{one}, {two}], balance: {{ hash: {{ key: $path_tenant }} }} }}
  first: {{ backends: [{one}] }}
  second: {{ backends: [{two}] }}
routes:
  - match: {{ path: {{ regex: '^/hash/(?<tenant>[^/]+)/' }} }}
    upstream: web
  - match: {{ path: {{ regex: '^/split/(?<tenant>[^/]+)/' }} }}
    split: {{ key: $path_tenant, between: [{{ upstream: first }}, {{ upstream: second }}] }}
"
    ));
    for way in ["hash", "split"] {
        let ways: Vec<BTreeSet<String>> = (0..40)
            .map(|tenant| {
                (0..3)
                    .map(|page| proxy.get(&format!("/{way}/{tenant}/{page}")).text())
                    .collect()
            })
            .collect();
        assert!(ways.iter().all(|seen| seen.len() == 1), "{ways:?}");
        assert_eq!(ways.iter().flatten().collect::<BTreeSet<_>>().len(), 2);
    }
}
