//! Health checks: what is asked, what counts as healthy, and how often.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use crate::support::{Backend, HelloBackend, Proxy, RefusingBackend, Request, eventually, ok};

/// Two backends under one check.
fn checked(backends: [SocketAddr; 2], check: &str) -> Proxy {
    let [one, other] = backends;
    Proxy::start(&format!(
        "listeners:
  - address: 127.0.0.1:0
upstreams:
  hello:
    backends: [{one}, {other}]
    health_check: {check}
routes:
  - upstream: hello
"
    ))
}

fn answer(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Says `status` to checks of `/health`, and is fine otherwise.
fn with_health(status: u16) -> Backend {
    with_changing_health(&Arc::new(AtomicU16::new(status)))
}

fn with_changing_health(status: &Arc<AtomicU16>) -> Backend {
    let status = Arc::clone(status);
    Backend::answering(move |request: &Request| {
        if request.target() == "/health" {
            answer(status.load(Ordering::Relaxed), "")
        } else {
            ok("served")
        }
    })
}

/// Six requests, of which `sick` must see none.
fn assert_never_asked(proxy: &Proxy, sick: &Backend) {
    for _ in 0..6 {
        assert_eq!(proxy.get("/").status, 200);
    }
    assert_eq!(sick.asked_for("/"), 0);
}

const ONCE: &str = "{ http: { path: /health }, interval: 1h }";

#[test]
fn a_backend_that_fails_its_first_check_never_sees_a_request() {
    let (sick, fine) = (with_health(500), with_health(200));
    let proxy = checked([sick.address(), fine.address()], ONCE);
    assert_never_asked(&proxy, &sick);
    assert_eq!(sick.asked_for("/health"), 1);
}

#[test]
fn a_backend_that_does_not_answer_its_first_check_never_sees_a_request() {
    let (hanging, fine) = (Backend::hanging(), with_health(200));
    let check = "{ http: { path: /health }, interval: 1h, timeout: 200ms }";
    let proxy = checked([hanging.address(), fine.address()], check);
    assert_never_asked(&proxy, &hanging);
}

/// Seen failing without the limit on the whole check: each drip comes in time, and the end never does.
#[test]
fn a_backend_that_drips_its_answer_to_a_check_is_down_when_the_time_is_up() {
    let dripping = Backend::start(|conversation| {
        if conversation.request().is_some() {
            conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            conversation.drip("not yet ");
        }
    });
    let check = "{ http: { path: /health, body_contains: served }, interval: 1h, timeout: 1s }";
    let saying = Backend::answering(|_: &Request| ok("served"));
    let proxy = checked([dripping.address(), saying.address()], check);
    assert_eq!(
        verdicts(&proxy, &dripping),
        ["down: it did not answer within 1s"]
    );
    assert_never_asked(&proxy, &dripping);
}

#[test]
fn every_backend_is_checked_once_before_the_first_request_is_sent_to_it() {
    let (one, other) = (with_health(200), with_health(204));
    let proxy = checked([one.address(), other.address()], ONCE);
    for _ in 0..4 {
        assert_eq!(proxy.get("/").status, 200);
    }
    for backend in [one, other] {
        let targets: Vec<_> = backend
            .requests()
            .iter()
            .map(|request| request.target().to_owned())
            .collect();
        assert_eq!(targets, ["/health", "/", "/"]);
    }
}

#[test]
fn a_check_names_the_address_of_the_backend_as_host_and_says_who_it_is() {
    let (one, other) = (with_health(200), with_health(200));
    let _proxy = checked([one.address(), other.address()], ONCE);
    let request = one.requests().remove(0);
    assert_eq!(request.method(), "GET");
    assert_eq!(request.header("Host"), Some(one.address().to_string()));
    assert_eq!(
        request.header("User-Agent").as_deref(),
        Some("evenkeel-health-check")
    );
}

#[test]
fn a_check_names_the_host_that_the_file_says() {
    let (one, other) = (with_health(200), with_health(200));
    let check = "{ http: { path: /health, host: www.example.com }, interval: 1h }";
    let _proxy = checked([one.address(), other.address()], check);
    let request = one.requests().remove(0);
    assert_eq!(request.header("Host").as_deref(), Some("www.example.com"));
}

#[test]
fn the_good_statuses_of_a_check_are_those_of_the_file() {
    let (redirecting, ok) = (with_health(302), with_health(200));
    let check = "{ http: { path: /health, status: [204, 300-399] }, interval: 1h }";
    let proxy = checked([ok.address(), redirecting.address()], check);
    assert_never_asked(&proxy, &ok);
    assert_eq!(redirecting.asked_for("/"), 6);
}

#[test]
fn a_check_can_want_a_text_in_the_body() {
    let saying = |health: &'static str| {
        Backend::answering(move |request: &Request| match request.target() {
            "/health" => answer(200, health),
            _ => ok("served"),
        })
    };
    let (starting, ready) = (saying("status: starting"), saying("status: ready"));
    let check = "{ http: { path: /health, body_contains: ready }, interval: 1h }";
    let proxy = checked([starting.address(), ready.address()], check);
    assert_never_asked(&proxy, &starting);
}

#[test]
fn a_tcp_check_wants_a_connection_and_no_more() {
    let refusing = RefusingBackend::new();
    let health_is_no_matter = with_health(500);
    let check = "{ tcp: {}, interval: 1h }";
    let proxy = checked([refusing.address(), health_is_no_matter.address()], check);
    for _ in 0..4 {
        assert_eq!(proxy.get("/").status, 200);
    }
    let logged = proxy.logged(|line| line["status"] == 200);
    assert_eq!(logged["attempts"], 1, "the refusing backend was tried");
    proxy.stderr.find("the refusing backend is down", |line| {
        line.contains(&format!("backend {} is down", refusing.address()))
            .then_some(())
    });
    assert_eq!(health_is_no_matter.asked_for("/health"), 0);
}

#[test]
fn a_check_can_go_to_another_port_than_the_requests() {
    let (one, other) = (with_health(500), with_health(500));
    let checks = with_health(200);
    let check = format!(
        "{{ http: {{ path: /health }}, interval: 1h, port: {} }}",
        checks.address().port()
    );
    let proxy = checked([one.address(), other.address()], &check);
    for _ in 0..4 {
        assert_eq!(proxy.get("/").status, 200);
    }
    assert_eq!(
        (one.asked_for("/health"), other.asked_for("/health")),
        (0, 0)
    );
    assert_eq!(checks.asked_for("/health"), 2);
}

/// A backend whose n-th check is answered with the n-th status, and with the last one from then on.
fn with_script(statuses: &'static [u16]) -> (Backend, Arc<AtomicUsize>) {
    let checks = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&checks);
    let backend = Backend::answering(move |request: &Request| {
        if request.target() != "/health" {
            return ok("served");
        }
        let index = counter.fetch_add(1, Ordering::Relaxed);
        answer(*statuses.get(index).or(statuses.last()).unwrap(), "")
    });
    (backend, checks)
}

/// Waits until four requests in a row go elsewhere.
fn assert_is_left_alone(proxy: &Proxy, sick: &Backend) {
    eventually("the sick backend gets no more requests", || {
        let before = sick.asked_for("/");
        (0..4).for_each(|_| assert_eq!(proxy.get("/").status, 200));
        sick.asked_for("/") == before
    });
}

fn verdicts(proxy: &Proxy, backend: &Backend) -> Vec<String> {
    let prefix = format!("backend {} is ", backend.address());
    let verdict = |line: &String| Some(line.split_once(&prefix)?.1.to_owned());
    proxy.stderr.all().iter().filter_map(verdict).collect()
}

#[test]
fn a_backend_goes_down_after_as_many_failed_checks_as_the_file_says_and_not_before() {
    // Two failures are forgiven, three are not.
    let (backend, checks) = with_script(&[200, 500, 500, 200, 500, 500, 500]);
    let fine = HelloBackend::start("app2");
    let check = "{ http: { path: /health }, interval: 500ms, unhealthy_after: 3 }";
    let proxy = checked([backend.address(), fine.address()], check);
    proxy.stderr.find("the backend is down", |line| {
        line.contains(&format!("backend {} is down", backend.address()))
            .then_some(())
    });
    assert!(checks.load(Ordering::Relaxed) >= 7);
    let verdicts = verdicts(&proxy, &backend);
    assert_eq!(verdicts.len(), 2, "{verdicts:?}");
    assert_eq!(verdicts[0], "up");
    assert_eq!(
        verdicts[1],
        "down: it answered with status 500 (3 checks in a row)"
    );
    assert_is_left_alone(&proxy, &backend);
}

#[test]
fn a_backend_comes_back_after_as_many_good_checks_as_the_file_says_and_not_before() {
    let (backend, checks) = with_script(&[500, 200, 200, 500, 200, 200, 200]);
    let fine = HelloBackend::start("app2");
    let check = "{ http: { path: /health }, interval: 500ms, healthy_after: 3 }";
    let proxy = checked([backend.address(), fine.address()], check);
    proxy.stderr.find("the backend is up again", |line| {
        let told = format!(
            "backend {} is up again (3 checks in a row)",
            backend.address()
        );
        line.contains(&told).then_some(())
    });
    assert!(checks.load(Ordering::Relaxed) >= 7);
    eventually("the backend gets requests", || {
        proxy.get("/");
        backend.asked_for("/") > 0
    });
}

/// The other backend is the clock: it is asked once in each interval. Seen failing without the faster pace, with 9 checks of it.
#[test]
fn a_backend_that_is_going_down_is_asked_more_often_than_the_interval_says() {
    let clock = with_health(200);
    let checks_of_clock = clock.counter("/health");
    let at_first_failure = Arc::new(AtomicUsize::new(usize::MAX));
    let (first, failures) = (Arc::clone(&at_first_failure), AtomicUsize::new(0));
    let dying = Backend::answering(move |request: &Request| {
        if request.target() != "/health" {
            return ok("served");
        }
        match failures.fetch_add(1, Ordering::Relaxed) {
            0 => return answer(200, ""),
            1 => first.store(checks_of_clock(), Ordering::Relaxed),
            _ => {}
        }
        answer(500, "")
    });
    let check = "{ http: { path: /health }, interval: 2s, unhealthy_after: 10 }";
    let proxy = checked([dying.address(), clock.address()], check);
    proxy.stderr.find("the dying backend is down", |line| {
        line.contains(&format!("backend {} is down", dying.address()))
            .then_some(())
    });
    let asked = clock.asked_for("/health") - at_first_failure.load(Ordering::Relaxed);
    assert!(asked <= 5, "{asked} intervals went by");
}

#[test]
fn a_backend_that_becomes_healthy_is_asked_and_one_that_becomes_sick_is_not() {
    let status = Arc::new(AtomicU16::new(500));
    let backend = with_changing_health(&status);
    let fine = HelloBackend::start("app2");
    let check = "{ http: { path: /health }, interval: 50ms, healthy_after: 1, unhealthy_after: 1 }";
    let proxy = checked([backend.address(), fine.address()], check);
    assert_never_asked(&proxy, &backend);
    status.store(200, Ordering::Relaxed);
    eventually("the healthy backend gets requests", || {
        proxy.get("/");
        backend.asked_for("/") > 0
    });
    status.store(500, Ordering::Relaxed);
    assert_is_left_alone(&proxy, &backend);
}

#[test]
fn without_a_health_check_no_backend_is_contacted_before_a_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let _proxy = Proxy::start(&crate::support::in_front_of(&[address]));
    let accepted = listener.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(accepted, Err(std::io::ErrorKind::WouldBlock));
}
