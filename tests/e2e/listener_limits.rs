//! How much clients may send, and how many of them there may be, as each listener has it.

use std::fs;
use std::process::Command;

use crate::support::{
    Answer, Backend, Client, GatedBackend, Proxy, ask, evenkeel, eventually, get, in_front_of, ok,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// A proxy that answers itself, with these limits at its listener.
fn answering(limits: &str) -> Proxy {
    Proxy::start(&format!(
        "listeners:\n  - address: 127.0.0.1:0\n    limits: {{ {limits} }}\nroutes:\n  - respond: {{ status: 200, body: fine }}\n"
    ))
}

/// One in front of a backend.
fn limited(backend: &Backend, limits: &str) -> Proxy {
    let address = "  - address: 127.0.0.1:0\n";
    let file = in_front_of(&[backend.address()]);
    let limited = format!("{address}    limits: {{ {limits} }}\n");
    let file = file.replacen(address, &limited, 1);
    // Nobody would get past this filter.
    Proxy::start(&format!(
        "{file}filters: [{{ ip_access: {{ deny: [10.0.0.0/8] }} }}]\ntrusted_proxies: [127.0.0.1]\n"
    ))
}

fn assert_refused(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("Proxy-Status"),
        Some("evenkeel; error=http_request_error")
    );
    assert!(answer.text().contains(words), "{answer:?}");
}

fn get_with(proxy: &Proxy, lines: &str) -> Answer {
    let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n");
    ask(proxy.address(), request)
}

#[test]
fn a_head_larger_than_header_bytes_is_answered_431() {
    let proxy = answering("header_bytes: 2KiB");
    let padding = |bytes: usize| format!("X-Padding: {}\r\n", "x".repeat(bytes));
    assert_eq!(get_with(&proxy, &padding(1900)).status, 200);
    assert_refused(&get_with(&proxy, &padding(2100)), 431, "head is too large");
    let larger = answering("header_bytes: 64KiB");
    assert_eq!(get_with(&larger, &padding(60_000)).status, 200);
}

#[test]
fn a_head_of_more_lines_than_headers_is_answered_431() {
    let proxy = answering("headers: 3");
    assert_eq!(get_with(&proxy, &"X-More: yes\r\n".repeat(2)).status, 200);
    let many = get_with(&proxy, &"X-More: yes\r\n".repeat(3));
    assert_refused(&many, 431, "head is too large");
    let backend = Backend::answering(|_| ok("fine"));
    let larger = limited(&backend, "headers: 256");
    let lines: String = (0..255)
        .map(|index| format!("X-{index}: yes\r\n"))
        .collect();
    assert_eq!(get_with(&larger, &lines).status, 200);
    assert_eq!(
        backend.requests()[0].header("X-254").as_deref(),
        Some("yes")
    );
}

#[test]
fn a_target_longer_than_uri_bytes_is_answered_414() {
    let proxy = answering("uri_bytes: 100");
    let target = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
    assert_eq!(get(proxy.address(), &target(100)).status, 200);
    let long = get(proxy.address(), &target(101));
    assert_refused(&long, 414, "target is too long");
    // One that has no end, too.
    assert_eq!(get(proxy.address(), &target(40_000)).status, 414);
    let longer = answering("header_bytes: 128KiB, uri_bytes: 63KiB");
    assert_eq!(get(longer.address(), &target(63 * 1024)).status, 200);
}

#[test]
fn a_body_larger_than_body_bytes_is_answered_413_before_any_filter() {
    let backend = Backend::start(|conversation| {
        conversation.head();
        conversation.wait_for_close();
    });
    let proxy = limited(&backend, "body_bytes: 1KiB");
    let head = "POST / HTTP/1.1\r\nHost: a.test\r\n";
    let long = format!(
        "{head}X-Forwarded-For: 10.0.0.1\r\nExpect: 100-continue\r\nContent-Length: 1025\r\n\r\n"
    );
    assert_refused(&ask(proxy.address(), long), 413, "too large");
    assert_eq!(backend.requests().len(), 0);
    let mut client = Client::connect(proxy.address());
    client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    client.send(format!("400\r\n{}\r\n", "x".repeat(1024)));
    assert_refused(&client.ask("1\r\nx\r\n"), 413, "too large");
    assert!(client.is_closed());
}

#[test]
fn a_body_may_be_of_any_size_where_it_is_unlimited() {
    let backend = Backend::answering(|request| ok(&request.body.len().to_string()));
    let proxy = limited(&backend, "body_bytes: unlimited");
    let body = "x".repeat(1_000_000);
    let head = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n";
    assert_eq!(
        ask(proxy.address(), format!("{head}{body}")).text(),
        "1000000"
    );
}

#[test]
fn the_last_request_that_a_connection_may_have_is_answered_with_connection_close() {
    let backend = Backend::answering(|_| ok("fine"));
    for proxy in [
        answering("requests_per_connection: 3"),
        limited(&backend, "requests_per_connection: 3"),
    ] {
        let mut client = Client::connect(proxy.address());
        for number in 1..=3 {
            let answer = client.ask(GET);
            assert_eq!(answer.text(), "fine");
            let says_close = answer.header("Connection") == Some("close");
            assert_eq!(says_close, number == 3, "{number}: {answer:?}");
        }
        assert!(client.is_closed());
    }
}

#[test]
fn more_clients_than_connections_wait_until_one_has_left() {
    let proxy = answering("connections: 2");
    let mut clients = [(); 4].map(|()| Client::connect(proxy.address()));
    for client in &mut clients {
        client.send(GET);
    }
    let [first, second, third, fourth] = &mut clients;
    assert_eq!(first.answer().text(), "fine");
    assert_eq!(second.answer().text(), "fine");
    let line = "limits.connections, 2, is reached; more clients wait until one has left";
    proxy
        .stderr
        .find(line, |said| said.contains(line).then_some(()));
    for _ in 0..3 {
        assert_eq!(first.ask(GET).text(), "fine");
    }
    // Those that wait have asked long before the last of these.
    eventually("five are logged", || proxy.stdout.all().len() == 5);
    first.finish();
    assert_eq!(third.answer().text(), "fine");
    second.finish();
    assert_eq!(fourth.answer().text(), "fine");
    let said = proxy.stderr.all();
    assert_eq!(said.iter().filter(|said| said.contains(line)).count(), 1);
}

/// The program, after the shell has set limits of its own.
fn after(limit: &str) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{limit} && exec \"$0\" \"$@\"");
    command.arg("-c").arg(script).arg(evenkeel().get_program());
    command.env_remove("RUST_LOG");
    command
}

/// Seen failing with all open files given to clients.
#[test]
fn near_the_limit_of_open_files_more_clients_wait_and_no_request_fails() {
    let backend = GatedBackend::start("gated");
    let file = in_front_of(&[backend.address()]);
    let proxy = Proxy::start_command(after("ulimit -n 150"), &file);
    let clients = (0..75).map(|_| {
        let mut client = Client::connect(proxy.address());
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        client
    });
    let mut clients: Vec<_> = clients.collect();
    let line = "the limit of open files, 150, is near";
    proxy
        .stderr
        .find(line, |said| said.contains(line).then_some(()));
    backend.let_go(clients.len());
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
}

#[test]
fn as_many_files_may_be_open_as_the_system_lets_the_process_have() {
    let file = "listeners: [{ address: 127.0.0.1:0 }]\nroutes: [{ respond: { status: 204 } }]\n";
    let proxy = Proxy::start_command(after("ulimit -S -n 100"), file);
    let limits = fs::read_to_string(format!("/proc/{}/limits", proxy.id())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<_> = line.unwrap().split_whitespace().collect();
    let (soft, hard) = (words[3], words[4]);
    assert_eq!(soft, hard);
    let line = format!("open files: the limit was 100 and is now {hard}");
    proxy
        .stderr
        .find(&line, |said| said.contains(&line).then_some(()));
}
