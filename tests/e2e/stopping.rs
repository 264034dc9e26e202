//! How the program ends, and the signals it knows. What is measured is the order of events, not time.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Backend, Client, Proxy, eventually, in_front_of, ok, refuses};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// A backend that answers when told to.
struct Patient {
    backend: Backend,
    go: std::sync::mpsc::Sender<()>,
}

impl Patient {
    fn start() -> Self {
        let (go, told) = std::sync::mpsc::channel();
        let told = std::sync::Mutex::new(told);
        let backend = Backend::answering(move |_| {
            let _ = told.lock().unwrap().recv();
            ok("late but whole")
        });
        Self { backend, go }
    }

    /// A request that has arrived here and is not answered yet.
    fn in_flight(&self, proxy: &Proxy) -> Client {
        let before = self.backend.requests().len();
        let mut client = Client::connect(proxy.address());
        client.send(GET);
        eventually("the request arrives", || {
            self.backend.requests().len() > before
        });
        client
    }

    fn answer(&self) {
        self.go.send(()).unwrap();
    }
}

/// The proxy in front of it; what a drain may take is long, so that only its end by itself can end it.
fn patient_proxy(patient: &Patient, shutdown: &str) -> Proxy {
    let file = in_front_of(&[patient.backend.address()]);
    Proxy::start(&format!("server: {{ shutdown: {shutdown} }}\n{file}"))
}

const LONG: &str = "{ drain: 1h }";

#[test]
fn sigterm_refuses_new_connections_finishes_the_request_in_flight_and_ends_with_0() {
    let patient = Patient::start();
    let mut proxy = patient_proxy(&patient, LONG);
    let mut client = patient.in_flight(&proxy);
    proxy.signal(Signal::TERM);
    let address = proxy.address();
    eventually("new connections are refused", || refuses(address));
    assert!(!proxy.has_ended());
    patient.answer();
    let answer = client.answer();
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "late but whole")
    );
    assert!(answer.is_complete);
    assert_eq!(answer.header("Connection"), Some("close"));
    assert!(client.is_closed());
    assert_eq!(proxy.end().code(), Some(0));
    proxy.logged(|line| line["status"] == 200);
}

#[test]
fn sigterm_waits_for_the_last_of_several_requests() {
    let patients = [Patient::start(), Patient::start()];
    let mut proxy = Proxy::start(&format!(
        "server: {{ shutdown: {LONG} }}
listeners:
  - address: 127.0.0.1:0
upstreams:
  first: {{ backends: [{}] }}
  second: {{ backends: [{}] }}
routes:
  - {{ match: {{ path: /first }}, upstream: first }}
  - upstream: second
",
        patients[0].backend.address(),
        patients[1].backend.address()
    ));
    let mut first = Client::connect(proxy.address());
    first.send("GET /first HTTP/1.1\r\nHost: a.test\r\n\r\n");
    eventually("the request arrives", || {
        !patients[0].backend.requests().is_empty()
    });
    let mut second = patients[1].in_flight(&proxy);
    proxy.signal(Signal::TERM);
    patients[0].answer();
    assert_eq!(first.answer().status, 200);
    assert!(first.is_closed());
    assert!(!proxy.has_ended());
    patients[1].answer();
    assert_eq!(second.answer().status, 200);
    assert_eq!(proxy.end().code(), Some(0));
}

#[test]
fn sigterm_closes_idle_connections() {
    let backend = Backend::answering(|_| ok("fine"));
    let file = in_front_of(&[backend.address()]);
    let mut proxy = Proxy::start(&format!("server: {{ shutdown: {LONG} }}\n{file}"));
    let mut fresh = Client::connect(proxy.address());
    let mut used = Client::connect(proxy.address());
    assert_eq!(used.ask(GET).status, 200);
    proxy.signal(Signal::TERM);
    assert!(used.is_closed());
    assert!(fresh.is_closed());
    assert_eq!(proxy.end().code(), Some(0));
}

#[test]
fn a_request_that_does_not_end_is_cut_when_the_drain_is_over() {
    let patient = Patient::start();
    let mut proxy = patient_proxy(&patient, "{ drain: 100ms }");
    let mut client = patient.in_flight(&proxy);
    proxy.signal(Signal::TERM);
    assert!(client.is_closed());
    assert_eq!(proxy.end().code(), Some(0));
    proxy.stderr.find("the limit is named", |line| {
        line.contains("server.shutdown.drain").then_some(())
    });
}

#[test]
fn during_the_delay_after_sigterm_everything_is_served_as_before() {
    let backend = Backend::answering(|_| ok("fine"));
    let file = in_front_of(&[backend.address()]);
    let shutdown = "{ delay: 1500ms, drain: 1h }";
    let mut proxy = Proxy::start(&format!("server: {{ shutdown: {shutdown} }}\n{file}"));
    let mut kept = Client::connect(proxy.address());
    assert_eq!(kept.ask(GET).status, 200);
    proxy.signal(Signal::TERM);
    proxy.stderr.find("the stop is announced", |line| {
        line.contains("stopping in 1.5s").then_some(())
    });
    assert_eq!(kept.ask(GET).status, 200);
    assert_eq!(proxy.get("/").status, 200);
    let address = proxy.address();
    eventually("new connections are refused", || refuses(address));
    assert!(kept.is_closed());
    assert_eq!(proxy.end().code(), Some(0));
}

#[test]
fn sigint_ends_at_once_with_a_request_in_flight() {
    let patient = Patient::start();
    let mut proxy = patient_proxy(&patient, LONG);
    let mut client = patient.in_flight(&proxy);
    proxy.signal(Signal::INT);
    assert!(client.is_closed());
    assert_eq!(proxy.end().code(), Some(0));
}

#[test]
fn a_second_sigterm_during_the_drain_ends_at_once() {
    let patient = Patient::start();
    let mut proxy = patient_proxy(&patient, LONG);
    let mut client = patient.in_flight(&proxy);
    let address = proxy.address();
    proxy.signal(Signal::TERM);
    eventually("new connections are refused", || refuses(address));
    assert!(!proxy.has_ended());
    proxy.signal(Signal::TERM);
    assert!(client.is_closed());
    assert_eq!(proxy.end().code(), Some(0));
}

#[test]
fn sigusr1_opens_the_access_log_anew_after_it_was_moved_away() {
    let proxy = Proxy::start(
        "listeners:
  - address: 127.0.0.1:0
access_log: { path: access.log, format: '$request_uri' }
routes:
  - respond: { status: 200 }
",
    );
    let lines = |name: &str| fs::read_to_string(proxy.path(name)).unwrap_or_default();
    proxy.get("/before");
    eventually("the line is written", || lines("access.log") == "/before\n");
    fs::rename(proxy.path("access.log"), proxy.path("access.log.1")).unwrap();
    proxy.get("/moved");
    eventually("the line goes to the moved file", || {
        lines("access.log.1") == "/before\n/moved\n"
    });
    proxy.signal(Signal::USR1);
    eventually("the new file is there", || {
        proxy.path("access.log").exists()
    });
    proxy.get("/after");
    eventually("the line goes to the new file", || {
        lines("access.log") == "/after\n"
    });
    assert_eq!(lines("access.log.1"), "/before\n/moved\n");
}

#[test]
fn sighup_does_not_end_the_program() {
    let proxy = Proxy::start(
        "listeners:
  - address: 127.0.0.1:0
routes:
  - respond: { status: 200 }
",
    );
    proxy.signal(Signal::HUP);
    proxy.stderr.find("a word on reloading", |line| {
        line.contains("reload").then_some(())
    });
    assert_eq!(proxy.get("/").status, 200);
}

#[test]
fn the_last_lines_of_the_access_log_are_written_before_the_end() {
    let mut proxy = Proxy::start(
        "listeners:
  - address: 127.0.0.1:0
access_log: { path: access.log, format: '$request_uri' }
routes:
  - respond: { status: 200 }
",
    );
    let mut client = Client::connect(proxy.address());
    for index in 0..100 {
        let request = format!("GET /{index} HTTP/1.1\r\nHost: a.test\r\n\r\n");
        assert_eq!(client.ask(request).status, 200);
    }
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.end().code(), Some(0));
    let log = fs::read_to_string(proxy.path("access.log")).unwrap();
    assert_eq!(log.lines().count(), 100);
    assert!(log.ends_with("/99\n"));
}

#[test]
fn the_pid_file_holds_the_process_id_while_it_runs() {
    let mut proxy = Proxy::start(
        "server: { pid_file: evenkeel.pid }
listeners:
  - address: 127.0.0.1:0
routes:
  - respond: { status: 200 }
",
    );
    let file = proxy.path("evenkeel.pid");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("{}\n", proxy.id())
    );
    proxy.signal(Signal::TERM);
    proxy.end();
    assert!(!file.exists());
}

/// Long enough that nobody thinks of the test's own end as the reason.
#[test]
fn an_answer_under_way_is_finished_after_sigterm() {
    let (go, told) = std::sync::mpsc::channel::<()>();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::start(move |conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
        let _ = told.lock().unwrap().recv_timeout(Duration::from_secs(60));
        conversation.send("done");
    });
    let file = in_front_of(&[backend.address()]);
    let mut proxy = Proxy::start(&format!("server: {{ shutdown: {LONG} }}\n{file}"));
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    client.wait_for(b"half");
    proxy.signal(Signal::TERM);
    let address = proxy.address();
    eventually("new connections are refused", || refuses(address));
    go.send(()).unwrap();
    let answer = client.answer();
    assert_eq!(
        (answer.text().as_str(), answer.is_complete),
        ("halfdone", true)
    );
    assert_eq!(proxy.end().code(), Some(0));
}
