//! What goes through, for how long, and what is told of it afterwards.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;

use super::{ASK, SWITCHED, welcomed};
use crate::support::{
    Authority, Backend, Client, Conversation, Proxy, TlsClient, eventually, get, in_front_of,
    refuses, upstream_of,
};

const LOT: usize = 512 * 1024;

/// A backend that switches and then does this.
fn backend(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Backend {
    Backend::start(move |conversation| {
        if conversation.request().is_some() {
            conversation.send(SWITCHED);
            script(conversation);
        }
    })
}

/// One that says back the word `ping` in its own way, each time, to the end.
fn answering() -> Backend {
    backend(|conversation| {
        conversation.wait_for(b"ping");
        conversation.send("pong");
        conversation.wait_for_close();
    })
}

fn proxy_for(backend: &Backend) -> Proxy {
    Proxy::start(&in_front_of(&[backend.address()]))
}

/// A lot, whose end can be told from all that is before it.
fn a_lot(end: &str) -> Vec<u8> {
    let mut bytes = vec![b'.'; LOT];
    bytes.extend(end.as_bytes());
    bytes
}

#[test]
fn both_sides_may_send_a_lot_at_once() {
    let backend = backend(|conversation| {
        conversation.send(a_lot("all from the backend"));
        conversation.wait_for(b"all from the client");
        conversation.send("got all");
        conversation.wait_for_close();
    });
    let proxy = proxy_for(&backend);
    let mut client = welcomed(proxy.address());
    let mut speaker = client.another_hand();
    let speaking = thread::spawn(move || speaker.send(a_lot("all from the client")));
    client.wait_for(b"all from the backend");
    client.wait_for(b"got all");
    speaking.join().unwrap();
}

#[test]
fn what_a_client_says_before_it_is_let_in_comes_behind_its_request() {
    let backend = answering();
    let proxy = proxy_for(&backend);
    let mut client = Client::connect(proxy.address());
    client.send(ASK.to_owned() + "ping");
    assert_eq!(client.answer().status, 101);
    client.wait_for(b"pong");
}

#[test]
fn a_client_that_has_said_its_last_still_hears_the_backend_out() {
    // Seen failing with the tunnel that Pingora has.
    let backend = backend(|conversation| {
        conversation.wait_for_close();
        conversation.send(a_lot("my last"));
    });
    let proxy = proxy_for(&backend);
    let mut client = welcomed(proxy.address());
    client.send("my last too");
    client.finish();
    client.wait_for(b"my last");
    assert!(client.ends_in_order());
    assert_eq!(proxy.logged(|_| true)["error"], serde_json::Value::Null);
}

#[test]
fn a_backend_that_has_said_its_last_still_hears_the_client_out() {
    let has_heard = Arc::new(AtomicBool::new(false));
    let heard = Arc::clone(&has_heard);
    let backend = backend(move |conversation| {
        conversation.end();
        conversation.wait_for(b"my last too");
        heard.store(true, Ordering::Relaxed);
    });
    let proxy = proxy_for(&backend);
    let mut client = welcomed(proxy.address());
    assert!(client.ends_in_order());
    client.send(a_lot("my last too"));
    eventually("all is heard", || has_heard.load(Ordering::Relaxed));
}

#[test]
fn when_the_client_goes_the_backend_is_told() {
    let is_told = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_told);
    let backend = backend(move |conversation| {
        conversation.wait_for_close();
        told.store(true, Ordering::Relaxed);
    });
    let proxy = proxy_for(&backend);
    drop(welcomed(proxy.address()));
    eventually("it is told", || is_told.load(Ordering::Relaxed));
}

#[test]
fn a_silent_tunnel_outlives_every_timeout_of_an_exchange() {
    let backend = answering();
    let slow = Backend::hanging();
    let keys = "timeouts: { read: 100ms, response: 100ms, write: 100ms }";
    let file = upstream_of(&[backend.address()], keys).replace(
        "address: 127.0.0.1:0",
        "address: 127.0.0.1:0\n    timeouts: { header: 100ms, body: 100ms, idle: 100ms, write: 100ms }",
    );
    let proxy = Proxy::start(&file);
    let clock = Proxy::start(&upstream_of(
        &[slow.address()],
        "timeouts: { read: 1s, response: 1s }",
    ));
    let mut client = welcomed(proxy.address());
    // Ten times as long as any of them.
    assert_eq!(get(clock.address(), "/").status, 504);
    client.send("ping");
    client.wait_for(b"pong");
}

#[test]
fn the_kernel_asks_silent_clients_and_backends_whether_they_are_there() {
    let backend = answering();
    let proxy = proxy_for(&backend);
    let client = welcomed(proxy.address());
    let asked = |local: Option<u16>, remote: u16| {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        table.lines().skip(1).any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let port = |field: &str| u16::from_str_radix(field.rsplit(':').next()?, 16).ok();
            // `02` is the timer of the keepalive.
            local.is_none_or(|local| port(fields[1]) == Some(local))
                && port(fields[2]) == Some(remote)
                && fields[5].starts_with("02:")
        })
    };
    let (ours, theirs) = (proxy.address().port(), client.local_address().port());
    eventually("the client is asked", || asked(Some(ours), theirs));
    let backend = backend.address().port();
    eventually("the backend is asked", || asked(None, backend));
}

#[test]
fn one_line_tells_of_a_tunnel_when_it_is_over_with_the_bytes_of_both_ways() {
    let backend = answering();
    let proxy = proxy_for(&backend);
    let mut client = welcomed(proxy.address());
    client.send("ping");
    client.wait_for(b"pong");
    assert!(proxy.stdout.all().is_empty(), "told too early");
    drop(client);
    let line = proxy.logged(|_| true);
    assert_eq!((&line["status"], &line["error"]), (&101.into(), &().into()));
    assert_eq!(line["upstream_status"], "101");
    assert_eq!(line["body_bytes_sent"], "welcomepong".len());
    assert_eq!(line["bytes_sent"], SWITCHED.len() + "pong".len());
    assert_eq!(line["request_length"], ASK.len() + "ping".len());
    assert_eq!(proxy.stdout.all().len(), 1);
}

#[test]
fn a_tunnel_counts_as_a_request_of_its_backend_until_it_is_over() {
    let backend = answering();
    let limited = format!("{{ address: \"{}\", max_requests: 1 }}", backend.address());
    let file = in_front_of(&[backend.address()]);
    let proxy =
        Proxy::start(&file.replace(&format!("[{}]", backend.address()), &format!("[{limited}]")));
    let client = welcomed(proxy.address());
    assert_eq!(Client::connect(proxy.address()).ask(ASK).status, 503);
    drop(client);
    eventually("there is room again", || {
        Client::connect(proxy.address()).ask(ASK).status == 101
    });
}

#[test]
fn it_goes_through_tls_on_both_sides_also_where_the_backend_would_rather_speak_http2() {
    let authority = Authority::new("ours");
    let certificate = authority.issue(&["app.test"]);
    let mut config = certificate.server();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let backend = Backend::start_tls(config, |conversation| {
        if conversation.request().is_some() {
            conversation.send(SWITCHED);
            conversation.wait_for(b"ping");
            conversation.send(a_lot("pong"));
            conversation.end();
            conversation.wait_for_close();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (ca, cert) = (
        write("ca.pem", authority.pem()),
        write("cert.pem", certificate.pem()),
    );
    let key = write("key.pem", certificate.key_pem());
    let keys = format!("protocol: auto\n    tls: {{ ca: \"{ca}\", server_name: app.test }}");
    let file = upstream_of(&[backend.address()], &keys).replace(
        "address: 127.0.0.1:0",
        &format!(
            "address: 127.0.0.1:0\n    tls: {{ certificates: [{{ cert: \"{cert}\", key: \"{key}\" }}] }}\n    protocols: [http1]"
        ),
    );
    let proxy = Proxy::start(&file);
    let (mut client, _) = TlsClient::new(&authority).connect(proxy.address(), "app.test");
    assert_eq!(client.ask(ASK).status, 101);
    client.wait_for(b"welcome");
    client.send("ping");
    client.wait_for(b"pong");
    assert!(client.ends_in_order());
}

#[test]
fn on_sigterm_a_tunnel_goes_on_and_the_program_ends_with_it() {
    let backend = answering();
    let file = in_front_of(&[backend.address()]);
    let mut proxy = Proxy::start(&format!("server: {{ shutdown: {{ drain: 1h }} }}\n{file}"));
    let mut client = welcomed(proxy.address());
    proxy.signal(Signal::TERM);
    let address = proxy.address();
    eventually("new connections are refused", || refuses(address));
    client.send("ping");
    client.wait_for(b"pong");
    assert!(!proxy.has_ended());
    drop(client);
    assert_eq!(proxy.end().code(), Some(0));
    proxy.logged(|line| line["status"] == 101);
}

#[test]
fn a_tunnel_that_lasts_longer_than_the_drain_is_cut() {
    let backend = answering();
    let file = in_front_of(&[backend.address()]);
    let mut proxy = Proxy::start(&format!(
        "server: {{ shutdown: {{ drain: 300ms }} }}\n{file}"
    ));
    let mut client = welcomed(proxy.address());
    proxy.signal(Signal::TERM);
    assert!(client.is_closed());
    assert_eq!(proxy.end().code(), Some(0));
}
