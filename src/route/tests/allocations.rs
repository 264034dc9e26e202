use allocation_counter::measure;

use super::*;
use crate::config::{HeaderPattern, QueryPattern, ValuePattern};

/// Hosts, wildcards, prefixes, exact paths, regexes and predicates.
fn table_of_everything() -> Table {
    let mut matches: Vec<Match> = (0..100)
        .flat_map(|n| {
            let hosts = vec![
                host_pattern(&format!("h{n}.test")),
                host_pattern(&format!("*.w{n}.test")),
            ];
            let paths = [prefix("/api/"), exact("/x"), regex("^/v1/"), regex("^/v2/")];
            paths.map(|with_path| Match {
                hosts: hosts.clone(),
                ..with_path
            })
        })
        .collect();
    matches.push(Match {
        methods: vec![Method::GET],
        listeners: vec!["main".to_owned()],
        headers: vec![HeaderPattern {
            name: http::header::ACCEPT,
            value: ValuePattern::Regex(compiled("json")),
        }],
        query: vec![QueryPattern {
            name: "v".to_owned(),
            value: ValuePattern::Exact("1".to_owned()),
        }],
        ..anything()
    });
    table(&matches)
}

#[test]
fn a_lookup_does_not_allocate() {
    let table = table_of_everything();
    let mut headers = HeaderMap::new();
    headers.insert("accept", http::HeaderValue::from_static("text/json"));
    let on = |host, path| Request {
        query: Some("u=0&v=1"),
        ..get(host, path, &headers)
    };
    let requests = [
        (on("H7.TEST:8080", "/api/x/y"), Some(28)),
        (on("a.b.W9.test.", "/x"), Some(37)),
        (on("h7.test", "/v1/x"), Some(30)),
        (on("h7.test", "/v2/x"), Some(31)),
        (on("[0::1]:80", "/"), Some(400)),
        (on("other.test", "/other"), Some(400)),
    ];
    let find_all = || requests.map(|(request, _)| table.find(&request));
    // A regex makes its caches when a thread first searches with it.
    assert_eq!(find_all(), requests.map(|(_, wanted)| wanted));
    let counted = measure(|| {
        find_all();
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn the_counter_of_allocations_counts() {
    let table = table_of_everything();
    let headers = HeaderMap::new();
    let escaped = get("h7.test", "/%61pi/", &headers);
    table.find(&escaped);
    let counted = measure(|| {
        table.find(&escaped);
    });
    assert!(counted.count_total > 0);
}
