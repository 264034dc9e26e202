//! How long it takes to find the route of a request, and that it takes no memory: 10, 1,000 and 100,000 routes, ten paths on each host.
//!
//! Each measurement goes over many requests in an order that jumps between hosts, so that a large table pays for its cache misses.

#![allow(
    missing_docs,
    reason = "criterion_group! makes a public function without one"
)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use evenkeel::config::{HostPattern, Match, PathPattern};
use evenkeel::route::{Request, Table};
use http::{HeaderMap, Method};

criterion_group!(benches, lookups);
criterion_main!(benches);

const PATHS: [&str; 10] = [
    "/",
    "/api/",
    "/api/v1/",
    "/api/v1/users/",
    "/api/v2/",
    "/static/",
    "/login",
    "/admin/",
    "/health",
    "/docs/",
];

fn lookups(criterion: &mut Criterion) {
    for hosts in [1, 100, 10_000] {
        let size = hosts * PATHS.len();
        measure(
            criterion,
            "exact hosts",
            size,
            &table(hosts, HostPattern::Exact),
            "",
        );
        measure(
            criterion,
            "wildcard hosts",
            size,
            &table(hosts, HostPattern::Wildcard),
            "a.",
        );
        measure_one_host(criterion, size);
    }
}

fn measure(criterion: &mut Criterion, name: &str, size: usize, table: &Table, label: &str) {
    let hosts = size / PATHS.len();
    // 7919 is prime to every number of hosts here, so all of them get their turn.
    let requests: Vec<_> = (0..hosts.max(1_000))
        .map(|n| {
            let host = format!("{label}{}", host(n * 7919 % hosts));
            let path = PATHS[n * 3 % PATHS.len()];
            (host, format!("{path}x"))
        })
        .collect();
    run(criterion, name, size, table, &requests);
}

/// All routes are prefixes on any host.
fn measure_one_host(criterion: &mut Criterion, size: usize) {
    let prefix = |n: usize| format!("/{}/{}/{}/", n % 10, n / 10 % 100, n);
    let matches: Vec<_> = (0..size)
        .map(|n| Match {
            path: Some(PathPattern::Prefix(prefix(n))),
            ..Match::default()
        })
        .collect();
    let table = Table::new(matches.iter().map(|pattern| (pattern, 0)));
    let requests: Vec<_> = (0..size.max(1_000))
        .map(|n| ("a.test".to_owned(), prefix(n * 7919 % size) + "x/y"))
        .collect();
    run(criterion, "paths of one host", size, &table, &requests);
}

fn run(
    criterion: &mut Criterion,
    name: &str,
    size: usize,
    table: &Table,
    requests: &[(String, String)],
) {
    let headers = HeaderMap::new();
    let find_all = || {
        for (host, path) in requests {
            let found = table.find(&Request {
                host,
                path,
                query: None,
                method: &Method::GET,
                headers: &headers,
                listener: "main",
            });
            assert!(black_box(found).is_some(), "{host}{path} has no route");
        }
    };
    let allocations = allocation_counter::measure(find_all).count_total;
    assert_eq!(allocations, 0, "{name}, {size} routes: a lookup allocates");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(requests.len() as u64));
    group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
        bencher.iter(find_all)
    });
    group.finish();
}

fn table(hosts: usize, host_pattern: fn(String) -> HostPattern) -> Table {
    let matches: Vec<_> = (0..hosts)
        .flat_map(|n| PATHS.map(|path| (n, path)))
        .map(|(n, path)| Match {
            hosts: vec![host_pattern(host(n))],
            path: Some(PathPattern::Prefix(path.to_owned())),
            ..Match::default()
        })
        .collect();
    Table::new(matches.iter().map(|pattern| (pattern, 0)))
}

fn host(n: usize) -> String {
    format!("tenant-{n}.apps.example.com")
}
