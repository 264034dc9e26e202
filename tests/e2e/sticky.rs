//! A cookie keeps a client on its backend, for as long as there is that backend.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::support::{
    Answer, Backend, Client, GatedBackend, HelloBackend, Proxy, RefusingBackend, ask, eventually,
    get_with, ok,
};

/// One upstream with these lines of YAML, each indented by four spaces.
fn proxy(upstream: &str) -> Proxy {
    Proxy::start(&format!(
        "listeners:\n  - address: 127.0.0.1:0\nupstreams:\n  hello:\n{upstream}routes:\n  - upstream: hello\n"
    ))
}

fn sticky(backends: &[SocketAddr], settings: &str) -> Proxy {
    let backends: Vec<_> = backends.iter().map(SocketAddr::to_string).collect();
    proxy(&format!(
        "    backends: [{}]\n    sticky: {{ {settings} }}\n",
        backends.join(", ")
    ))
}

/// `NAME=VALUE` of the cookie that the answer sets.
fn cookie(answer: &Answer) -> Option<&str> {
    let lines = answer.values("set-cookie");
    assert!(lines.len() < 2, "{answer:?}");
    lines.first()?.split(';').next()
}

fn get_as(proxy: &Proxy, cookie: &str) -> Answer {
    get_with(proxy.address(), "/", &format!("Cookie: {cookie}\r\n"))
}

/// A session on the backend of this name.
fn session_on(proxy: &Proxy, hostname: &str) -> String {
    let mut answers = (0..100).map(|_| proxy.get("/"));
    let answer = answers.find(|answer| answer.hostname() == hostname);
    cookie(&answer.unwrap()).unwrap().to_owned()
}

#[test]
fn a_cookie_keeps_its_client_on_one_of_three_backends_while_the_others_go_round() {
    let hellos = ["a", "b", "c"].map(HelloBackend::start);
    let proxy = sticky(&hellos.each_ref().map(HelloBackend::address), "cookie: lb");
    let session = session_on(&proxy, "b");
    let mut others = Vec::new();
    for turn in 0..30 {
        let answer = get_as(&proxy, &session);
        assert_eq!(answer.hostname(), "b");
        assert_eq!(cookie(&answer), None, "it is told once");
        if turn % 2 == 0 {
            others.push(proxy.get("/").hostname());
        }
    }
    for round in others.chunks(3) {
        assert_eq!(round.iter().collect::<BTreeSet<_>>().len(), 3, "{others:?}");
    }
}

#[test]
fn a_session_survives_a_restart() {
    let hellos = ["a", "b", "c"].map(HelloBackend::start);
    let [a, b, c] = hellos.each_ref().map(HelloBackend::address);
    let before = sticky(&[a, b, c], "cookie: lb");
    let session = session_on(&before, "b");
    drop(before);
    let after = sticky(&[c, b, a], "cookie: lb");
    for _ in 0..6 {
        let answer = get_as(&after, &session);
        assert_eq!(answer.hostname(), "b");
        assert_eq!(cookie(&answer), None);
    }
}

#[test]
fn a_session_whose_backend_is_dead_moves_to_another_and_stays_there() {
    let mut hellos = ["a", "b", "c"].map(HelloBackend::start);
    let proxy = sticky(&hellos.each_ref().map(HelloBackend::address), "cookie: lb");
    let session = session_on(&proxy, "b");
    hellos[1].kill();
    let moved = get_as(&proxy, &session);
    assert_eq!(moved.status, 200);
    let new_home = moved.hostname();
    assert_ne!(new_home, "b");
    let session = cookie(&moved).unwrap().to_owned();
    hellos[1].come_back();
    for _ in 0..6 {
        let answer = get_as(&proxy, &session);
        assert_eq!(
            (answer.hostname(), cookie(&answer)),
            (new_home.clone(), None)
        );
    }
}

#[test]
fn a_session_whose_backend_is_unhealthy_goes_elsewhere_without_trying_it() {
    let mut hellos = ["a", "b"].map(HelloBackend::start);
    let [a, b] = hellos.each_ref().map(HelloBackend::address);
    let session = session_on(&sticky(&[a, b], "cookie: lb"), "b");
    hellos[1].kill();
    let proxy = proxy(&format!(
        "    backends: [{a}, {b}]\n    sticky: {{ cookie: lb }}\n    health_check: {{ tcp: {{}}, interval: 20ms, healthy_after: 1 }}\n"
    ));
    let answer = get_as(&proxy, &session);
    assert_eq!(answer.hostname(), "a");
    assert_ne!(cookie(&answer), None);
    let line = proxy.logged(|line| line["status"] == 200);
    assert_eq!(line["attempts"], 1);
    hellos[1].come_back();
    eventually("the old session is served at home again", || {
        get_as(&proxy, &session).hostname() == "b"
    });
}

#[test]
fn a_draining_backend_gets_its_sessions_only_and_a_disabled_one_nothing() {
    let hellos = ["a", "b", "c"].map(HelloBackend::start);
    let [a, b, c] = hellos.each_ref().map(HelloBackend::address);
    let before = sticky(&[a, b, c], "cookie: lb");
    let sessions = ["a", "b", "c"].map(|name| session_on(&before, name));
    drop(before);
    let served = hellos.each_ref().map(HelloBackend::requests);
    let proxy = proxy(&format!(
        "    backends:\n      - {{ address: {a}, state: draining }}\n      - {{ address: {b}, state: disabled }}\n      - {c}\n    \
         sticky: {{ cookie: lb }}\n    health_check: {{ http: {{ path: /health }}, interval: 20ms }}\n"
    ));
    for _ in 0..10 {
        assert_eq!(proxy.get("/").hostname(), "c");
        assert_eq!(get_as(&proxy, &sessions[0]).hostname(), "a");
        let moved = get_as(&proxy, &sessions[1]);
        assert_eq!(
            (moved.hostname().as_str(), cookie(&moved)),
            ("c", Some(sessions[2].as_str()))
        );
        assert_eq!(get_as(&proxy, &sessions[2]).hostname(), "c");
    }
    assert_eq!(hellos[0].requests(), served[0] + 10);
    assert_eq!(hellos[1].requests(), served[1]);
    proxy.stderr.find("what draining means", |line| {
        let told =
            format!("backend {a} is draining: it gets only requests whose cookie lb names it");
        line.contains(&told).then_some(())
    });
}

#[test]
fn a_draining_backend_that_is_dead_loses_its_sessions() {
    let mut hellos = ["a", "b"].map(HelloBackend::start);
    let [a, b] = hellos.each_ref().map(HelloBackend::address);
    let session = session_on(&sticky(&[a, b], "cookie: lb"), "a");
    hellos[0].kill();
    let proxy = proxy(&format!(
        "    backends: [{{ address: {a}, state: draining }}, {b}]\n    sticky: {{ cookie: lb }}\n"
    ));
    let moved = get_as(&proxy, &session);
    assert_eq!((moved.status, moved.hostname().as_str()), (200, "b"));
    assert_ne!(cookie(&moved), Some(session.as_str()));
}

#[test]
fn without_sticky_a_draining_backend_gets_nothing_and_the_log_says_so() {
    let hellos = ["a", "b"].map(HelloBackend::start);
    let [a, b] = hellos.each_ref().map(HelloBackend::address);
    let session = session_on(&sticky(&[a, b], "cookie: lb"), "a");
    let proxy = proxy(&format!(
        "    backends: [{{ address: {a}, state: draining }}, {b}]\n"
    ));
    for _ in 0..4 {
        let answer = get_as(&proxy, &session);
        assert_eq!((answer.hostname().as_str(), cookie(&answer)), ("b", None));
    }
    proxy.stderr.find("what draining means", |line| {
        line.contains("is draining: it gets no requests, since the upstream has no `sticky`")
            .then_some(())
    });
}

#[test]
fn the_cookie_has_the_attributes_that_the_file_gives_it() {
    let hello = HelloBackend::start("a");
    for (settings, attributes) in [
        (
            "cookie: lb, same_site: lax",
            "; Path=/; HttpOnly; SameSite=Lax",
        ),
        (
            "cookie: lb, secure: true, http_only: false, same_site: strict",
            "; Path=/; Secure; SameSite=Strict",
        ),
        (
            "cookie: lb, secure: true, same_site: none",
            "; Path=/; Secure; HttpOnly; SameSite=None",
        ),
        (
            "cookie: lb, ttl: 1h30m",
            "; Path=/; Max-Age=5400; HttpOnly; SameSite=Lax",
        ),
    ] {
        let proxy = sticky(&[hello.address()], settings);
        let answer = proxy.get("/");
        let line = answer.header("Set-Cookie").unwrap();
        let (pair, rest) = line.split_at(line.find(';').unwrap());
        assert_eq!(rest, attributes);
        assert!(pair.starts_with("lb="), "{pair}");
    }
    let named = sticky(&[hello.address()], "cookie: __Host-home, secure: true");
    assert!(cookie(&named.get("/")).unwrap().starts_with("__Host-home="));
}

#[test]
fn a_cookie_with_a_ttl_is_renewed_with_every_answer() {
    let hellos = ["a", "b"].map(HelloBackend::start);
    let proxy = sticky(
        &hellos.each_ref().map(HelloBackend::address),
        "cookie: lb, ttl: 1m",
    );
    let session = session_on(&proxy, "a");
    for _ in 0..4 {
        let answer = get_as(&proxy, &session);
        assert_eq!(
            (answer.hostname().as_str(), cookie(&answer)),
            ("a", Some(session.as_str()))
        );
    }
}

#[test]
fn the_address_of_the_backend_does_not_stand_in_the_cookie() {
    // Seen failing with the text of the address in the place of its hash, and with the port in two bytes of it.
    let hellos = ["a", "b"].map(HelloBackend::start);
    let proxy = sticky(&hellos.each_ref().map(HelloBackend::address), "cookie: lb");
    let tokens = ["a", "b"].map(|name| session_on(&proxy, name).replace("lb=", ""));
    for (token, hello) in tokens.iter().zip(&hellos) {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        assert!(token.len() == 32 && token.bytes().all(digit), "{token}");
        let address = hello.address();
        let answer = proxy.get("/");
        let names_it = |(_, value): &(String, String)| value.contains(&address.to_string());
        assert!(!answer.headers.iter().any(names_it), "{answer:?}");
    }
    // By chance, both hold their port in this way once in millions of runs.
    let holds_port = |(token, hello): (&String, &HelloBackend)| {
        let port = hello.address().port();
        token.contains(&format!("{port:04x}")) || token.contains(&port.to_string())
    };
    assert!(!tokens.iter().zip(&hellos).all(holds_port), "{tokens:?}");
    // Both are on 127.0.0.1: in any code for an address most of it would be the same. 12 of 32 digits agree by chance once in ten
    // million runs.
    let same = tokens[0]
        .bytes()
        .zip(tokens[1].bytes())
        .filter(|(left, right)| left == right);
    assert!(same.count() < 12, "{tokens:?}");
}

#[test]
fn cookies_that_are_forged_or_garbage_do_no_harm() {
    let hellos = ["a", "b"].map(HelloBackend::start);
    let proxy = sticky(&hellos.each_ref().map(HelloBackend::address), "cookie: lb");
    let session = session_on(&proxy, "a");
    let token = session.strip_prefix("lb=").unwrap();
    let garbage = [
        "lb=".to_owned(),
        "lb".to_owned(),
        "lb=127.0.0.1:80".to_owned(),
        format!("lb={}", "0".repeat(32)),
        format!("lb={}", "f".repeat(20_000)),
        format!(
            "lb={}",
            token
                .to_uppercase()
                .replace(|letter: char| letter.is_ascii_digit(), "A")
        ),
        format!("lb={token}0"),
        format!("lb={}", &token[1..]),
        format!("LB={token}"),
        format!("xlb={token}; lb=../../etc/passwd"),
        "lb=\u{e9}\u{2028}; lb=%00%0d%0aSet-Cookie:x".to_owned(),
        ";;;=;lb=;".to_owned(),
    ];
    for cookies in &garbage {
        let answer = get_as(&proxy, cookies);
        assert_eq!(answer.status, 200, "{cookies}");
        assert!(cookie(&answer).is_some(), "{cookies}");
    }
    // And among all of it the right one is found.
    for cookies in [
        format!("a=b; lb=\"{token}\"; c=d"),
        format!("xlb=1\r\nCookie: {session}"),
        format!("{session}; lb=garbage"),
    ] {
        for _ in 0..2 {
            let answer = get_as(&proxy, &cookies);
            assert_eq!(
                (answer.hostname().as_str(), cookie(&answer)),
                ("a", None),
                "{cookies}"
            );
        }
    }
}

#[test]
fn answers_of_our_own_carry_no_cookie() {
    let refusing = RefusingBackend::new();
    let proxy = Proxy::start(&format!(
        "listeners:\n  - address: 127.0.0.1:0\nupstreams:\n  hello:\n    backends: [{}]\n    sticky: {{ cookie: lb }}\n\
         routes:\n  - upstream: hello\n  - match: {{ path: /ours }}\n    respond: {{ status: 200 }}\n",
        refusing.address()
    ));
    for (target, status) in [("/", 502), ("/ours", 200)] {
        let answer = proxy.get(target);
        assert_eq!((answer.status, cookie(&answer)), (status, None));
    }
}

#[test]
fn a_session_whose_backend_is_full_goes_elsewhere() {
    let (full, other) = (
        GatedBackend::start("full"),
        Backend::answering(|_| ok("other")),
    );
    let proxy = proxy(&format!(
        "    backends: [{{ address: {}, max_requests: 1 }}, {}]\n    sticky: {{ cookie: lb }}\n",
        full.address(),
        other.address()
    ));
    full.let_go(1);
    let answers = [proxy.get("/"), proxy.get("/")];
    let at_full = answers
        .iter()
        .find(|answer| answer.text() == "full")
        .unwrap();
    let session = cookie(at_full).unwrap();
    let mut held = Client::connect(proxy.address());
    held.send(format!(
        "GET / HTTP/1.1\r\nHost: a.test\r\nCookie: {session}\r\n\r\n"
    ));
    eventually("it is held", || full.requests().len() == 2);
    let moved = get_as(&proxy, session);
    assert_eq!(moved.text(), "other");
    assert!(cookie(&moved).is_some_and(|cookie| cookie != session));
    full.let_go(1);
    assert_eq!(held.answer().text(), "full");
}

#[test]
fn a_session_stays_on_a_backup_while_primaries_are_there() {
    let mut hellos = ["primary", "backup"].map(HelloBackend::start);
    let [primary, backup] = hellos.each_ref().map(HelloBackend::address);
    hellos[0].kill();
    let proxy = proxy(&format!(
        "    backends: [{primary}, {{ address: {backup}, backup: true }}]\n    sticky: {{ cookie: lb }}\n"
    ));
    let session = session_on(&proxy, "backup");
    hellos[0].come_back();
    for _ in 0..3 {
        assert_eq!(get_as(&proxy, &session).hostname(), "backup");
        assert_eq!(proxy.get("/").hostname(), "primary");
    }
}

#[test]
fn a_web_socket_gets_its_cookie_with_the_switch_of_protocols_and_no_interim_answer_does() {
    let upgrading = Backend::saying(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    let socket = sticky(&[upgrading.address()], "cookie: lb");
    let upgrade =
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let answer = ask(socket.address(), upgrade);
    assert_eq!(answer.status, 101);
    assert!(cookie(&answer).is_some());
    let hinting = Backend::saying(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let hints = sticky(&[hinting.address()], "cookie: lb");
    let mut client = Client::connect(hints.address());
    let interim = client.ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!((interim.status, cookie(&interim)), (103, None));
    let answer = client.answer();
    assert_eq!(answer.status, 200);
    assert!(cookie(&answer).is_some());
}

#[test]
fn a_cookie_of_the_backend_s_own_goes_out_beside_it() {
    let backend =
        Backend::answering(|_| "HTTP/1.1 200 OK\r\nSet-Cookie: app=1\r\nContent-Length: 0\r\n\r\n");
    let proxy = sticky(&[backend.address()], "cookie: lb");
    let answer = proxy.get("/");
    let lines = answer.values("set-cookie");
    assert_eq!(lines[0], "app=1");
    assert!(lines.len() == 2 && lines[1].starts_with("lb="), "{lines:?}");
    // What the client sends goes through as it is.
    get_as(&proxy, "app=1; lb=x");
    let seen = backend.requests();
    assert_eq!(seen[1].header("cookie").unwrap(), "app=1; lb=x");
}
