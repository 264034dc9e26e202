//! The PROXY protocol: a proxy in front says who the client is, before TLS and HTTP, and is believed if it is trusted.

use std::fs;

use crate::support::{Authority, Backend, Client, Http2Client, Proxy, TlsClient, ok};

/// A client that a proxy in front tells of.
const V4: &str = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";
const V6: &str = "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A header of version 2.
fn binary(command: u8, kind: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, kind], &length, block].concat()
}

/// The same clients in version 2, with `more` behind the addresses.
fn binary_v4(more: &[u8]) -> Vec<u8> {
    let ends = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb];
    binary(0x21, 0x11, &[&ends, more].concat())
}

fn binary_v6(more: &[u8]) -> Vec<u8> {
    let address = |last: u8| {
        let mut octets = [0; 16];
        octets[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        octets[15] = last;
        octets
    };
    let ports = [0xdc, 0x04, 0x01, 0xbb];
    binary(
        0x21,
        0x21,
        &[&address(1), &address(2), &ports[..], more].concat(),
    )
}

fn file(backend: &Backend, mode: &str, trusted: &str, more: &str) -> String {
    format!(
        "listeners:\n  - address: 127.0.0.1:0\n    proxy_protocol: {mode}\n{more}trusted_proxies: [{trusted}]\n\
         upstreams: {{ hello: {{ backends: [{}] }} }}\nroutes: [{{ upstream: hello }}]\n",
        backend.address()
    )
}

fn start(backend: &Backend, mode: &str, trusted: &str) -> Proxy {
    Proxy::start(&file(backend, mode, trusted, ""))
}

fn hello() -> Backend {
    Backend::answering(|_| ok("hello"))
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n")
}

/// The client that the log and the backend know, its port, and the peer.
fn seen(proxy: &Proxy, backend: &Backend, target: &str) -> (String, String, String) {
    let logged = proxy.logged(|line| line["request_uri"] == target);
    let said = |name: &str| logged[name].to_string().trim_matches('"').to_owned();
    let requests = backend.requests();
    let request = requests.iter().find(|request| request.target() == target);
    let request = request.unwrap();
    assert_eq!(request.header("X-Real-IP"), Some(said("remote_addr")));
    assert_eq!(
        request.header("X-Forwarded-For"),
        Some(said("realip_remote_addr"))
    );
    (
        said("remote_addr"),
        said("remote_port"),
        said("realip_remote_addr"),
    )
}

fn assert_told(proxy: &Proxy, line: &str) {
    proxy
        .stderr
        .find(line, |said| said.contains(line).then_some(()));
}

#[test]
fn the_client_is_who_the_header_says_in_both_versions_and_families() {
    let backend = hello();
    let proxy = start(&backend, "accept", "127.0.0.1");
    // The second one has TLVs, of which one fills more than a read.
    let tlvs = [&[0x04, 0x04, 0x00][..], &[0; 1024]].concat();
    let headers = [
        (V4.into(), "192.0.2.1"),
        (V6.into(), "2001:db8::1"),
        (binary_v4(&[]), "192.0.2.1"),
        (binary_v4(&tlvs), "192.0.2.1"),
        (binary_v6(&[0xea, 0, 1, b'x']), "2001:db8::1"),
    ];
    for (number, (header, client)) in headers.into_iter().enumerate() {
        let target = format!("/{number}");
        let mut connection = Client::connect(proxy.address());
        connection.send([&header, get(&target).as_bytes()].concat());
        assert_eq!(connection.answer().text(), "hello");
        let expected = (client.into(), "56324".into(), client.into());
        assert_eq!(seen(&proxy, &backend, &target), expected);
        // It holds for the whole connection.
        let next = format!("/{number}/next");
        assert_eq!(connection.ask(get(&next)).text(), "hello");
        assert_eq!(seen(&proxy, &backend, &next), expected);
    }
}

#[test]
fn a_header_in_single_bytes_is_read_and_nothing_behind_it() {
    let backend = hello();
    let proxy = start(&backend, "require", "127.0.0.1");
    for (number, header) in [V4.as_bytes(), &binary_v6(&[1; 20])]
        .into_iter()
        .enumerate()
    {
        let target = format!("/{number}");
        let mut connection = Client::connect(proxy.address());
        for byte in [header, get(&target).as_bytes()].concat() {
            connection.send([byte]);
        }
        assert_eq!(connection.answer().text(), "hello");
        let (client, ..) = seen(&proxy, &backend, &target);
        assert_eq!(client, ["192.0.2.1", "2001:db8::1"][number]);
    }
}

#[test]
fn the_port_is_that_of_the_listener_and_not_that_of_the_header() {
    let backend = hello();
    let proxy = start(&backend, "accept", "127.0.0.1");
    let mut connection = Client::connect(proxy.address());
    connection.ask(format!("{V4}{}", get("/")));
    let port = proxy.address().port().to_string();
    assert_eq!(backend.requests()[0].header("X-Forwarded-Port"), Some(port));
}

#[test]
fn tls_follows_the_header() {
    let authority = Authority::new("our authority");
    let own = authority.issue(&["a.test"]);
    let backend = hello();
    let tls = "    tls: { certificates: [{ cert: own.pem, key: own.key }] }\n";
    let file = file(&backend, "require", "127.0.0.1", tls);
    let proxy = Proxy::start_with(&file, |command| {
        let folder = command.get_current_dir().unwrap();
        fs::write(folder.join("own.pem"), own.pem()).unwrap();
        fs::write(folder.join("own.key"), own.key_pem()).unwrap();
    });
    let client = TlsClient::new(&authority);
    for (target, header) in [("/1", V6.as_bytes()), ("/2", &binary_v6(&[]))] {
        let mut connection = client.connect_after(header, proxy.address(), "a.test");
        assert_eq!(connection.ask(get(target)).text(), "hello");
        let (client, ..) = seen(&proxy, &backend, target);
        assert_eq!(client, "2001:db8::1");
    }
    assert!(client.try_connect(proxy.address(), "a.test").is_err());
    assert_told(&proxy, "no PROXY protocol: what it sends begins otherwise");
}

#[test]
fn http_2_in_the_clear_follows_the_header() {
    let backend = hello();
    let proxy = start(&backend, "accept", "127.0.0.1");
    let mut connection = Http2Client::connect_after(binary_v4(&[]), proxy.address());
    assert_eq!(connection.get("/2").body, b"hello");
    let (client, ..) = seen(&proxy, &backend, "/2");
    assert_eq!(client, "192.0.2.1");
    // Without one, its preface begins like a header of version 1.
    let mut connection = Client::connect(proxy.address());
    for byte in *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" {
        connection.send([byte]);
    }
    connection.send([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let settings = 4;
    connection.wait_until(|frame| frame.get(3) == Some(&settings));
}

#[test]
fn what_the_client_forwards_is_believed_only_if_the_client_of_the_header_is_trusted() {
    let backend = hello();
    let proxy = start(&backend, "accept", "127.0.0.1, 10.0.0.0/8");
    let own = "PROXY TCP4 10.0.0.7 198.51.100.2 56324 443\r\n";
    for (header, target, client) in [(V4, "/1", "192.0.2.1"), (own, "/2", "203.0.113.5")] {
        let mut connection = Client::connect(proxy.address());
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n"
        );
        connection.ask(format!("{header}{head}"));
        let logged = proxy.logged(|line| line["request_uri"] == target);
        assert_eq!(logged["remote_addr"], client);
    }
}

#[test]
fn filters_know_the_client_of_the_header() {
    let backend = hello();
    let denied = "    filters: [{ ip_access: { deny: [192.0.2.0/24] } }]\n";
    let proxy = Proxy::start(&file(&backend, "accept", "127.0.0.1", denied));
    let status = |header: &str| {
        let mut connection = Client::connect(proxy.address());
        connection.ask(format!("{header}{}", get("/"))).status
    };
    assert_eq!((status(V4), status(V6)), (403, 200));
}

#[test]
fn a_connection_of_the_proxy_itself_or_of_an_unknown_kind_keeps_its_own_addresses() {
    let backend = hello();
    let proxy = start(&backend, "require", "127.0.0.1");
    let headers = [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 2001:db8::1 ::1 1 2\r\n".to_vec(),
        binary(0x20, 0x00, &[]),
        binary(0x20, 0x11, &[9; 12]),
        binary(0x21, 0x31, &[b'x'; 216]),
    ];
    for (number, header) in headers.into_iter().enumerate() {
        let target = format!("/{number}");
        let mut connection = Client::connect(proxy.address());
        connection.send(header);
        assert_eq!(connection.ask(get(&target)).text(), "hello");
        let own = connection.local_address();
        let expected = (
            own.ip().to_string(),
            own.port().to_string(),
            own.ip().to_string(),
        );
        assert_eq!(seen(&proxy, &backend, &target), expected);
    }
}

#[test]
fn where_it_is_accepted_a_trusted_peer_may_come_without_a_header() {
    let backend = hello();
    let proxy = start(&backend, "accept", "127.0.0.1");
    for method in ["GET", "POST", "PROPFIND", "PRO", "\r\n\r\nGET"] {
        let mut connection = Client::connect(proxy.address());
        let request = format!("{method} / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        for byte in request.as_bytes() {
            connection.send([*byte]);
        }
        assert_eq!(connection.answer().text(), "hello", "{method}");
    }
}

#[test]
fn where_it_is_accepted_the_header_of_a_stranger_is_a_malformed_request() {
    let backend = hello();
    let proxy = start(&backend, "accept", "10.0.0.0/8");
    let mut connection = Client::connect(proxy.address());
    assert_eq!(connection.ask(format!("{V4}{}", get("/"))).status, 400);
    let mut connection = Client::connect(proxy.address());
    assert_eq!(connection.ask(get("/")).text(), "hello");
}

#[test]
fn where_it_is_off_a_header_is_a_malformed_request() {
    let backend = hello();
    let proxy = start(&backend, "off", "127.0.0.1");
    let mut connection = Client::connect(proxy.address());
    assert_eq!(connection.ask(format!("{V4}{}", get("/"))).status, 400);
}

#[test]
fn where_it_is_required_nobody_else_is_let_in() {
    let backend = hello();
    let trusting = start(&backend, "require", "127.0.0.1");
    let mut connection = Client::connect(trusting.address());
    connection.send(get("/"));
    assert!(connection.is_closed());
    assert_told(
        &trusting,
        "no PROXY protocol: what it sends begins otherwise",
    );
    let distrusting = start(&backend, "require", "10.0.0.0/8");
    let mut connection = Client::connect(distrusting.address());
    connection.try_send(format!("{V4}{}", get("/")).as_bytes());
    assert!(connection.is_closed());
    assert_told(
        &distrusting,
        "no PROXY protocol: the peer is none of trusted_proxies",
    );
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn a_malformed_header_closes_the_connection_and_is_told_of() {
    let backend = hello();
    let proxy = start(&backend, "accept", "127.0.0.1");
    let words = "the header is malformed: ";
    for (header, why) in [
        (
            b"PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n".to_vec(),
            "two addresses and two ports",
        ),
        (
            b"PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n".to_vec(),
            "an address of it is none",
        ),
        (
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n".to_vec(),
            "a port of it is none",
        ),
        (
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n".to_vec(),
            "CR and LF",
        ),
        (
            [b"PROXY UNKNOWN ", &[b'x'; 100][..]].concat(),
            "longer than 107 bytes",
        ),
        (binary(0x31, 0x11, &[0; 12]), "its version is not 2"),
        (binary(0x21, 0x51, &[0; 12]), "address family"),
        (binary(0x21, 0x21, &[0; 12]), "too short"),
    ] {
        let mut connection = Client::connect(proxy.address());
        connection.try_send(&[&header, get("/").as_bytes()].concat());
        assert!(connection.is_closed(), "{why}");
        let told = |said: &str| said.contains(words) && said.contains(why);
        proxy.stderr.find(why, |said| told(said).then_some(()));
    }
    assert_eq!(backend.requests().len(), 0);
}

#[test]
fn a_header_that_has_not_come_in_five_seconds_closes_the_connection() {
    let backend = hello();
    let proxy = start(&backend, "accept", "127.0.0.1");
    let mut connection = Client::connect(proxy.address());
    connection.send("PROXY TCP4 ");
    assert!(connection.is_closed());
    assert_told(&proxy, "no PROXY protocol: the header took too long");
}
