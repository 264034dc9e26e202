//! TLS towards clients: which certificate they see, who of them is let in (`clients`), and what happens when certificates change
//! (`renewal`).

mod clients;
mod renewal;

use std::fs;
use std::thread;

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls::crypto::aws_lc_rs::kx_group;
use rustls::{ProtocolVersion, version};

use crate::support::{Authority, Backend, Certificate, Client, Conversation, Proxy, TlsClient, ok};

/// A proxy in front of this backend, with these certificates and these keys of `tls` besides; the first of the files is `0.pem`.
fn start(backend: &Backend, certificates: &[&Certificate], keys: &str) -> Proxy {
    start_with(backend, certificates, keys, "", &[])
}

fn start_with(
    backend: &Backend,
    certificates: &[&Certificate],
    keys: &str,
    top: &str,
    files: &[(&str, String)],
) -> Proxy {
    let pairs =
        (0..certificates.len()).map(|index| format!("{{ cert: {index}.pem, key: {index}.key }}"));
    let pairs: Vec<_> = pairs.collect();
    let configuration = format!(
        "listeners:\n  - address: 127.0.0.1:0\n    tls: {{ certificates: [{}] {keys} }}\n{top}\
         upstreams: {{ hello: {{ backends: [{}] }} }}\nroutes:\n  - match: {{ path: /own }}\n    respond: {{ status: 204 }}\n  - upstream: hello\n",
        pairs.join(", "),
        backend.address()
    );
    Proxy::start_with(&configuration, |command| {
        let folder = command.get_current_dir().unwrap();
        for (index, certificate) in certificates.iter().enumerate() {
            fs::write(folder.join(format!("{index}.pem")), certificate.pem()).unwrap();
            fs::write(folder.join(format!("{index}.key")), certificate.key_pem()).unwrap();
        }
        for (name, content) in files {
            fs::write(folder.join(name), content).unwrap();
        }
    })
}

fn get(client: &mut Client, host: &str, target: &str) -> crate::support::Answer {
    client.ask(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
}

#[test]
fn requests_are_served_over_tls_and_the_backend_is_told() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let own = authority.issue(&["a.test"]);
    let top = "access_log: { format: '$scheme $ssl_protocol $ssl_cipher $ssl_server_name [$ssl_client_verify] [$ssl_client_s_dn]' }\n";
    let proxy = start_with(&backend, &[&own], "", top, &[]);
    let (mut client, greeting) = TlsClient::new(&authority).connect(proxy.address(), "a.test");
    assert_eq!(greeting.version, ProtocolVersion::TLSv1_3);
    for _ in 0..3 {
        assert_eq!(get(&mut client, "a.test", "/").text(), "hello");
    }
    let requests = backend.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(
        requests[0].header("X-Forwarded-Proto").as_deref(),
        Some("https")
    );
    let port = proxy.address().port().to_string();
    assert_eq!(requests[0].header("X-Forwarded-Port"), Some(port));
    proxy.stdout.find("the TLS in the log", |line| {
        (line == "https TLSv1.3 TLS_AES_256_GCM_SHA384 a.test [NONE] [-]").then_some(())
    });
}

#[test]
fn the_certificate_is_chosen_by_the_name_that_the_client_asks_for() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let first = authority.issue(&["a.test", "b.test"]);
    let wildcard = authority.issue(&["*.c.test"]);
    let exact = authority.issue(&["x.c.test"]);
    let proxy = start(&backend, &[&first, &wildcard, &exact], "");
    let client = TlsClient::new(&authority);
    for (name, certificate) in [
        ("a.test", &first),
        ("B.test", &first),
        ("y.c.test", &wildcard),
        ("x.c.test", &exact),
    ] {
        let (_, greeting) = client.connect(proxy.address(), name);
        assert_eq!(&greeting.certificate, certificate.der(), "{name}");
    }
    // The first one, which is not for this name.
    let refused = client.try_connect(proxy.address(), "y.x.c.test");
    assert!(refused.err().unwrap().to_string().contains("certificate"));
}

#[test]
fn a_client_sees_the_ecdsa_certificate_and_one_that_knows_rsa_only_the_other() {
    let authority = Authority::with("our authority", |_| {});
    let backend = Backend::answering(|_| ok("hello"));
    let rsa = authority.issue_for(&["a.test"], &PKCS_RSA_SHA256);
    let ecdsa = authority.issue_for(&["a.test"], &PKCS_ECDSA_P256_SHA256);
    let proxy = start(&backend, &[&rsa, &ecdsa], "");
    let (_, greeting) = TlsClient::new(&authority).connect(proxy.address(), "a.test");
    assert_eq!(&greeting.certificate, ecdsa.der());
    let old = TlsClient::with(&authority, |habits| {
        habits.knows_rsa_only = true;
        habits.versions = vec![&version::TLS12];
    });
    let (_, greeting) = old.connect(proxy.address(), "a.test");
    assert_eq!(&greeting.certificate, rsa.der());
}

#[test]
fn an_older_version_than_min_version_is_refused() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let own = authority.issue(&["a.test"]);
    let old = TlsClient::with(&authority, |habits| habits.versions = vec![&version::TLS12]);
    let proxy = start(&backend, &[&own], "");
    let (_, greeting) = old.connect(proxy.address(), "a.test");
    assert_eq!(greeting.version, ProtocolVersion::TLSv1_2);
    let strict = start(&backend, &[&own], ", min_version: '1.3'");
    assert!(old.try_connect(strict.address(), "a.test").is_err());
    let (_, greeting) = TlsClient::new(&authority).connect(strict.address(), "a.test");
    assert_eq!(greeting.version, ProtocolVersion::TLSv1_3);
    strict
        .stderr
        .find("why", |line| line.contains("no TLS: ").then_some(()));
}

#[test]
fn the_oldest_version_is_1_2_where_the_file_says_so() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let own = authority.issue(&["a.test"]);
    let proxy = start(&backend, &[&own], ", min_version: 1.2");
    let old = TlsClient::with(&authority, |habits| habits.versions = vec![&version::TLS12]);
    let (_, greeting) = old.connect(proxy.address(), "a.test");
    assert_eq!(greeting.version, ProtocolVersion::TLSv1_2);
}

#[test]
fn keys_are_exchanged_in_a_way_that_withstands_quantum_computers_where_the_client_can() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let own = authority.issue(&["a.test"]);
    let proxy = start(&backend, &[&own], "");
    for (groups, agreed) in [
        (
            vec![kx_group::X25519MLKEM768, kx_group::X25519],
            "X25519MLKEM768",
        ),
        (vec![kx_group::X25519], "X25519"),
        (vec![kx_group::SECP256R1], "secp256r1"),
    ] {
        let client = TlsClient::with(&authority, |habits| habits.groups = Some(groups));
        let (_, greeting) = client.connect(proxy.address(), "a.test");
        assert_eq!(greeting.group.as_deref(), Some(agreed));
    }
}

#[test]
fn a_client_that_speaks_none_of_our_protocols_is_told_so_in_the_handshake() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let own = authority.issue(&["a.test"]);
    let proxy = start(&backend, &[&own], "");
    let client = |protocols| TlsClient::with(&authority, |habits| habits.protocols = protocols);
    let (_, greeting) = client(vec!["h3", "http/1.1"]).connect(proxy.address(), "a.test");
    assert_eq!(greeting.protocol.as_deref(), Some("http/1.1"));
    assert!(
        client(vec!["h3"])
            .try_connect(proxy.address(), "a.test")
            .is_err()
    );
}

#[test]
fn a_client_that_comes_back_does_not_begin_from_scratch() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let own = authority.issue(&["a.test"]);
    let proxy = start(&backend, &[&own], "");
    for version in [&version::TLS12, &version::TLS13] {
        let client = TlsClient::with(&authority, |habits| habits.versions = vec![version]);
        for is_resumed in [false, true, true] {
            let (mut connection, greeting) = client.connect(proxy.address(), "a.test");
            assert_eq!(greeting.is_resumed, is_resumed, "{:?}", version.version);
            // TLS 1.3 sends tickets after the handshake.
            assert_eq!(get(&mut connection, "a.test", "/").status, 200);
        }
    }
}

#[test]
fn a_host_that_another_certificate_is_for_is_misdirected() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let (one, other) = (
        authority.issue(&["a.test", "b.test"]),
        authority.issue(&["c.test"]),
    );
    let proxy = start(&backend, &[&one, &other], "");
    let (mut client, _) = TlsClient::new(&authority).connect(proxy.address(), "a.test");
    for (host, status) in [
        ("a.test", 200),
        ("b.test:443", 200),
        ("C.test", 421),
        ("d.test", 200),
        ("a.test", 200),
    ] {
        let answer = get(&mut client, host, "/");
        assert_eq!(answer.status, status, "{host}");
        if status == 421 {
            assert_eq!(
                answer.header("Proxy-Status"),
                Some("evenkeel; error=http_request_error")
            );
        }
    }
    let (mut client, _) = TlsClient::new(&authority).connect(proxy.address(), "c.test");
    assert_eq!(get(&mut client, "a.test", "/").status, 421);
}

#[test]
fn an_answer_that_broke_off_does_not_end_as_a_whole_one_would() {
    let authority = Authority::new("our authority");
    let own = authority.issue(&["a.test"]);
    let backend = Backend::start(|conversation: &mut Conversation| {
        if conversation.request().is_some() {
            conversation.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        }
    });
    let proxy = start(&backend, &[&own], "");
    let (mut client, _) = TlsClient::new(&authority).connect(proxy.address(), "a.test");
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    match client.try_answer() {
        Ok(answer) => assert!(!answer.is_complete),
        // No close_notify came.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof),
    }
}

#[test]
fn many_clients_are_served_over_tls_at_the_same_time() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|request| ok(request.target()));
    let own = authority.issue(&["a.test"]);
    let proxy = start(&backend, &[&own], "");
    let client = TlsClient::new(&authority);
    thread::scope(|scope| {
        for number in 0..16 {
            let (client, address) = (&client, proxy.address());
            scope.spawn(move || {
                for round in 0..8 {
                    let (mut connection, _) = client.connect(address, "a.test");
                    for request in 0..4 {
                        let target = format!("/{number}/{round}/{request}");
                        assert_eq!(get(&mut connection, "a.test", &target).text(), target);
                    }
                }
            });
        }
    });
}

#[test]
fn a_client_that_speaks_no_tls_is_turned_away_and_harms_nobody() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let own = authority.issue(&["a.test"]);
    let proxy = start(&backend, &[&own], "");
    let mut plain = Client::connect(proxy.address());
    let answer = get(&mut plain, "a.test", "/");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("ask with https://"), "{answer:?}");
    assert!(plain.is_closed());
    let mut other = Client::connect(proxy.address());
    other.send("\0nonsense that is neither");
    while !other.is_closed() {}
    for why in ["it speaks HTTP in the clear", "it does not speak TLS"] {
        proxy.stderr.find("why", |line| {
            line.ends_with(&format!("no TLS: {why}")).then_some(())
        });
    }
    let (mut client, _) = TlsClient::new(&authority).connect(proxy.address(), "a.test");
    assert_eq!(get(&mut client, "a.test", "/own").status, 204);
    assert!(backend.requests().is_empty());
}
