use http::HeaderValue;

use super::*;
use crate::config::{HeaderPattern, QueryPattern, ValuePattern};

fn header(name: &'static str, value: ValuePattern) -> Match {
    let name = http::HeaderName::from_static(name);
    Match {
        headers: vec![HeaderPattern { name, value }],
        ..anything()
    }
}

fn parameter(name: &str, value: ValuePattern) -> Match {
    let name = name.to_owned();
    Match {
        query: vec![QueryPattern { name, value }],
        ..anything()
    }
}

fn text(value: &str) -> ValuePattern {
    ValuePattern::Exact(value.to_owned())
}

fn accepts_headers(pattern: &Match, lines: &[(&'static str, &[u8])]) -> bool {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value).expect("a value"));
    }
    let table = table(std::slice::from_ref(pattern));
    table.find(&get("a.test", "/", &headers)).is_some()
}

fn accepts_query(pattern: &Match, query: Option<&str>) -> bool {
    let headers = HeaderMap::new();
    let request = Request {
        query,
        ..get("a.test", "/", &headers)
    };
    table(std::slice::from_ref(pattern))
        .find(&request)
        .is_some()
}

#[test]
fn a_method_is_one_of_those_named_and_get_does_not_stand_for_head() {
    let pattern = Match {
        methods: vec![Method::GET, Method::PUT],
        ..anything()
    };
    let headers = HeaderMap::new();
    let table = table(&[pattern]);
    for (method, wanted) in [
        (Method::GET, true),
        (Method::PUT, true),
        (Method::HEAD, false),
    ] {
        let request = Request {
            method: &method,
            ..get("a.test", "/", &headers)
        };
        assert_eq!(table.find(&request).is_some(), wanted, "{method}");
    }
}

#[test]
fn a_listener_is_one_of_those_named() {
    for (name, wanted) in [("main", true), ("other", false)] {
        let pattern = Match {
            listeners: vec!["first".to_owned(), name.to_owned()],
            ..anything()
        };
        let table = table(&[pattern]);
        assert_eq!(route(&table, "a.test", "/").is_some(), wanted, "{name}");
    }
}

#[test]
fn a_header_equals_the_text_in_any_of_its_lines() {
    let pattern = header("x-tier", text("gold"));
    assert!(accepts_headers(&pattern, &[("x-tier", b"gold")]));
    assert!(accepts_headers(
        &pattern,
        &[("x-tier", b"tin"), ("x-tier", b"gold")]
    ));
    assert!(!accepts_headers(&pattern, &[("x-tier", b"Gold")]));
    assert!(!accepts_headers(&pattern, &[("x-tier", b"gold, tin")]));
    assert!(!accepts_headers(&pattern, &[]));
}

#[test]
fn a_header_is_matched_by_a_regex_in_any_of_its_lines() {
    let pattern = header("x-tier", ValuePattern::Regex(compiled("^g.ld$")));
    assert!(accepts_headers(
        &pattern,
        &[("x-tier", b"tin"), ("x-tier", b"gild")]
    ));
    assert!(!accepts_headers(&pattern, &[("x-tier", b"golden")]));
    assert!(!accepts_headers(&pattern, &[]));
}

#[test]
fn a_header_can_be_asked_to_be_there_or_not() {
    let present = header("x-tier", ValuePattern::Present(true));
    let absent = header("x-tier", ValuePattern::Present(false));
    for (lines, there) in [
        (&[("x-tier", &b""[..])][..], true),
        (&[("x-other", &b"gold"[..])][..], false),
    ] {
        assert_eq!(accepts_headers(&present, lines), there);
        assert_eq!(accepts_headers(&absent, lines), !there);
    }
}

#[test]
fn a_header_that_is_not_utf_8_is_there_and_equals_nothing() {
    let lines: &[(&'static str, &[u8])] = &[("x-tier", b"\xff")];
    assert!(accepts_headers(
        &header("x-tier", ValuePattern::Present(true)),
        lines
    ));
    assert!(!accepts_headers(
        &header("x-tier", ValuePattern::Regex(compiled(""))),
        lines
    ));
}

#[test]
fn a_query_parameter_equals_the_text_whatever_its_place_and_spelling() {
    let pattern = parameter("a b", text("c d"));
    for query in ["a+b=c+d", "x=1&a%20b=c%20d", "a+b=x&a+b=c+d", "a%20b=c+d&"] {
        assert!(accepts_query(&pattern, Some(query)), "{query}");
    }
    for query in ["", "a+b", "a+b=c", "A+b=c+d", "x=a+b=c+d"] {
        assert!(!accepts_query(&pattern, Some(query)), "{query}");
    }
    assert!(!accepts_query(&pattern, None));
}

#[test]
fn a_query_parameter_without_a_value_is_there_and_empty() {
    for query in ["debug", "debug=", "x=1&debug"] {
        let there = parameter("debug", ValuePattern::Present(true));
        assert!(accepts_query(&there, Some(query)), "{query}");
        assert!(accepts_query(&parameter("debug", text("")), Some(query)));
        let absent = parameter("debug", ValuePattern::Present(false));
        assert!(!accepts_query(&absent, Some(query)), "{query}");
    }
    let absent = parameter("debug", ValuePattern::Present(false));
    assert!(accepts_query(&absent, None));
    assert!(accepts_query(&absent, Some("debugger=1")));
}

#[test]
fn a_query_parameter_is_matched_by_a_regex() {
    let pattern = parameter("v", ValuePattern::Regex(compiled(r"^\d+$")));
    assert!(accepts_query(&pattern, Some("v=x&v=12")));
    assert!(!accepts_query(&pattern, Some("v=x")));
}

#[test]
fn all_predicates_have_to_hold() {
    let both = Match {
        headers: header("x-tier", text("gold")).headers,
        ..parameter("v", text("1"))
    };
    assert!(!accepts_headers(&both, &[("x-tier", b"gold")]));
    assert!(!accepts_query(&both, Some("v=1")));
}
