//! Logs that become others.

use std::fs;

use super::saying;
use crate::support::{Proxy, eventually};

#[test]
fn the_access_log_goes_elsewhere_and_looks_different() {
    let proxy = Proxy::start(&saying("one"));
    proxy.get("/first");
    proxy.logged(|line| line["request_uri"] == "/first");
    let log = |format: &str| {
        format!(
            "access_log: {{ path: access.log, format: {format} }}\n{}",
            saying("one")
        )
    };
    let line = proxy.reload(&log("$request_uri"));
    assert!(line.ends_with("access_log changed"), "{line}");
    proxy.get("/second");
    let written = |lines: &str| {
        eventually("the lines are written", || {
            fs::read_to_string(proxy.path("access.log")).unwrap_or_default() == lines
        });
    };
    written("/second\n");
    proxy.reload(&log("'$status $request_uri'"));
    proxy.get("/third");
    written("/second\n200 /third\n");
}

#[test]
fn a_log_that_cannot_be_opened_leaves_everything_as_it_was() {
    let proxy = Proxy::start(&saying("one"));
    proxy.reload(&format!(
        "access_log: {{ path: nowhere/access.log }}\n{}",
        saying("two")
    ));
    proxy.stderr.find("what is wrong", |line| {
        (line.contains("reload: ") && line.contains("nowhere/access.log")).then_some(())
    });
    assert_eq!(proxy.get("/").text(), "one");
}

#[test]
fn the_log_of_the_process_becomes_more_or_less_talkative() {
    // Nobody is there: each check fails, which is only told of at `debug` until it makes a verdict.
    let check = "health_check: { tcp: {}, interval: 50ms, timeout: 50ms, unhealthy_after: 1000 }";
    let file = |level: &str| {
        format!(
            "log: {{ level: {level} }}\nlisteners: [{{ address: 127.0.0.1:0 }}]\n\
             upstreams: {{ web: {{ backends: [127.0.0.1:1], {check} }} }}\nroutes: [{{ upstream: web }}]\n"
        )
    };
    let proxy = Proxy::start(&file("info"));
    let failed = || {
        let lines = proxy.stderr.all();
        let told = |line: &&String| line.contains("a check of backend 127.0.0.1:1 failed");
        lines.iter().filter(told).count()
    };
    let line = proxy.reload(&file("debug"));
    assert!(line.ends_with("log changed"), "{line}");
    eventually("more is told", || failed() > 2);
    proxy.reload(&file("info"));
    let told = failed();
    assert!(
        proxy
            .reload(&file("'warn,evenkeel=info'"))
            .contains("generation 4")
    );
    assert_eq!(failed(), told);
}
