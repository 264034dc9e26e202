//! Backends that are taken out of the rotation for what requests met there, and how they come back.

use crate::support::{
    Backend, Client, HelloBackend, Load, Proxy, RefusingBackend, eventually, ok, ports, upstream_of,
};

const FAILING: &str = "HTTP/1.1 503 Sick\r\nContent-Length: 0\r\n\r\n";

/// Three backends of which the first is sick, and nothing is tried again, so that each failure is seen.
fn with_a_sick_one(sick: &Backend, keys: &str) -> (Proxy, [Backend; 2]) {
    let fine = [(); 2].map(|()| Backend::answering(|_| ok("fine")));
    let [left, right] = fine.each_ref().map(Backend::address);
    let keys = format!("retry: off\n    {keys}");
    let proxy = Proxy::start(&upstream_of(&[sick.address(), left, right], &keys));
    (proxy, fine)
}

fn statuses(proxy: &Proxy, requests: usize) -> Vec<u16> {
    (0..requests).map(|_| proxy.get("/").status).collect()
}

fn is_logged(proxy: &Proxy, words: &str) {
    proxy
        .stderr
        .find(words, |line| line.contains(words).then_some(()));
}

#[test]
fn a_backend_that_answers_5xx_is_ejected_after_five_requests() {
    let sick = Backend::answering(|_| FAILING);
    let (proxy, _fine) = with_a_sick_one(&sick, "");
    let failed = statuses(&proxy, 60);
    assert_eq!(failed.iter().filter(|status| **status == 503).count(), 5);
    assert_eq!(sick.requests().len(), 5);
    is_logged(
        &proxy,
        &format!(
            "backend {} is ejected for 10s: 5 requests failed, the last one with status 503",
            sick.address()
        ),
    );
}

#[test]
fn backends_that_reset_hang_or_talk_nonsense_are_ejected_after_five_requests() {
    for sick in [
        Backend::resetting_after(""),
        Backend::hanging(),
        Backend::saying("220 mail.example ESMTP ready\r\n\r\n"),
        Backend::saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"),
    ] {
        let (proxy, _fine) = with_a_sick_one(&sick, "timeouts: { response: 100ms }");
        for _ in 0..30 {
            let mut client = Client::connect(proxy.address());
            client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
            // Some of these answers break off.
            let _ = client.try_answer();
        }
        assert_eq!(sick.requests().len(), 5);
        is_logged(&proxy, "is ejected for 10s");
    }
}

#[test]
fn answers_that_say_something_of_the_request_do_not_eject() {
    for status in ["404 Not Found", "501 Not Implemented"] {
        let picky =
            Backend::answering(move |_| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        let (proxy, _fine) = with_a_sick_one(&picky, "");
        statuses(&proxy, 30);
        assert_eq!(picky.requests().len(), 10);
    }
}

#[test]
fn outlier_off_ejects_nobody() {
    let sick = Backend::answering(|_| FAILING);
    let (proxy, _fine) = with_a_sick_one(&sick, "outlier: off");
    statuses(&proxy, 30);
    assert_eq!(sick.requests().len(), 10);
}

#[test]
fn the_number_of_failures_that_ejects_is_that_of_the_file() {
    let sick = Backend::answering(|_| FAILING);
    let (proxy, _fine) = with_a_sick_one(&sick, "outlier: { failures: 2 }");
    statuses(&proxy, 30);
    assert_eq!(sick.requests().len(), 2);
}

#[test]
fn failures_that_lie_further_apart_than_the_file_says_do_not_eject() {
    // Whatever the machine does meanwhile, five requests to a backend take more than a millisecond.
    let sick = Backend::answering(|_| FAILING);
    let (proxy, _fine) = with_a_sick_one(&sick, "outlier: { failures: 20, within: 1ms }");
    statuses(&proxy, 90);
    assert_eq!(sick.requests().len(), 30);
}

#[test]
fn an_ejection_lasts_as_long_as_the_file_says_and_the_next_one_longer() {
    let sick = Backend::answering(|_| FAILING);
    let (proxy, _fine) = with_a_sick_one(&sick, "outlier: { failures: 1, eject: 50ms }");
    for hold in ["50ms", "100ms", "200ms"] {
        let words = format!("is ejected for {hold}");
        eventually("it is ejected for longer than before", || {
            proxy.get("/");
            proxy.stderr.all().iter().any(|line| line.contains(&words))
        });
    }
    is_logged(&proxy, "is back from its ejection");
}

#[test]
fn no_more_backends_are_ejected_than_the_file_allows() {
    let sick = [(); 4].map(|()| Backend::answering(|_| FAILING));
    let keys = "retry: off\n    outlier: { failures: 1, max_ejected: 25% }";
    let proxy = Proxy::start(&upstream_of(&ports(&sick), keys));
    statuses(&proxy, 40);
    let ejected = proxy.stderr.all();
    let ejected = ejected.iter().filter(|line| line.contains("is ejected"));
    assert_eq!(ejected.count(), 1);
}

#[test]
fn an_ejected_backend_is_used_before_a_request_is_refused() {
    // The other one refuses every connection, so the ejected one is all there is.
    let sick = Backend::answering(|request| {
        if request.target() == "/sick" {
            FAILING.to_owned()
        } else {
            ok("served")
        }
    });
    let gone = RefusingBackend::new();
    let keys = "outlier: { failures: 1, eject: 1h }";
    let proxy = Proxy::start(&upstream_of(&[sick.address(), gone.address()], keys));
    eventually("it is ejected", || {
        proxy.get("/sick");
        proxy
            .stderr
            .all()
            .iter()
            .any(|line| line.contains("is ejected"))
    });
    for _ in 0..10 {
        assert_eq!(proxy.get("/").status, 200);
    }
}

#[test]
fn one_of_three_that_turns_sick_under_load_costs_no_get() {
    let sick = Backend::answering(|_| FAILING);
    let fine = ["app1", "app2"].map(HelloBackend::start);
    let [left, right] = fine.each_ref().map(HelloBackend::address);
    let keys = "retry: { on: [connect, reset, timeout, 5xx] }";
    let proxy = Proxy::start(&upstream_of(&[sick.address(), left, right], keys));
    let load = Load::start(proxy.address(), 20);
    load.wait_for_answers(400);
    assert_eq!(load.stop().failures, [""; 0]);
    is_logged(&proxy, "is ejected for 10s");
}

#[test]
fn a_backend_that_flaps_between_its_checks_is_kept_away_for_a_while() {
    let mut app1 = HelloBackend::start("app1");
    let app2 = HelloBackend::start("app2");
    let keys = "health_check: { http: { path: /health }, interval: 300ms, healthy_after: 1, unhealthy_after: 1 }
    outlier: { eject: 1h }";
    let proxy = Proxy::start(&upstream_of(&[app1.address(), app2.address()], keys));
    let address = app1.address();
    let times = |words: &str| {
        let words = format!("backend {address} {words}");
        let lines = proxy.stderr.all();
        lines.iter().filter(|line| line.contains(&words)).count()
    };
    let is_said_again = |words: &str, before: usize| {
        eventually("the checks see it", || times(words) > before);
    };
    eventually("it gets requests", || proxy.get("/").hostname() == "app1");
    for is_first in [true, false] {
        let before = (times("is down"), times("is up again"));
        app1.kill();
        is_said_again("is down", before.0);
        app1.come_back();
        is_said_again("is up again", before.1);
        if is_first {
            eventually("it gets requests at once the first time", || {
                proxy.get("/").hostname() == "app1"
            });
        }
    }
    is_logged(&proxy, "stays ejected for");
    for _ in 0..10 {
        assert_eq!(proxy.get("/").hostname(), "app2");
    }
}

#[test]
fn slow_start_spares_a_backend_that_has_come_back() {
    let mut app1 = HelloBackend::start("app1");
    let app2 = HelloBackend::start("app2");
    let keys = "health_check: { http: { path: /health }, interval: 300ms, healthy_after: 1, unhealthy_after: 1 }
    slow_start: 1h";
    let proxy = Proxy::start(&upstream_of(&[app1.address(), app2.address()], keys));
    let of_app1 = |requests| {
        let answers = (0..requests).map(|_| proxy.get("/").hostname());
        answers.filter(|hostname| hostname == "app1").count()
    };
    assert_eq!(
        of_app1(20),
        10,
        "those that are there at the start are not spared"
    );
    app1.kill();
    is_logged(&proxy, &format!("backend {} is down", app1.address()));
    app1.come_back();
    is_logged(&proxy, &format!("backend {} is up again", app1.address()));
    // A twentieth of the weight: 1 of 21.
    eventually("it gets requests", || proxy.get("/").hostname() == "app1");
    assert_eq!(of_app1(42), 2);
}

#[test]
fn a_request_that_the_client_broke_off_does_not_count_against_the_backend() {
    let backends = [(); 2].map(|()| {
        Backend::start(|conversation| {
            while let Some(request) = conversation.request() {
                if request.target() == "/hang" {
                    conversation.wait_for_close();
                }
                conversation.send(ok("fine"));
            }
        })
    });
    let keys = "outlier: { failures: 1 }";
    let proxy = Proxy::start(&upstream_of(&ports(&backends), keys));
    for count in 1..=4 {
        let mut client = Client::connect(proxy.address());
        client.send("GET /hang HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let arrived = |backend: &Backend| backend.asked_for("/hang");
        eventually("it arrives", || {
            backends.iter().map(arrived).sum::<usize>() == count
        });
        client.reset();
        eventually("it is over", || {
            let lines = proxy.stdout.all();
            lines
                .iter()
                .filter(|line| line.contains("client_closed_request"))
                .count()
                == count
        });
    }
    let lines = proxy.stderr.all();
    assert!(
        !lines.iter().any(|line| line.contains("is ejected")),
        "{lines:?}"
    );
}
