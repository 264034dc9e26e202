//! `basic_auth`, on the wire.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::support::{Backend, Client, Proxy, get_with, ok};

/// Made by `htpasswd -nbB -C 4` of Apache 2.4, and by `argon2 somesalt -id -t 1 -m 8 -p 1 -e`.
const USERS: &str = "# the staff
alice:$2y$04$4r.DUqHhklt.jt0Z3Qylx.WHdKO5eHUIUz.IOjrY3TryUGlzflX3u
zoë:$2y$04$DAChKly93Ex9mhvrSmUqj.GpdvHK5I2ucVeotLpXviJBrTNyAWlya:what follows is a comment

ada:$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHQ$C1nSQzCTQWzgK9naSl2auLfd0EqDoFwYFGg9v5LwjIc
";

/// A listener in front of `backend` that asks for a password, and then passes requests through `more` filters. The
/// program is started elsewhere than where its file is.
fn proxy(backend: &Backend, more: &str) -> Proxy {
    let configuration = format!(
        "log: {{ level: debug }}\nlisteners: [{{ address: 127.0.0.1:0 }}]\n\
         upstreams: {{ web: {{ backends: [{}] }} }}\nroutes: [{{ upstream: web }}]\n\
         filters:\n  - basic_auth: {{ realm: 'the \"staff\"', users_file: secrets/users }}\n{more}",
        backend.address()
    );
    start(&configuration, USERS)
}

fn start(configuration: &str, users: &str) -> Proxy {
    Proxy::start_with(configuration, |command| {
        let folder = command.get_current_dir().unwrap().join("secrets");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("users"), users).unwrap();
        command.current_dir("/");
    })
}

fn echo() -> Backend {
    Backend::answering(|request| ok(&request.head))
}

fn authorization(name: &str, password: &str) -> String {
    let both = BASE64_STANDARD.encode(format!("{name}:{password}"));
    format!("Authorization: Basic {both}\r\n")
}

#[test]
fn a_client_that_does_not_say_who_it_is_is_asked() {
    let backend = echo();
    let proxy = proxy(&backend, "");
    let answer = proxy.get("/");
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.values("www-authenticate"),
        [r#"Basic realm="the \"staff\"", charset="UTF-8""#]
    );
    assert_eq!(
        answer.header("proxy-status"),
        Some("evenkeel; error=http_request_denied")
    );
    assert!(backend.requests().is_empty());
    assert_eq!(
        proxy.logged(|line| line["status"] == 401)["error"],
        "http_request_denied"
    );
}

#[test]
fn those_in_the_file_of_users_are_let_in_with_their_passwords() {
    let backend = echo();
    let proxy = proxy(&backend, "");
    for (name, password) in [
        ("alice", "open sesame"),
        ("zoë", "pässwörd:mit:Doppelpunkt"),
        ("ada", "correct horse"),
    ] {
        let header = authorization(name, password);
        let answer = get_with(proxy.address(), "/", &header);
        assert_eq!(answer.status, 200, "{name}");
        assert!(answer.text().contains(&header), "the backend is told too");
    }
    let good = BASE64_STANDARD.encode("alice:open sesame");
    for header in [
        authorization("alice", "correct horse"),
        authorization("bob", "open sesame"),
        authorization("alice", ""),
        format!("Authorization: Bearer {good}\r\n"),
        format!("Authorization: Basic {good}!\r\n"),
        "Authorization: Basic\r\n".to_owned(),
        authorization("alice", "open sesame").repeat(2),
        authorization("# the staff", "open sesame"),
    ] {
        let answer = get_with(proxy.address(), "/", &header);
        assert_eq!(answer.status, 401, "{header}");
        assert!(answer.header("www-authenticate").is_some());
    }
    assert_eq!(backend.requests().len(), 3);
}

#[test]
fn a_later_filter_can_keep_the_password_from_the_backend() {
    let backend = echo();
    let proxy = proxy(
        &backend,
        "  - request_headers: { remove: [Authorization] }\n",
    );
    let header = authorization("alice", "open sesame");
    let answer = get_with(proxy.address(), "/", &header);
    assert_eq!(answer.status, 200);
    assert!(!answer.text().contains("Authorization"), "{answer:?}");
}

#[test]
fn a_kept_connection_is_asked_with_every_request() {
    let backend = echo();
    let proxy = proxy(&backend, "");
    let mut client = Client::connect(proxy.address());
    let mut status = |headers: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{headers}\r\n");
        client.ask(head).status
    };
    let good = authorization("alice", "open sesame");
    for (headers, wanted) in [
        (&*good, 200),
        ("", 401),
        (&good.replace("Basic", "bAsIc"), 200),
        (&authorization("alice", "wrong"), 401),
        (&good, 200),
    ] {
        assert_eq!(status(headers), wanted);
    }
}

#[test]
fn no_log_has_a_password_or_a_hash_in_it() {
    let backend = echo();
    let proxy = proxy(&backend, "");
    let headers = [
        authorization("alice", "open sesame"),
        authorization("alice", "gessellig"),
    ];
    let statuses = headers
        .each_ref()
        .map(|header| get_with(proxy.address(), "/", header).status);
    assert_eq!(statuses, [200, 401]);
    proxy.logged(|line| line["status"] == 200);
    proxy.logged(|line| line["status"] == 401);
    let written = [proxy.stdout.all(), proxy.stderr.all()].concat().join("\n");
    assert!(written.contains("listening on"), "{written}");
    let encoded = headers.map(|header| header["Authorization: Basic ".len()..].trim().to_owned());
    let secrets = ["open sesame", "gessellig", "$2y$", "$argon2", "C1nSQz"];
    for secret in secrets
        .into_iter()
        .chain(encoded.iter().map(String::as_str))
    {
        assert!(!written.contains(secret), "{secret}:\n{written}");
    }
}

/// Seen failing with a thousand more that may wait.
#[test]
fn too_many_passwords_at_once_are_answered_503_and_other_requests_go_on() {
    // A check at this cost takes seconds. No password is known for it, and none is needed.
    let users = USERS.replace("$2y$04$", "$2y$17$");
    let proxy = start(
        "listeners: [{ address: 127.0.0.1:0 }]\nroutes:\n  - respond: { body: open }\n\
         \x20 - match: { path: /closed }\n    respond: { body: closed }\n\
         \x20   filters: [basic_auth: { realm: staff, users_file: secrets/users }]\n",
        &users,
    );
    let processors = std::thread::available_parallelism().unwrap().get();
    let room = (processors / 2).max(1) * 33;
    let head = format!(
        "GET /closed HTTP/1.1\r\nHost: a.test\r\n{}\r\n",
        authorization("alice", "guessed")
    );
    let mut clients: Vec<_> = (0..room + 1)
        .map(|_| Client::connect(proxy.address()))
        .collect();
    for client in &mut clients {
        client.send(&head);
    }
    let refused = proxy.logged(|line| line["status"] == 503);
    assert_eq!(refused["error"], "filter_busy");
    let answer = clients.iter_mut().find_map(Client::answer_if_begun);
    let answer = answer.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.header("proxy-status"),
        Some("evenkeel; error=http_request_denied")
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(proxy.get("/").text(), "open");
}
