//! Listeners that come, change and go.

use std::net::{SocketAddr, TcpListener};

use super::saying;
use crate::support::{
    Authority, Backend, Client, Proxy, TlsClient, eventually, get, in_front_of, ok, refuses,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// An address that nobody listens on.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A file with these listeners.
fn with(listeners: &str) -> String {
    let says = "filters: [{ response_headers: { set: { X-Listener: $listener } } }]";
    format!(
        "server: {{ threads: 1 }}\n{says}\nlisteners:\n{listeners}routes: [{{ respond: {{ status: 200 }} }}]\n"
    )
}

#[test]
fn a_new_listener_opens_and_the_others_go_on() {
    let more = free();
    let first = "  - { address: 127.0.0.1:0, name: first }\n";
    let proxy = Proxy::start(&with(first));
    let mut kept = Client::connect(proxy.address());
    assert_eq!(kept.ask(GET).header("X-Listener"), Some("first"));
    let line = proxy.reload(&with(&format!(
        "{first}  - {{ address: {more}, name: second }}\n"
    )));
    assert!(line.ends_with("listener second added"), "{line}");
    assert_eq!(get(more, "/").header("X-Listener"), Some("second"));
    let answer = kept.ask(GET);
    assert_eq!(
        (answer.header("X-Listener"), answer.header("Connection")),
        (Some("first"), Some("keep-alive"))
    );
}

#[test]
fn a_listener_that_is_gone_finishes_its_requests_and_closes() {
    let (go, told) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::answering(move |_| {
        let _ = told.lock().unwrap().recv();
        ok("late but whole")
    });
    let upstream = in_front_of(&[backend.address()]);
    let (_, rest) = upstream.split_once("upstreams:").unwrap();
    let file = |listeners: &str| format!("listeners:\n{listeners}upstreams:{rest}");
    let (stays, goes) = ("  - { address: 127.0.0.1:0, name: stays }\n", free());
    let proxy = Proxy::start(&file(&format!(
        "{stays}  - {{ address: {goes}, name: goes }}\n"
    )));
    let mut idle = Client::connect(goes);
    let mut busy = Client::connect(goes);
    busy.send(GET);
    eventually("the request arrives", || !backend.requests().is_empty());
    let line = proxy.reload(&file(stays));
    assert!(line.ends_with("listener goes removed"), "{line}");
    assert!(idle.is_closed());
    eventually("new clients are refused", || refuses(goes));
    go.send(()).unwrap();
    let answer = busy.answer();
    assert_eq!(
        (answer.text().as_str(), answer.header("Connection")),
        ("late but whole", Some("close"))
    );
    assert!(busy.is_closed());
}

/// Seen failing with a close in the middle of the head, and with 503.
#[test]
fn a_request_on_its_way_when_its_listener_goes_is_served_as_that_was_written() {
    let (stays, goes) = ("  - { address: 127.0.0.1:0, name: stays }\n", free());
    let proxy = Proxy::start(&with(&format!(
        "{stays}  - {{ address: {goes}, name: goes }}\n"
    )));
    let mut client = Client::connect(goes);
    client.send("GET / HTTP/1.1\r\nHost: ");
    // Whoever comes later and is answered shows that this much was read.
    assert_eq!(get(goes, "/").header("X-Listener"), Some("goes"));
    let line = proxy.reload(&with(stays));
    assert!(line.ends_with("listener goes removed"), "{line}");
    client.send("a.test\r\n\r\n");
    let answer = client.answer();
    assert_eq!(
        (answer.header("X-Listener"), answer.header("Connection")),
        (Some("goes"), Some("close"))
    );
    assert!(client.is_closed());
}

#[test]
fn a_listener_that_changes_keeps_its_socket_and_says_farewell_with_the_next_answer() {
    let address = free();
    let file = |most: &str| {
        with(&format!(
            "  - {{ address: {address}, name: web, limits: {{ uri_bytes: {most} }} }}\n"
        ))
    };
    let proxy = Proxy::start(&file("16KiB"));
    let mut kept = Client::connect(address);
    assert_eq!(kept.ask(GET).header("Connection"), Some("keep-alive"));
    let line = proxy.reload(&file("16"));
    assert!(line.ends_with("listener web changed"), "{line}");
    // Nobody is refused, and the limit is in force for whoever comes.
    assert_eq!(get(address, "/0123456789abcdef").status, 414);
    // Who was there is let in by the rule that there was then, once.
    let answer = kept.ask("GET /0123456789abcdef HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(
        (answer.status, answer.header("Connection")),
        (200, Some("close"))
    );
    assert!(kept.is_closed());
}

#[test]
fn a_name_that_changes_takes_the_socket_along_and_lets_no_request_pass_its_filters() {
    let address = free();
    let file = |name: &str| {
        with(&format!(
            "  - {{ address: {address}, name: {name}, filters: [{{ response_headers: {{ set: {{ X-Filter: {name} }} }} }}] }}\n"
        ))
    };
    let proxy = Proxy::start(&file("one"));
    let mut kept = Client::connect(address);
    assert_eq!(kept.ask(GET).header("X-Filter"), Some("one"));
    proxy.reload(&file("two"));
    assert!(kept.is_closed());
    assert_eq!(get(address, "/").header("X-Filter"), Some("two"));
}

#[test]
fn tls_is_switched_on_where_clients_spoke_in_the_clear() {
    let (authority, address) = (Authority::new("our authority"), free());
    let certificate = authority.issue(&["a.test"]);
    let proxy = Proxy::start(&with(&format!("  - {{ address: {address}, name: web }}\n")));
    std::fs::write(proxy.path("a.pem"), certificate.pem()).unwrap();
    std::fs::write(proxy.path("a.key"), certificate.key_pem()).unwrap();
    assert_eq!(get(address, "/").header("X-Listener"), Some("web"));
    proxy.reload(&with(&format!(
        "  - {{ address: {address}, name: web, tls: {{ certificates: [{{ cert: a.pem, key: a.key }}] }} }}\n"
    )));
    let (mut client, _) = TlsClient::new(&authority).connect(address, "a.test");
    assert_eq!(client.ask(GET).header("X-Listener"), Some("web"));
    assert_eq!(get(address, "/").status, 400);
}

#[test]
fn certificates_that_change_touch_no_connection() {
    let (authority, address) = (Authority::new("our authority"), free());
    let file = |name: &str| {
        with(&format!(
            "  - {{ address: {address}, name: web, tls: {{ certificates: [{{ cert: {name}.pem, key: {name}.key }}] }} }}\n"
        ))
    };
    let certificates = [authority.issue(&["a.test"]), authority.issue(&["a.test"])];
    let proxy = {
        let folder = tempfile::tempdir().unwrap();
        for (name, certificate) in std::iter::zip(["a", "b"], &certificates) {
            std::fs::write(folder.path().join(format!("{name}.pem")), certificate.pem()).unwrap();
            std::fs::write(
                folder.path().join(format!("{name}.key")),
                certificate.key_pem(),
            )
            .unwrap();
        }
        let files = folder.path().to_owned();
        Proxy::start_with(&file("a"), move |command| {
            let to = command.get_current_dir().unwrap();
            for name in ["a.pem", "a.key", "b.pem", "b.key"] {
                std::fs::copy(files.join(name), to.join(name)).unwrap();
            }
        })
    };
    let (mut kept, greeting) = TlsClient::new(&authority).connect(address, "a.test");
    assert_eq!(&greeting.certificate, certificates[0].der());
    assert_eq!(kept.ask(GET).status, 200);
    proxy.reload(&file("b"));
    let (_, greeting) = TlsClient::new(&authority).connect(address, "a.test");
    assert_eq!(&greeting.certificate, certificates[1].der());
    let answer = kept.ask(GET);
    assert_eq!(
        (answer.status, answer.header("Connection")),
        (200, Some("keep-alive"))
    );
}

#[test]
fn an_address_that_is_taken_leaves_everything_as_it_was() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = (taken.local_addr().unwrap(), taken);
    let proxy = Proxy::start(&saying("one"));
    let file = saying("two").replace(
        "listeners: [",
        &format!("listeners: [{{ address: {} }}, ", taken.0),
    );
    let line = proxy.reload(&file);
    assert!(line.contains("is not used"), "{line}");
    proxy.stderr.find("who has it", |line| {
        line.contains("reload: cannot listen on").then_some(())
    });
    assert_eq!(proxy.get("/").text(), "one");
}

#[test]
fn a_limit_of_connections_that_changes_counts_those_who_are_there() {
    let address = free();
    let file = |most: usize| {
        with(&format!(
            "  - {{ address: {address}, name: web, limits: {{ connections: {most} }} }}\n"
        ))
    };
    let proxy = Proxy::start(&file(1));
    let mut first = Client::connect(address);
    assert_eq!(first.ask(GET).status, 200);
    let mut second = Client::connect(address);
    second.send(GET);
    proxy.stderr.find("the limit", |line| {
        line.contains("limits.connections, 1, is reached")
            .then_some(())
    });
    proxy.reload(&file(2));
    assert_eq!(second.answer().status, 200);
    let mut third = Client::connect(address);
    third.send(GET);
    proxy.stderr.find("the limit", |line| {
        line.contains("limits.connections, 2, is reached")
            .then_some(())
    });
    // Its next answer is a farewell, and so gives back the seat.
    assert_eq!(first.ask(GET).header("Connection"), Some("close"));
    assert_eq!(third.answer().status, 200);
}
