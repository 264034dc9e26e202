//! Small alphabets, so that random tables and requests meet often: most requests find several matching routes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::config::{HeaderPattern, QueryPattern, ValuePattern};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_index_finds_the_route_that_asking_all_of_them_finds(
        routes in vec(any_route(), 0..40),
        requests in vec(any_request(), 1..10),
    ) {
        let table = Table::new(routes.iter().map(|(pattern, priority)| (pattern, *priority)));
        for sent in &requests {
            let request = sent.as_request();
            let all = table.consider(&request);
            let matching = all.iter().filter(|considered| considered.matched());
            let greatest = matching.max_by_key(|considered| considered.precedence);
            prop_assert_eq!(table.find(&request), greatest.map(|winner| winner.route));
        }
    }

    #[test]
    fn the_winner_is_the_first_match_of_the_explanation(
        routes in vec(any_route(), 0..40),
        sent in any_request(),
    ) {
        let table = Table::new(routes.iter().map(|(pattern, priority)| (pattern, *priority)));
        let request = sent.as_request();
        let all = table.consider(&request);
        prop_assert_eq!(all.len(), routes.len());
        let first = all.iter().find(|considered| considered.matched());
        prop_assert_eq!(table.find(&request), first.map(|winner| winner.route));
    }

    #[test]
    fn a_route_that_does_not_match_changes_nothing(
        routes in vec(any_route(), 1..20),
        removed in any::<prop::sample::Index>(),
        sent in any_request(),
    ) {
        let request = sent.as_request();
        let removed = removed.index(routes.len());
        let full = Table::new(routes.iter().map(|(pattern, priority)| (pattern, *priority)));
        let matched = full.consider(&request).iter().any(|c| c.route == removed && c.matched());
        let mut fewer = routes.clone();
        fewer.remove(removed);
        let fewer = Table::new(fewer.iter().map(|(pattern, priority)| (pattern, *priority)));
        let found = fewer.find(&request).map(|route| route + usize::from(route >= removed));
        if !matched {
            prop_assert_eq!(full.find(&request), found);
        }
    }

    #[test]
    fn no_request_whatever_breaks_a_lookup(
        host in "[a1.]{0,300}|[a1.:@%\\[\\]-]{0,30}|.{0,30}",
        path in ".{0,40}",
        query in ".{0,40}",
    ) {
        let routes = [host_pattern("*.test"), host_pattern("[::1]")].map(|pattern| Match {
            hosts: vec![pattern],
            ..anything()
        });
        let headers = HeaderMap::new();
        let request = Request { query: Some(&query), ..get(&host, &path, &headers) };
        let table = table(&routes);
        let first = table.consider(&request).iter().find(|c| c.matched()).map(|c| c.route);
        prop_assert_eq!(table.find(&request), first);
    }
}

#[derive(Debug)]
struct Sent {
    host: &'static str,
    path: String,
    query: Option<&'static str>,
    method: Method,
    headers: HeaderMap,
    listener: &'static str,
}

impl Sent {
    fn as_request(&self) -> Request<'_> {
        Request {
            host: self.host,
            path: &self.path,
            query: self.query,
            method: &self.method,
            headers: &self.headers,
            listener: self.listener,
        }
    }
}

const HOSTS: [&str; 12] = [
    "a.test",
    "b.test",
    "x.a.test",
    "y.x.a.test",
    "test",
    "A.Test:80",
    "b.test.",
    "X.a.test.:1",
    "[::1]:80",
    "[0:0::1]",
    "",
    ".a.test",
];
const HOST_PATTERNS: [&str; 9] = [
    "a.test",
    "b.test",
    "x.a.test",
    "test",
    "[::1]",
    "*.test",
    "*.a.test",
    "*.x.a.test",
    "*.com",
];
const REGEXES: [&str; 7] = [
    "^/a",
    "b$",
    "(?i)^/A/B",
    "/a/.*c",
    ".",
    "(?x) ^/b # b",
    "a|b",
];

fn any_request() -> impl Strategy<Value = Sent> {
    (
        select(&HOSTS[..]),
        path(),
        select(&[None, Some("q=1"), Some("q=2&p"), Some("p=%31&q=")][..]),
        method(),
        select(&[None, Some("1"), Some("2")][..]),
        select(&["main", "other"][..]),
    )
        .prop_map(|(host, path, query, method, header, listener)| Sent {
            host,
            path,
            query,
            method,
            headers: header
                .map(|value| (X, http::HeaderValue::from_static(value)))
                .into_iter()
                .collect(),
            listener,
        })
}

const X: http::HeaderName = http::HeaderName::from_static("x");

fn any_route() -> impl Strategy<Value = (Match, i32)> {
    let hosts = subsequence(&HOST_PATTERNS[..], 0..3).prop_shuffle();
    let named_hosts = prop_oneof![Just(Vec::new()), hosts];
    let predicates = (
        rarely(method()),
        rarely(value_pattern()),
        rarely(value_pattern()),
        rarely(select(&["main", "other"][..])),
    );
    (
        named_hosts,
        prop::option::of(path_pattern()),
        predicates,
        -1..2,
    )
        .prop_map(
            |(hosts, path, (method, header, parameter, listener), priority)| {
                let pattern = Match {
                    hosts: hosts.into_iter().map(host_pattern).collect(),
                    path,
                    methods: method.into_iter().collect(),
                    headers: header
                        .map(|value| HeaderPattern { name: X, value })
                        .into_iter()
                        .collect(),
                    query: parameter
                        .map(|value| QueryPattern {
                            name: "q".to_owned(),
                            value,
                        })
                        .into_iter()
                        .collect(),
                    listeners: listener.map(str::to_owned).into_iter().collect(),
                };
                (pattern, priority)
            },
        )
}

fn rarely<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::weighted(0.15, strategy)
}

fn method() -> impl Strategy<Value = Method> {
    select(&[Method::GET, Method::POST][..])
}

fn value_pattern() -> impl Strategy<Value = ValuePattern> {
    prop_oneof![
        select(&["1", "2", ""][..]).prop_map(|text| ValuePattern::Exact(text.to_owned())),
        select(["^1", "[12]"].map(compiled).to_vec()).prop_map(ValuePattern::Regex),
        any::<bool>().prop_map(ValuePattern::Present),
    ]
}

fn path_pattern() -> impl Strategy<Value = PathPattern> {
    prop_oneof![
        path().prop_map(PathPattern::Prefix),
        path().prop_map(PathPattern::Exact),
        select(REGEXES.map(compiled).to_vec()).prop_map(PathPattern::Regex),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let segment = select(
        &[
            "a", "b", "ab", "%61", "a%2fb", "%2F", "", ".", "..", "c", "%C3%A9", "é", "%",
        ][..],
    );
    prop_oneof![
        20 => vec(segment, 0..5).prop_map(|segments| format!("/{}", segments.join("/"))),
        1 => select(&["", "*", "/"][..]).prop_map(str::to_owned),
    ]
}
