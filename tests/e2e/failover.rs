//! A backend that fails is no reason for a request to fail.

use crate::support::{
    Backend, FullBackend, HelloBackend, Load, Proxy, RefusingBackend, ask, eventually, in_front_of,
    ok,
};

const POST: &str = "POST /orders HTTP/1.1\r\nHost: a.test\r\nContent-Length: 11\r\n\r\nhello=world";

#[test]
fn a_backend_killed_under_load_costs_no_request_and_gets_traffic_again_when_it_is_back() {
    let mut app1 = HelloBackend::start("app1");
    let app2 = HelloBackend::start("app2");
    let proxy = Proxy::start(&format!(
        "listeners:
  - address: 127.0.0.1:0
access_log: off
upstreams:
  hello:
    backends: [{}, {}]
    health_check: {{ http: {{ path: /health }}, interval: 200ms, healthy_after: 1, unhealthy_after: 1 }}
routes:
  - upstream: hello
",
        app1.address(),
        app2.address()
    ));
    let load = Load::start(proxy.address(), 20);
    load.wait_for_answers(200);
    assert!(app1.requests() > 0);
    app1.kill();
    load.wait_for_answers(400);
    proxy.stderr.find("app1 is down", |line| {
        line.contains(&format!("backend {} is down", app1.address()))
            .then_some(())
    });
    load.wait_for_answers(200);
    app1.come_back();
    eventually("the backend that is back gets traffic", || {
        app1.requests() > 0
    });
    load.wait_for_answers(200);
    let tally = load.stop();
    assert_eq!(tally.failures, [""; 0]);
    assert_eq!(
        tally.by_hostname.keys().collect::<Vec<_>>(),
        ["app1", "app2"]
    );
}

#[test]
fn a_backend_killed_under_load_without_health_checks_costs_no_request() {
    let mut app1 = HelloBackend::start("app1");
    let app2 = HelloBackend::start("app2");
    let proxy = Proxy::start(&format!(
        "listeners:
  - address: 127.0.0.1:0
access_log: off
upstreams:
  hello:
    backends: [{}, {}]
    outlier: {{ eject: 500ms }}
routes:
  - upstream: hello
",
        app1.address(),
        app2.address()
    ));
    let load = Load::start(proxy.address(), 20);
    load.wait_for_answers(200);
    app1.kill();
    load.wait_for_answers(400);
    app1.come_back();
    eventually("the backend that is back gets traffic", || {
        app1.requests() > 0
    });
    assert_eq!(load.stop().failures, [""; 0]);
}

#[test]
fn a_refused_connection_goes_to_the_next_backend_and_a_body_arrives_once_and_whole() {
    let refusing = [
        RefusingBackend::new(),
        RefusingBackend::new(),
        RefusingBackend::new(),
    ];
    let backend = Backend::answering(|_| ok("thanks"));
    let mut addresses: Vec<_> = refusing.iter().map(RefusingBackend::address).collect();
    addresses.push(backend.address());
    let proxy = Proxy::start(&in_front_of(&addresses));
    for _ in 0..4 {
        let answer = ask(proxy.address(), POST);
        assert_eq!((answer.status, answer.text().as_str()), (200, "thanks"));
    }
    let bodies: Vec<_> = backend
        .requests()
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies, [b"hello=world"; 4]);
    let logged = proxy.logged(|line| line["attempts"] == 4);
    let tried = logged["upstream_addr"].as_str().unwrap().split(", ");
    assert_eq!(tried.last(), Some(backend.address().to_string().as_str()));
}

#[test]
fn a_connection_that_is_not_accepted_in_time_goes_to_the_next_backend() {
    let full = FullBackend::new();
    let backend = Backend::answering(|_| ok("thanks"));
    let proxy = Proxy::start(&format!(
        "listeners:
  - address: 127.0.0.1:0
upstreams:
  hello:
    backends: [{}, {}]
    timeouts: {{ connect: 200ms }}
routes:
  - upstream: hello
",
        full.address(),
        backend.address()
    ));
    for _ in 0..2 {
        assert_eq!(ask(proxy.address(), POST).status, 200);
    }
    proxy.logged(|line| line["attempts"] == 2);
}

/// One backend that resets before it answers and one that is fine.
fn resetting_and_fine() -> (Backend, Backend, Proxy) {
    let resetting = Backend::resetting_after("");
    let fine = Backend::answering(|_| ok("fine"));
    let proxy = Proxy::start(&in_front_of(&[resetting.address(), fine.address()]));
    (resetting, fine, proxy)
}

#[test]
fn a_get_that_was_reset_before_its_answer_is_tried_elsewhere() {
    let (resetting, fine, proxy) = resetting_and_fine();
    for _ in 0..4 {
        assert_eq!(proxy.get("/").status, 200);
    }
    assert!(!resetting.requests().is_empty());
    assert_eq!(fine.requests().len(), 4);
}

#[test]
fn a_post_that_was_reset_before_its_answer_is_not_sent_twice() {
    let (resetting, fine, proxy) = resetting_and_fine();
    let mut statuses: Vec<_> = (0..2).map(|_| ask(proxy.address(), POST).status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 502]);
    let bodies = |backend: &Backend| -> Vec<_> {
        backend
            .requests()
            .into_iter()
            .map(|request| request.body)
            .collect()
    };
    assert_eq!(bodies(&resetting), [b"hello=world"]);
    assert_eq!(bodies(&fine), [b"hello=world"]);
}

#[test]
fn a_put_with_a_body_that_was_reset_arrives_whole_elsewhere() {
    let (resetting, fine, proxy) = resetting_and_fine();
    let put = POST.replace("POST", "PUT");
    for _ in 0..2 {
        assert_eq!(ask(proxy.address(), &put).status, 200);
    }
    assert!(!resetting.requests().is_empty());
    let bodies: Vec<_> = fine
        .requests()
        .into_iter()
        .map(|request| request.body)
        .collect();
    assert_eq!(bodies, [b"hello=world"; 2]);
}

#[test]
fn a_get_that_every_backend_resets_is_tried_twice_and_no_more() {
    let resetting = [(); 4].map(|()| Backend::resetting_after(""));
    let proxy = Proxy::start(&in_front_of(&resetting.each_ref().map(Backend::address)));
    assert_eq!(proxy.get("/").status, 502);
    let arrived: usize = resetting
        .iter()
        .map(|backend| backend.requests().len())
        .sum();
    assert_eq!(arrived, 2);
}

#[test]
fn a_kept_connection_that_the_backend_has_closed_costs_no_get() {
    let backend = Backend::start(|conversation| {
        if conversation.request().is_some() {
            conversation.send(ok("first"));
            // A second request on this connection is taken, and the connection closed without a word.
            conversation.request();
        }
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    for _ in 0..6 {
        assert_eq!(proxy.get("/").status, 200);
    }
}
