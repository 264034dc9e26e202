//! What the built-in filters decide, on plain heads; what of it reaches the wire is in tests/e2e/filters.rs.

use super::*;
use crate::config::{self, Config, Filter as Written};
use crate::filter::example::{request, with_facts, with_facts_of};
use crate::filter::{Filter, RequestHead, Verdict};
use proptest::prelude::*;
use std::net::IpAddr;

pub(super) fn written(filter: &str) -> Written {
    let file = format!(
        "{{listeners: [{{address: '127.0.0.1:1'}}], routes: [{{respond: {{}}}}], filters: [{filter}]}}"
    );
    let config: Config = config::parse("f", &file, &|_| None)
        .unwrap_or_else(|faults| panic!("{faults}"))
        .into_inner();
    config.filters.into_iter().next().unwrap()
}

fn rewrite(rule: &str) -> Rewrite {
    match written(&format!("{{rewrite: {rule}}}")) {
        Written::Rewrite(rule) => Rewrite::new(&rule),
        other => panic!("{other:?}"),
    }
}

/// The target after the filter; the status when it refuses.
fn rewritten(filter: &Rewrite, target: &str) -> Result<String, u16> {
    let sent = request("GET", target, &[("Cookie", "c=a/b?d e%2F..é")]);
    let mut head = RequestHead::new(&sent);
    match with_facts(&sent, |facts| filter.request(&mut head, facts)) {
        Verdict::Pass => Ok(String::from_utf8(head.target().to_vec()).unwrap()),
        Verdict::Answer(answer) => Err(answer.status().as_u16()),
    }
}

#[test]
fn rules_of_rewrite() {
    for (rule, target, wanted) in [
        ("{strip_prefix: /api}", "/api/x?y=%20z", Ok("/x?y=%20z")),
        ("{strip_prefix: /api/}", "/api", Ok("/")),
        ("{strip_prefix: /api}", "/api/?q", Ok("/?q")),
        ("{strip_prefix: /api}", "/apix", Ok("/apix")),
        ("{strip_prefix: /api}", "/%61pi/%2Fx%20y", Ok("/%2Fx%20y")),
        ("{strip_prefix: /a%20b}", "/a%20b//c/./d", Ok("//c/./d")),
        ("{strip_prefix: /api}", "/api%2Fx", Ok("/api%2Fx")),
        ("{strip_prefix: /api}", "/api/|\"é", Ok("/|\"é")),
        ("{add_prefix: /v1}", "/x?y", Ok("/v1/x?y")),
        ("{add_prefix: /v1/}", "/", Ok("/v1/")),
        ("{path: /x%20y}", "/a/b?c=d", Ok("/x%20y?c=d")),
        (
            "{path: '/h/$host$uri'}",
            "/a%20b%2Fc",
            Ok("/h/example.com/a%20b%2Fc"),
        ),
        (
            "{path: '/c/$cookie_c'}",
            "/",
            Ok("/c/a%2Fb%3Fd%20e%252F..%C3%A9"),
        ),
        ("{path: '/q/$arg_x/y'}", "/?x=..", Err(400)),
        ("{path: '$arg_x'}", "/?x=a", Ok("/a?x=a")),
        (
            "{regex: '^/u/([^/]+)/(.*)', to: '/users/$2/$1'}",
            "/u/a%2Fb/c?d",
            Ok("/users/c/a%2Fb?d"),
        ),
        (
            "{regex: '^/u/(?<id>\\d+)', to: '/users/${path_id}-$$'}",
            "/u/7",
            Ok("/users/7-$"),
        ),
        ("{regex: '^/u/', to: '/users/'}", "/v/7", Ok("/v/7")),
        (
            "{regex: '^/files(.*)', to: '/data$1'}",
            "/files/../x",
            Ok("/data/../x"),
        ),
        (
            "{regex: '^/files(.*)', to: '/data/$1'}",
            "/files../x",
            Err(400),
        ),
        ("{regex: '^(/a)?', to: '/b$1'}", "/", Ok("/b")),
        ("{add_prefix: /v1}", "*", Ok("*")),
    ] {
        let rule = rewrite(rule);
        assert_eq!(
            rewritten(&rule, target).as_deref(),
            wanted.as_ref().map(|w| *w),
            "{target}"
        );
    }
}

proptest! {
    #[test]
    fn what_is_added_and_stripped_again_is_the_path_as_it_was(target in "/[a-z0-9/%.;|é-]{0,20}(\\?[a-z=?&]{0,8})?") {
        let added = rewritten(&rewrite("{add_prefix: /p%20q}"), &target);
        prop_assume!(added.is_ok());
        prop_assert_eq!(rewritten(&rewrite("{strip_prefix: /p%20q}"), &added.unwrap()), Ok(target));
    }
}

#[test]
fn the_smallest_network_decides_who_is_let_in() {
    let access = |lists: &str| match written(&format!("{{ip_access: {lists}}}")) {
        Written::IpAccess(lists) => IpAccess::new(&lists),
        other => panic!("{other:?}"),
    };
    let lets_in = |access: &IpAccess, client: &str| {
        let sent = request("GET", "/", &[]);
        let client: IpAddr = client.parse().unwrap();
        let verdict = with_facts_of(&sent, client, |facts| {
            access.request(&mut RequestHead::new(&sent), facts)
        });
        matches!(verdict, Verdict::Pass)
    };
    let both = access(
        "{deny: [10.0.0.0/8, 10.1.2.3, '2001:db8::/32'], allow: [10.1.0.0/16, '2001:db8:1::/48']}",
    );
    for (client, wanted) in [
        ("10.1.9.9", true),
        ("10.1.2.3", false),
        ("10.2.0.1", false),
        ("::ffff:10.1.9.9", true),
        ("::ffff:10.2.0.1", false),
        ("2001:db8:1::5", true),
        ("2001:db8:2::5", false),
        ("192.0.2.1", false),
        ("::1", false),
    ] {
        assert_eq!(lets_in(&both, client), wanted, "{client}");
    }
    let denied = access("{deny: [0.0.0.0/0]}");
    assert!(!lets_in(&denied, "192.0.2.1") && lets_in(&denied, "::1"));
    let everybody = access("{allow: ['::/0', 0.0.0.0/0], deny: [192.0.2.0/24]}");
    assert!(!lets_in(&everybody, "192.0.2.1") && lets_in(&everybody, "::1"));
}
