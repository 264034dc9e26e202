//! Examples of how backends are picked, checked, spared, found and spoken to.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Example, examples};
use crate::support::{
    Authority, Backend, Client, DnsServer, GatedBackend, GrpcAnswer, GrpcBackend, HelloBackend,
    Http2Client, Proxy, RefusingBackend, UnixSocket, ask, eventually, get_with, ok, request,
};

examples! {
    two_apps_take_turns = "two-apps.yaml",
    each_upstream_has_its_policy = "policies.yaml",
    a_cookie_keeps_a_client_on_its_backend = "sticky-sessions.yaml",
    backends_that_fail_their_checks_get_no_request = "health-checks.yaml",
    a_backend_that_fails_costs_no_request_and_is_left_alone = "retries-and-ejection.yaml",
    what_the_backends_cannot_take_waits = "queue-and-limits.yaml",
    backends_are_found_by_name = "dns-names.yaml",
    backends_are_spoken_to_over_tls = "upstream-tls.yaml",
    calls_go_to_servers_that_are_well = "grpc.yaml",
    apps_are_reached_by_their_paths = "unix-sockets.yaml",
    who_the_client_is_crosses_from_hop_to_hop = "proxy-protocol.yaml",
    events_come_one_by_one_and_websockets_are_let_in = "websockets-and-events.yaml",
    strangers_are_held_to_what_they_may = "limits-and-timeouts.yaml",
}

/// The app waits for 192.0.2.1 and its port, in binary, before anything else.
fn who_the_client_is_crosses_from_hop_to_hop(example: Example) {
    let app = Backend::start(|conversation| {
        conversation.wait_for(b"QUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\x7f\0\0\x01\xdc\x04");
        conversation.send(ok("fine"));
    });
    let proxy = example.with("10.0.0.1:8000", app.address()).start();
    let mut client = Client::connect(proxy.address());
    client.send("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n");
    assert_eq!(client.ask(get("/")).text(), "fine");
}

fn strangers_are_held_to_what_they_may(example: Example) {
    let web = HelloBackend::start("web");
    let proxy = example.with("10.0.0.1:8000", web.address()).start();
    let long = "a".repeat(5 * 1024);
    assert_eq!(ask(proxy.address(), get(&format!("/{long}"))).status, 414);
    let large = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20000000\r\n\r\n";
    assert_eq!(ask(proxy.address(), large).status, 413);
    // Another client: the seats of those above may be held for a moment more.
    let other = IpAddr::from([127, 0, 0, 2]);
    let connect = || Client::connect_from(other, proxy.address());
    let mut some = (0..100).map(|_| connect()).collect::<Vec<_>>();
    assert!(
        some.iter_mut()
            .all(|client| client.ask(get("/")).status == 200)
    );
    assert!(connect().is_closed());
}

/// The answer goes on while its first event is there already.
fn events_come_one_by_one_and_websockets_are_let_in(example: Example) {
    let app = Backend::start(|conversation| {
        let asked = conversation.request();
        if asked.is_some_and(|request| request.target() == "/events") {
            conversation.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
            conversation.send("data: 1\n\n");
            conversation.wait_for_close();
        } else {
            conversation.send("HTTP/1.1 101 Switching Protocols\r\n");
            conversation.send("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome");
            conversation.wait_for(b"hello");
            conversation.send("hello yourself");
        }
    });
    let proxy = example.with("10.0.0.1:8000", app.address()).start();
    let mut client = Client::connect(proxy.address());
    client.send("GET /events HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\n\r\n");
    client.wait_for(b"data: 1");

    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    let mut client = Client::connect(proxy.address());
    let request = format!("GET /chat HTTP/1.1\r\nHost: a.test\r\n{upgrade}\r\n");
    assert_eq!(client.ask(request).status, 101);
    client.wait_for(b"welcome");
    client.send("hello");
    client.wait_for(b"hello yourself");
}

fn apps_are_reached_by_their_paths(example: Example) {
    let apps = ["app1", "app2"].map(HelloBackend::start);
    let sockets = apps.each_ref().map(|app| UnixSocket::to(app.address()));
    let proxy = example
        .with("unix:/run/web.sock", "unix:web.sock")
        .with("unix:/run/app1.sock", sockets[0].address())
        .with("unix:/run/app2.sock", sockets[1].address())
        .start();
    let mut turns = [(); 3].map(|()| proxy.get("/").hostname());
    turns.sort();
    assert_eq!(turns, ["app1", "app2", "app2"]);
    let mut client = Client::connect_unix(&proxy.path("web.sock"));
    let told = "GET /headers HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";
    let received = client.ask(told).received();
    let real = received
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("x-real-ip"));
    assert_eq!(real.unwrap().1, "192.0.2.7");
    let checked = format!("backend {} is up", sockets[0].address());
    proxy
        .stderr
        .find("a check", |line| line.contains(&checked).then_some(()));
}

fn calls_go_to_servers_that_are_well(example: Example) {
    let servers = [1, 2].map(|health| GrpcBackend::start(move |_| GrpcAnswer::health(health)));
    let proxy = example
        .with("10.0.0.1:50051", servers[0].address())
        .with("10.0.0.2:50051", servers[1].address())
        .start();
    let mut client = Http2Client::connect(proxy.address());
    for _ in 0..4 {
        let answer = client.ask(request("POST", "/helloworld.Greeter/SayHello"), "");
        assert_eq!(answer.body.last(), Some(&1));
        assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
    }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n")
}

fn two_apps_take_turns(example: Example) {
    let apps = ["app1", "app2"].map(HelloBackend::start);
    let proxy = example
        .with("10.0.0.1:8000", apps[0].address())
        .with("10.0.0.2:8000", apps[1].address())
        .start();
    let turns = [(); 4].map(|()| proxy.get("/").hostname());
    assert_eq!(turns, ["app1", "app2", "app1", "app2"]);
    let spoofed = "X-Real-IP: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.6\r\n";
    let received = get_with(proxy.address(), "/headers", spoofed).received();
    for (name, value) in [
        ("host", "a.test"),
        ("x-real-ip", "127.0.0.1"),
        ("x-forwarded-for", "6.6.6.6, 127.0.0.1"),
        ("x-forwarded-proto", "http"),
    ] {
        let found = received
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name));
        assert_eq!(
            found.map(|(_, value)| value.as_str()),
            Some(value),
            "{name}"
        );
    }
}

fn each_upstream_has_its_policy(example: Example) {
    let pages = ["small", "large"].map(HelloBackend::start);
    let reports = ["left", "right"].map(GatedBackend::start);
    let search = ["one", "other"].map(|name| Backend::answering(move |_| ok(name)));
    let proxy = example
        .with("10.0.0.1:8000", pages[0].address())
        .with("10.0.0.2:8000", pages[1].address())
        .with("10.0.0.3:8000", reports[0].address())
        .with("10.0.0.4:8000", reports[1].address())
        .with("10.0.0.5:8000", search[0].address())
        .with("10.0.0.6:8000", search[1].address())
        .start();
    (0..8).for_each(|_| assert_eq!(proxy.get("/").status, 200));
    assert_eq!((pages[0].requests(), pages[1].requests()), (2, 6));
    asserts_that_the_busy_one_is_passed_over(&proxy, &reports);
    let home = |user: usize| {
        let cookie = format!("Cookie: user={user}\r\n");
        get_with(proxy.address(), "/search?q=x", &cookie).text()
    };
    let homes: Vec<_> = (0..40).map(home).collect();
    assert_eq!(homes.iter().collect::<BTreeSet<_>>().len(), 2, "{homes:?}");
    assert_eq!((0..40).map(home).collect::<Vec<_>>(), homes);
}

/// Of two that hold a request each, one answers; the next two come to it, where round robin would send one to the other.
fn asserts_that_the_busy_one_is_passed_over(proxy: &Proxy, reports: &[GatedBackend; 2]) {
    let count = || reports.each_ref().map(|backend| backend.requests().len());
    let mut clients = [(); 2].map(|()| Client::connect(proxy.address()));
    for (client, arrived) in clients.iter_mut().zip(1..) {
        client.send(get("/reports/long"));
        eventually("it arrives", || count().iter().sum::<usize>() == arrived);
    }
    assert_eq!(count(), [1, 1]);
    reports[1].let_go(3);
    let is_left = |line: &serde_json::Value| line["request_uri"] == "/reports/long";
    proxy.logged(is_left);
    for number in 0..2 {
        let target = format!("/reports/{number}");
        assert_eq!(proxy.get(&target).text(), "right");
        proxy.logged(|line| line["request_uri"] == target);
    }
    reports[0].let_go(1);
}

fn a_cookie_keeps_a_client_on_its_backend(example: Example) {
    let apps = ["app1", "app2", "app3"].map(HelloBackend::start);
    let proxy = example
        .with("10.0.0.1:8000", apps[0].address())
        .with("10.0.0.2:8000", apps[1].address())
        .with("10.0.0.3:8000", apps[2].address())
        .start();
    let answer = proxy.get("/");
    let cookie = answer.header("Set-Cookie").unwrap();
    assert!(cookie.contains("; Max-Age=3600"), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    assert!(session.starts_with("shop_backend="), "{session}");
    for _ in 0..6 {
        let again = get_with(proxy.address(), "/", &format!("Cookie: {session}\r\n"));
        assert_eq!(again.hostname(), answer.hostname());
        assert_ne!(proxy.get("/").hostname(), "app3", "it drains");
    }
}

fn backends_that_fail_their_checks_get_no_request(example: Example) {
    let sick = Backend::answering(|_| "HTTP/1.1 500 Sick\r\nContent-Length: 0\r\n\r\n");
    let well = Backend::answering(|_| ok("well"));
    let (gone, legacy) = (RefusingBackend::new(), Backend::answering(|_| ok("legacy")));
    let orders = Backend::answering(|_| ok("orders"));
    let not_serving = GrpcBackend::start(|_| GrpcAnswer::health(2));
    let proxy = example
        .with("10.0.0.1:8000", sick.address())
        .with("10.0.0.2:8000", well.address())
        .with("10.0.0.3:8000", gone.address())
        .with("10.0.0.4:8000", legacy.address())
        .with("10.0.0.5:8000", orders.address())
        .with(
            "port: 9090",
            format!("port: {}", not_serving.address().port()),
        )
        .start();
    for _ in 0..4 {
        assert_eq!(proxy.get("/").text(), "well");
        assert_eq!(proxy.get("/legacy/").text(), "legacy");
        assert_eq!(proxy.get("/orders/").status, 503);
    }
    assert_eq!(sick.asked_for("/"), 0);
    let host = well.requests()[0].header("Host");
    assert_eq!(host.as_deref(), Some("www.example.com"));
    let tried = proxy.logged(|line| line["request_uri"] == "/legacy/");
    assert_eq!(tried["attempts"], 1);
    let question = not_serving.calls().remove(0).message;
    assert!(question.ends_with(b"shop.v1.Orders"), "{question:?}");
}

fn a_backend_that_fails_costs_no_request_and_is_left_alone(example: Example) {
    let sick = Backend::answering(|_| "HTTP/1.1 503 Sick\r\nContent-Length: 0\r\n\r\n");
    let fine = [(); 2].map(|()| Backend::answering(|_| ok("fine")));
    let proxy = example
        .with("10.0.0.1:8000", sick.address())
        .with("10.0.0.2:8000", fine[0].address())
        .with("10.0.0.3:8000", fine[1].address())
        .start();
    (0..30).for_each(|_| assert_eq!(proxy.get("/").text(), "fine"));
    assert_eq!(sick.requests().len(), 3);
    let told = format!("backend {} is ejected for 30s", sick.address());
    proxy
        .stderr
        .find(&told, |line| line.contains(&told).then_some(()));
}

fn what_the_backends_cannot_take_waits(example: Example) {
    let backends = ["one", "other"].map(GatedBackend::start);
    let proxy = example
        .with("10.0.0.1:8000", backends[0].address())
        .with("10.0.0.2:8000", backends[1].address())
        .start();
    let arrived = || -> usize {
        backends
            .iter()
            .map(|backend| backend.requests().len())
            .sum()
    };
    // Four are held, four wait, and of ten two are refused.
    let mut clients: Vec<_> = (0..10).map(|_| Client::connect(proxy.address())).collect();
    for client in &mut clients {
        client.send(get("/report"));
    }
    let refused = || {
        let lines = proxy.stdout.all();
        lines
            .iter()
            .filter(|line| line.contains("queue_full"))
            .count()
    };
    eventually("two are refused", || refused() == 2);
    eventually("four are held", || arrived() == 4);
    backends.iter().for_each(|backend| backend.let_go(10));
    let mut statuses: Vec<_> = clients
        .iter_mut()
        .map(|client| client.answer().status)
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 200, 503, 503]);
    let large = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1048577\r\n\r\n";
    assert_eq!(ask(proxy.address(), large).status, 413);
}

fn backends_are_found_by_name(example: Example) {
    let [app, api] = ["app", "api"].map(|name| Backend::answering(move |_| ok(name)));
    let dns = DnsServer::start();
    dns.set_addresses("app.internal", 60, &["127.0.0.1"]);
    dns.set_addresses("node1.internal", 60, &["127.0.0.1"]);
    let service = (10, 1, api.address().port(), "node1.internal");
    dns.set_services("_http._tcp.api.internal", 60, &[service]);
    let proxy = example
        .with("10.0.0.53", dns.address())
        .with(
            "app.internal:8000",
            format!("app.internal:{}", app.address().port()),
        )
        .start();
    assert_eq!(proxy.get("/").text(), "app");
    assert_eq!(proxy.get("/api/").text(), "api");
}

fn backends_are_spoken_to_over_tls(example: Example) {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let client = clients.issue(&["evenkeel.internal"]);
    let version = rustls::ProtocolVersion::TLSv1_3;
    let server = servers
        .issue(&["app.internal"])
        .server_that(version, Some(&clients));
    let backend = Backend::answering_tls(server, |_| ok("over TLS"));
    let proxy = example
        .with("10.0.0.1:8443", backend.address())
        .with("../example/", "")
        .start_beside(&[
            ("ca.pem", servers.pem()),
            ("client.pem", client.pem()),
            ("client.key", client.key_pem()),
        ]);
    assert_eq!(proxy.get("/").text(), "over TLS");
    let handshake = backend.handshakes().remove(0);
    assert_eq!(handshake.server_name.as_deref(), Some("app.internal"));
    assert_eq!(handshake.certificates, [client.der().clone()]);
}
