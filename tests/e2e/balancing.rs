//! Whose turn it is.

use std::collections::BTreeMap;
use std::thread;

use crate::support::{Client, HelloBackend, Proxy, in_front_of};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

fn two_hellos() -> (HelloBackend, HelloBackend, Proxy) {
    let app1 = HelloBackend::start("app1");
    let app2 = HelloBackend::start("app2");
    let proxy = Proxy::start(&in_front_of(&[app1.address(), app2.address()]));
    (app1, app2, proxy)
}

fn count(hostnames: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for hostname in hostnames {
        *counts.entry(hostname.as_str()).or_default() += 1;
    }
    counts
}

fn assert_in_turns(hostnames: &[String]) {
    assert_eq!(
        count(hostnames),
        BTreeMap::from([("app1", 100), ("app2", 100)])
    );
    for pair in hostnames.windows(2) {
        assert_ne!(pair[0], pair[1], "twice in a row: {hostnames:?}");
    }
}

#[test]
fn two_backends_take_exact_turns_on_one_connection() {
    let (_app1, _app2, proxy) = two_hellos();
    let mut client = Client::connect(proxy.address());
    let hostnames: Vec<_> = (0..200).map(|_| client.ask(GET).hostname()).collect();
    assert_in_turns(&hostnames);
}

#[test]
fn two_backends_take_exact_turns_on_a_connection_for_each_request() {
    let (_app1, _app2, proxy) = two_hellos();
    let hostnames: Vec<_> = (0..200).map(|_| proxy.get("/").hostname()).collect();
    assert_in_turns(&hostnames);
}

#[test]
fn two_backends_share_evenly_what_many_connections_ask_at_once() {
    let (app1, app2, proxy) = two_hellos();
    let address = proxy.address();
    let ask_ten_times = move || {
        let mut client = Client::connect(address);
        (0..10).for_each(|_| assert_eq!(client.ask(GET).status, 200));
    };
    let clients: Vec<_> = (0..20).map(|_| thread::spawn(ask_ten_times)).collect();
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!((app1.requests(), app2.requests()), (100, 100));
}

#[test]
fn weights_share_the_requests_in_exact_proportion() {
    let app1 = HelloBackend::start("app1");
    let app2 = HelloBackend::start("app2");
    let proxy = Proxy::start(&format!(
        "listeners:
  - address: 127.0.0.1:0
upstreams:
  hello:
    balance: round_robin
    backends:
      - {{ address: {}, weight: 3 }}
      - {{ address: {}, weight: 1 }}
routes:
  - upstream: hello
",
        app1.address(),
        app2.address()
    ));
    let mut client = Client::connect(proxy.address());
    let hostnames: Vec<_> = (0..200).map(|_| client.ask(GET).hostname()).collect();
    assert_eq!(
        count(&hostnames),
        BTreeMap::from([("app1", 150), ("app2", 50)])
    );
    for round in hostnames.chunks(4) {
        assert_eq!(count(round)["app2"], 1, "not spread out: {hostnames:?}");
    }
}

#[test]
fn each_upstream_takes_its_own_turns() {
    let hellos: Vec<_> = ["a1", "a2", "b1", "b2"].map(HelloBackend::start).into();
    let at = |index: usize| hellos[index].address();
    let proxy = Proxy::start(&format!(
        "listeners:
  - address: 127.0.0.1:0
upstreams:
  a: {{ backends: [{}, {}] }}
  b: {{ backends: [{}, {}] }}
routes:
  - {{ match: {{ host: a.test }}, upstream: a }}
  - {{ match: {{ host: b.test }}, upstream: b }}
",
        at(0),
        at(1),
        at(2),
        at(3)
    ));
    let mut client = Client::connect(proxy.address());
    for _ in 0..10 {
        client.ask(GET);
        client.ask("GET / HTTP/1.1\r\nHost: b.test\r\n\r\n");
    }
    let requests: Vec<_> = hellos.iter().map(HelloBackend::requests).collect();
    assert_eq!(requests, [5, 5, 5, 5]);
}
