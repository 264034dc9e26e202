use super::*;
use crate::config::{HeaderPattern, QueryPattern, ValuePattern};

#[test]
fn each_route_is_explained_by_the_first_thing_that_is_missing() {
    let tier = |value| HeaderPattern {
        name: http::HeaderName::from_static("x-tier"),
        value,
    };
    let version = |value| QueryPattern {
        name: "v".to_owned(),
        value,
    };
    let text = ValuePattern::Exact("gold".to_owned());
    #[rustfmt::skip]
    let expected = [
        (host("b.test"), "host is not b.test"),
        (Match { hosts: vec![host_pattern("b.test"), host_pattern("*.c.test"), host_pattern("d.test")], ..exact("/y") }, "host is not b.test, *.c.test or d.test"),
        (exact("/y"), "path is not \"/y\""),
        (prefix("/y/"), "path is not under \"/y/\""),
        (regex("y+"), "path is not matched by /y+/"),
        (Match { methods: vec![Method::PUT, Method::POST], ..anything() }, "method is not PUT or POST"),
        (Match { headers: vec![tier(text.clone())], ..anything() }, "header x-tier is not \"gold\""),
        (Match { headers: vec![tier(ValuePattern::Present(true))], ..anything() }, "header x-tier is missing"),
        (Match { headers: vec![tier(ValuePattern::Regex(compiled("g")))], ..anything() }, "header x-tier is not matched by /g/"),
        (Match { query: vec![version(text)], ..anything() }, "query parameter v is not \"gold\""),
        (Match { query: vec![version(ValuePattern::Present(true))], ..anything() }, "query parameter v is missing"),
        (Match { listeners: vec!["other".to_owned()], ..anything() }, "listener is not other"),
    ];
    for (pattern, why) in expected {
        let table = table(&[pattern]);
        let headers = HeaderMap::new();
        let considered = table.consider(&get("a.test", "/x", &headers));
        let miss = considered[0].outcome.expect_err("a miss");
        assert_eq!(miss.to_string(), why);
    }
}

#[test]
fn what_is_present_but_must_not_be_is_explained() {
    let pattern = Match {
        query: vec![QueryPattern {
            name: "debug".to_owned(),
            value: ValuePattern::Present(false),
        }],
        ..anything()
    };
    let headers = HeaderMap::new();
    let request = Request {
        query: Some("debug"),
        ..get("a.test", "/", &headers)
    };
    let table = table(&[pattern]);
    let miss = table.consider(&request)[0].outcome.expect_err("a miss");
    assert_eq!(miss.to_string(), "query parameter debug is present");
}

#[test]
fn routes_are_considered_from_the_most_specific_on() {
    let table = table(&[anything(), prefix("/x"), host("b.test"), exact("/x")]);
    let headers = HeaderMap::new();
    let considered = table.consider(&get("a.test", "/x", &headers));
    let order: Vec<_> = considered.iter().map(|c| (c.route, c.matched())).collect();
    assert_eq!(order, [(2, false), (3, true), (1, true), (0, true)]);
}
