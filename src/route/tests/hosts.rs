use super::*;

fn accepts(pattern: &str, sent: &str) -> bool {
    route(&table(&[host(pattern)]), sent, "/").is_some()
}

#[test]
fn a_host_is_compared_without_case() {
    assert!(accepts("api.example.com", "API.Example.COM"));
    assert!(accepts("API.Example.com", "api.example.com"));
    assert!(!accepts("api.example.com", "www.example.com"));
}

#[test]
fn a_host_is_compared_without_port() {
    assert!(accepts("api.example.com", "api.example.com:8080"));
    assert!(accepts("api.example.com", "api.example.com:"));
    assert!(!accepts("api.example.com", "api.example.com:80x"));
}

#[test]
fn a_trailing_dot_of_the_host_means_nothing() {
    assert!(accepts("api.example.com", "api.example.com."));
    assert!(accepts("api.example.com", "api.example.com.:8080"));
    assert!(accepts("api.example.com.", "api.example.com"));
    assert!(!accepts("api.example.com", "api.example.com.."));
}

#[test]
fn an_ipv6_literal_is_one_host_however_it_is_spelled() {
    assert!(accepts("[::1]", "[::1]"));
    assert!(accepts("[::1]", "[::1]:8080"));
    assert!(accepts("[::1]", "[0:0:0:0:0:0:0:1]:8080"));
    assert!(accepts("[2001:DB8::A]", "[2001:db8::a]"));
    assert!(!accepts("[::1]", "[::2]"));
}

#[test]
fn an_ipv4_address_is_a_host_like_any_other() {
    assert!(accepts("127.0.0.1", "127.0.0.1:8080"));
    assert!(!accepts("127.0.0.1", "127.0.0.2"));
}

#[test]
fn a_wildcard_stands_for_one_label_or_more_but_not_for_none() {
    assert!(accepts("*.example.com", "a.example.com"));
    assert!(accepts("*.example.com", "a.b.c.example.com"));
    assert!(!accepts("*.example.com", "example.com"));
    assert!(!accepts("*.example.com", ".example.com"));
}

#[test]
fn a_wildcard_ends_at_a_label_border() {
    assert!(!accepts("*.example.com", "badexample.com"));
    assert!(!accepts("*.example.com", "a.badexample.com"));
    assert!(!accepts("*.example.com", "a.example.com.evil.test"));
}

#[test]
fn a_wildcard_is_compared_without_case_port_and_trailing_dot() {
    assert!(accepts("*.example.com", "A.EXAMPLE.com.:443"));
}

#[test]
fn a_route_with_several_hosts_is_for_each_of_them() {
    let several = Match {
        hosts: vec![host_pattern("a.test"), host_pattern("*.b.test")],
        ..anything()
    };
    let table = table(&[several]);
    assert_eq!(route(&table, "a.test", "/"), Some(0));
    assert_eq!(route(&table, "x.b.test", "/"), Some(0));
    assert_eq!(route(&table, "c.test", "/"), None);
}

#[test]
fn a_request_without_a_host_takes_only_a_route_for_any_host() {
    let table = table(&[host("a.test"), host("*.test"), anything()]);
    assert_eq!(route(&table, "", "/"), Some(2));
}

#[test]
fn a_host_longer_than_the_dns_allows_takes_only_a_route_for_any_host() {
    let sent = format!("{}.test", "a.".repeat(200));
    let table = table(&[host(&sent), host("*.test"), anything()]);
    assert_eq!(route(&table, &sent, "/"), Some(2));
}

#[test]
fn a_host_as_long_as_the_dns_allows_is_still_told_apart() {
    let longest = format!("{}x", "a.".repeat(126));
    assert_eq!(longest.len(), 253);
    assert!(accepts(&longest, &longest));
    assert!(accepts("*.a.x", &longest));
}

#[test]
fn when_no_route_of_the_closest_host_matches_the_less_close_ones_get_their_turn() {
    let on = |pattern, path: &str| Match {
        path: Some(PathPattern::Prefix(path.to_owned())),
        ..host(pattern)
    };
    let table = table(&[
        on("a.b.test", "/only-here"),
        on("*.b.test", "/wildcard"),
        on("*.test", "/shorter"),
        prefix("/any"),
    ]);
    assert_eq!(route(&table, "a.b.test", "/only-here"), Some(0));
    assert_eq!(route(&table, "a.b.test", "/wildcard"), Some(1));
    assert_eq!(route(&table, "a.b.test", "/shorter"), Some(2));
    assert_eq!(route(&table, "a.b.test", "/any"), Some(3));
    assert_eq!(route(&table, "a.b.test", "/none"), None);
}
