//! The file is loaded anew while the program runs (SIGHUP).

mod listeners;
mod logs;
mod upstreams;

use std::fs;

use rustix::process::Signal;

use crate::support::{Backend, Client, Load, Proxy, eventually, in_front_of, ok};

/// A file with one listener and a route that answers `text`.
fn saying(text: &str) -> String {
    format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]\nroutes: [{{ respond: {{ status: 200, body: {text} }} }}]\n"
    )
}

#[test]
fn sighup_loads_the_file_and_requests_that_begin_then_are_served_by_it() {
    let proxy = Proxy::start(&saying("one"));
    let mut kept = Client::connect(proxy.address());
    assert_eq!(
        kept.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").text(),
        "one"
    );
    let line = proxy.reload(&saying("two"));
    assert!(
        line.ends_with("generation 2: route routes[0] changed"),
        "{line}"
    );
    // The connection is another generation's, the request is not.
    assert_eq!(
        kept.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").text(),
        "two"
    );
    assert_eq!(proxy.get("/").text(), "two");
    let line = proxy.reload(&saying("two"));
    assert!(
        line.ends_with("generation 3: nothing is different"),
        "{line}"
    );
}

#[test]
fn a_file_with_faults_changes_nothing_and_all_faults_are_logged() {
    let proxy = Proxy::start(&saying("one"));
    let line = proxy.reload(&format!(
        "{}nonsense: 1\nlog: {{ level: loud=x=y }}\n",
        saying("two")
    ));
    assert!(
        line.contains("the configuration before it stays in force"),
        "{line}"
    );
    for fault in ["there is no key \"nonsense\"", "log.level"] {
        proxy.stderr.find(fault, |line| {
            (line.contains("reload: ") && line.contains(fault)).then_some(())
        });
    }
    assert_eq!(proxy.get("/").text(), "one");
    // Nor does a file that is gone.
    fs::remove_file(proxy.path("evenkeel.yaml")).unwrap();
    proxy.signal(Signal::HUP);
    eventually("it is said that there is no such file", || {
        let lines = proxy.stderr.all();
        let kept = lines.iter().filter(|line| line.contains("stays in force"));
        kept.count() == 2
            && lines
                .iter()
                .any(|line| line.contains("there is no such file"))
    });
    assert_eq!(proxy.get("/").text(), "one");
    assert!(proxy.reload(&saying("three")).contains("generation 2"));
    assert_eq!(proxy.get("/").text(), "three");
}

#[test]
fn what_cannot_change_while_the_process_runs_is_refused_with_the_whole_file() {
    let proxy = Proxy::start(&format!("server: {{ threads: 1 }}\n{}", saying("one")));
    proxy.reload(&format!(
        "server: {{ threads: 2, pid_file: evenkeel.pid }}\n{}",
        saying("two")
    ));
    for key in ["server.threads", "server.pid_file"] {
        proxy.stderr.find(key, |line| {
            line.contains(&format!(
                "reload: {key} cannot change while the process runs"
            ))
            .then_some(())
        });
    }
    assert_eq!(proxy.get("/").text(), "one");
    let keepalive =
        "{ backends: [127.0.0.1:1], connections: { keepalive: 1000000 }, protocol: http2 }";
    proxy.reload(&format!(
        "server: {{ threads: 1 }}\nupstreams: {{ web: {keepalive} }}\n{}",
        saying("two")
    ));
    proxy.stderr.find("the pool's limit", |line| {
        line.contains("`connections.keepalive` of all over HTTP/2 together is 1000000")
            .then_some(())
    });
    assert_eq!(proxy.get("/").text(), "one");
    // Over HTTP/1 there is no such limit.
    let keepalive = keepalive.replace(", protocol: http2", "");
    proxy.reload(&format!(
        "server: {{ threads: 1 }}\nupstreams: {{ web: {keepalive} }}\n{}",
        saying("two")
    ));
    eventually("it is in force", || proxy.get("/").text() == "two");
}

#[test]
fn a_request_under_way_is_served_to_its_end_by_the_configuration_it_began_under() {
    let (go, told) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::answering(move |_| {
        let _ = told.lock().unwrap().recv();
        ok("late but whole")
    });
    let header = "filters: [{ response_headers: { set: { X-File: first } } }]\n";
    let proxy = Proxy::start(&format!("{header}{}", in_front_of(&[backend.address()])));
    let mut client = Client::connect(proxy.address());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    eventually("the request arrives", || !backend.requests().is_empty());
    proxy.reload(&saying("another"));
    assert_eq!(proxy.get("/").text(), "another");
    go.send(()).unwrap();
    let answer = client.answer();
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "late but whole")
    );
    assert_eq!(answer.header("X-File"), Some("first"));
}

#[test]
fn a_file_that_changes_again_and_again_under_load_costs_not_one_request() {
    let backends: Vec<_> = (0..4).map(|_| Backend::answering(|_| hello())).collect();
    let file = |round: usize| {
        // Each time other backends, another policy, another place of the listener's settings.
        let chosen: Vec<_> = (0..4)
            .filter(|index| !(round + index).is_multiple_of(3))
            .map(|index| backends[index].address().to_string())
            .collect();
        let policy = ["round_robin", "least_requests", "p2c"][round % 3];
        let idle = 30 + round % 5;
        format!(
            "listeners:\n  - {{ address: 127.0.0.1:0, timeouts: {{ idle: {idle}s }} }}\n\
             upstreams:\n  hello: {{ backends: [{}], balance: {policy}, health_check: {{ tcp: {{}}, interval: 100ms, timeout: 100ms }} }}\n\
             routes:\n  - upstream: hello\n",
            chosen.join(", ")
        )
    };
    let proxy = Proxy::start(&file(0));
    let load = Load::start(proxy.address(), 8);
    for round in 1..=20 {
        load.wait_for_answers(50);
        let line = proxy.reload(&file(round));
        assert!(
            line.contains(&format!("generation {}", round + 1)),
            "{line}"
        );
    }
    load.wait_for_answers(50);
    let tally = load.stop();
    assert_eq!(tally.failures, Vec::<String>::new());
}

/// What the load takes for the answer of a backend.
fn hello() -> String {
    ok(r#"{"hostname": "backend"}"#)
}

#[test]
fn what_a_rate_limit_has_counted_stays_counted() {
    let file = |body: &str| {
        format!(
            "listeners: [{{ address: 127.0.0.1:0 }}]\nroutes:\n  - name: api\n    filters: [{{ rate_limit: {{ rate: 2/h }} }}]\n    respond: {{ status: 200, body: {body} }}\n"
        )
    };
    let proxy = Proxy::start(&file("one"));
    assert_eq!([proxy.get("/").status, proxy.get("/").status], [200, 200]);
    assert_eq!(proxy.get("/").status, 429);
    proxy.reload(&file("two"));
    assert_eq!(proxy.get("/").status, 429);
    // Another limit counts anew.
    proxy.reload(&file("three").replace("2/h", "1/h"));
    assert_eq!([proxy.get("/").status, proxy.get("/").status], [200, 429]);
}

#[test]
fn a_second_signal_while_the_file_is_loaded_loads_it_once_more() {
    let proxy = Proxy::start(&saying("one"));
    for _ in 0..20 {
        proxy.signal(Signal::HUP);
    }
    assert!(!proxy.reload(&saying("two")).is_empty());
    eventually("the last file is in force", || {
        proxy.get("/").text() == "two"
    });
}
