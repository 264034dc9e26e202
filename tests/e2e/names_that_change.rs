//! Names whose addresses change while the program runs.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::names::{GET, answers, counts, hellos_on_one_port, lines_with, proxy, wait_for_line};
use crate::support::{Backend, Client, DnsServer, HelloBackend, Load, Mood, eventually, ok};

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs 127.0.0.2")]
fn a_change_of_addresses_is_followed_when_the_time_to_live_is_over() {
    let (port, [mut one, _two]) = hellos_on_one_port([("one", "127.0.0.2"), ("two", "127.0.0.3")]);
    let dns = DnsServer::start();
    dns.set_addresses("app.test", 1, &["127.0.0.2"]);
    let proxy = proxy(&dns, &format!("app.test:{port}"));
    assert_eq!(answers(&proxy, 2), counts([("one", 2)]));
    dns.set_addresses("app.test", 1, &["127.0.0.3"]);
    wait_for_line(
        &proxy,
        &format!(
            "upstream hello: app.test:{port} has changed: new 127.0.0.3:{port}; gone 127.0.0.2:{port}"
        ),
    );
    // Whoever asked the old address now would be answered by nobody.
    one.kill();
    eventually("only the new address is asked", || {
        proxy.get("/").hostname() == "two"
    });
    assert_eq!(answers(&proxy, 4), counts([("two", 4)]));
    assert!(proxy.logged(|line| line["status"] == 200)["attempts"] == 1);
}

/// Seen failing with hickory's cache on.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs 127.0.0.2")]
fn a_long_time_to_live_is_not_believed_to_its_end() {
    let (port, _hellos) = hellos_on_one_port([("one", "127.0.0.2"), ("two", "127.0.0.3")]);
    let dns = DnsServer::start();
    dns.set_addresses("app.test", 600, &["127.0.0.2"]);
    let proxy = proxy(&dns, &format!("app.test:{port}"));
    assert_eq!(answers(&proxy, 2), counts([("one", 2)]));
    dns.set_addresses("app.test", 600, &["127.0.0.3"]);
    eventually("the new address is asked", || {
        proxy.get("/").hostname() == "two"
    });
}

/// Seen failing when what was found is published after the last lookup only.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs 127.0.0.2")]
fn a_name_that_is_slow_holds_up_no_other() {
    let (port, [mut one, _two]) = hellos_on_one_port([("one", "127.0.0.2"), ("two", "127.0.0.3")]);
    let dns = DnsServer::start();
    dns.set_addresses("slow.test", 1, &["127.0.0.2"]);
    dns.set_addresses("app.test", 1, &["127.0.0.2"]);
    let proxy = proxy(&dns, &format!("slow.test:{port}, app.test:{port}"));
    dns.is_about("slow.test", Mood::Silent);
    dns.wait_for_questions("slow.test", 1);
    dns.set_addresses("app.test", 1, &["127.0.0.3"]);
    one.kill();
    eventually("the new address of the other is asked", || {
        let answer = proxy.get("/");
        answer.status == 200 && answer.hostname() == "two"
    });
    assert_eq!(lines_with(&proxy, "cannot resolve"), 0);
}

/// Seen failing with the backend of the former entry kept: it stays disabled.
#[test]
fn an_address_that_moves_to_another_name_is_what_is_written_of_that_name() {
    let hello = HelloBackend::start("app1");
    let port = hello.address().port();
    let dns = DnsServer::start();
    dns.set_addresses("old.test", 1, &["127.0.0.1"]);
    let backends = format!("{{ address: old.test:{port}, state: disabled }}, new.test:{port}");
    let proxy = proxy(&dns, &backends);
    assert_eq!(proxy.get("/").status, 503);
    dns.set_addresses("new.test", 1, &["127.0.0.1"]);
    dns.set_addresses("old.test", 1, &["127.0.0.9"]);
    eventually("the address serves under its new name", || {
        proxy.get("/").status == 200
    });
    let logged = proxy.logged(|line| line["status"] == 200);
    assert_eq!(logged["upstream_addr"], format!("127.0.0.1:{port}"));
    dns.set_addresses("old.test", 1, &["127.0.0.1"]);
    eventually("it is disabled under its old name", || {
        proxy.get("/").status == 503
    });
}

/// A backend that says so when it has a request, and answers it when it is told to.
fn waiting_backend() -> (Backend, Receiver<()>, Sender<()>) {
    let (has_request, requests) = channel();
    let (go, may_answer) = channel::<()>();
    let may_answer = Mutex::new(may_answer);
    let backend = Backend::start(move |conversation| {
        while conversation.request().is_some() {
            has_request.send(()).unwrap();
            // An error means that the test is over.
            let _ = may_answer.lock().unwrap().recv();
            conversation.send(ok("late"));
        }
    });
    (backend, requests, go)
}

#[test]
fn a_backend_that_is_gone_from_the_dns_finishes_its_requests_and_gets_no_more() {
    let (slow, requests, go) = waiting_backend();
    let other = HelloBackend::start("other");
    let dns = DnsServer::start();
    dns.set_addresses("host.test", 1, &["127.0.0.1"]);
    let service = |port| [(10, 1, port, "host.test")];
    dns.set_services("app.test", 1, &service(slow.address().port()));
    let proxy = proxy(&dns, "{ address: app.test, srv: true }");
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    requests.recv().unwrap();
    dns.set_services("app.test", 1, &service(other.address().port()));
    eventually("others go elsewhere", || {
        proxy
            .stderr
            .all()
            .iter()
            .any(|line| line.contains("has changed"))
    });
    eventually("the other serves", || {
        answers(&proxy, 4) == counts([("other", 4)])
    });
    go.send(()).unwrap();
    assert_eq!(client.answer().text(), "late");
    assert_eq!(slow.requests().len(), 1);
}

/// Seen failing when a backend that comes back is a new one: it takes another request.
#[test]
fn a_backend_that_comes_back_still_has_the_requests_it_had() {
    let (slow, requests, go) = waiting_backend();
    let other = HelloBackend::start("other");
    let dns = DnsServer::start();
    dns.set_addresses("host.test", 1, &["127.0.0.1"]);
    let service = |port| [(10, 1, port, "host.test")];
    dns.set_services("app.test", 1, &service(slow.address().port()));
    let proxy = proxy(&dns, "{ address: app.test, srv: true, max_requests: 1 }");
    let mut client = Client::connect(proxy.address());
    client.send(GET);
    requests.recv().unwrap();
    dns.set_services("app.test", 1, &service(other.address().port()));
    eventually("the other serves", || proxy.get("/").status == 200);
    dns.set_services("app.test", 1, &service(slow.address().port()));
    eventually("the first is back, and busy", || {
        proxy.get("/").status == 503
    });
    go.send(()).unwrap();
    assert_eq!(client.answer().text(), "late");
    go.send(()).unwrap();
    eventually("the first has room again", || {
        proxy.get("/").text() == "late"
    });
}

/// Seen failing, a few requests of thousands, when the selection of the former lineup finds nobody in the new one.
#[test]
fn no_request_fails_when_all_addresses_of_a_name_are_replaced() {
    let hellos = [HelloBackend::start("one"), HelloBackend::start("two")];
    let dns = DnsServer::start();
    dns.set_addresses("host.test", 1, &["127.0.0.1"]);
    let set = |hello: &HelloBackend| {
        dns.set_services(
            "app.test",
            1,
            &[(10, 1, hello.address().port(), "host.test")],
        );
    };
    set(&hellos[0]);
    let proxy = proxy(&dns, "{ address: app.test, srv: true }");
    let load = Load::start(proxy.address(), 8);
    for changes in 1..=6 {
        set(&hellos[changes % 2]);
        eventually("the change is followed", || {
            lines_with(&proxy, "has changed") == changes
        });
        load.wait_for_answers(100);
    }
    let tally = load.stop();
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert_eq!(tally.by_hostname.len(), 2);
}
