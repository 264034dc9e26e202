//! One client may have so many connections and no more (`listeners[].limits.connections_per_client`).

use std::net::{IpAddr, Ipv4Addr};

use crate::support::{Authority, Client, Http2Client, Proxy, TlsClient, eventually, request};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// One that answers itself, with these keys of its listener.
fn answering(listener: &str) -> Proxy {
    Proxy::start(&format!(
        "listeners:\n  - address: 127.0.0.1:0\n    {listener}\nroutes:\n  - respond: {{ status: 200, body: fine }}\n"
    ))
}

/// A connection that is served.
fn served(proxy: &Proxy) -> Client {
    let mut client = Client::connect(proxy.address());
    assert_eq!(client.ask(GET).text(), "fine");
    client
}

fn is_refused(mut client: Client) -> bool {
    client.try_send(GET.as_bytes());
    client.is_closed()
}

/// A connection that is served, when those that were closed are seen to be.
fn served_in_time(proxy: &Proxy) -> Client {
    let mut served = None;
    eventually("there is room again", || {
        let mut client = Client::connect(proxy.address());
        client.try_send(GET.as_bytes());
        if client.try_answer().is_ok() {
            served = Some(client);
        }
        served.is_some()
    });
    served.unwrap()
}

fn told(proxy: &Proxy) -> usize {
    let lines = proxy.stderr.all();
    let told = lines
        .iter()
        .filter(|line| line.contains("limits.connections_per_client"));
    told.count()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs 127.0.0.2")]
fn a_client_has_no_more_connections_than_it_may_while_another_gets_in() {
    let proxy = answering("limits: { connections_per_client: 2 }");
    let mut own = [(); 2].map(|()| served(&proxy));
    for _ in 0..5 {
        assert!(is_refused(Client::connect(proxy.address())));
    }
    let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let mut others = [(); 2].map(|()| Client::connect_from(other, proxy.address()));
    for client in own.iter_mut().chain(&mut others) {
        assert_eq!(client.ask(GET).text(), "fine");
    }
    assert!(is_refused(Client::connect_from(other, proxy.address())));
    let line =
        "127.0.0.1: closed: it has as many connections as limits.connections_per_client lets it";
    proxy
        .stderr
        .find(line, |said| said.contains(line).then_some(()));
    assert!(told(&proxy) <= 2);
}

#[test]
fn a_client_that_closes_a_connection_may_have_another() {
    let proxy = answering("limits: { connections_per_client: 1 }");
    for _ in 0..3 {
        let _client = served_in_time(&proxy);
        assert!(is_refused(Client::connect(proxy.address())));
    }
}

#[test]
fn a_connection_of_http2_counts_once_whatever_is_on_it() {
    let proxy = answering("limits: { connections_per_client: 1 }");
    let mut client = Http2Client::connect(proxy.address());
    let both = [(); 2].map(|()| client.send(request("GET", "/")));
    for exchange in both {
        assert_eq!(exchange.answer().text(), "fine");
    }
    assert!(is_refused(Client::connect(proxy.address())));
    drop(client);
    served_in_time(&proxy);
}

#[test]
fn a_client_that_has_too_many_is_closed_before_tls() {
    let authority = Authority::new("ours");
    let certificate = authority.issue(&["a.test"]);
    let tls = "tls: { certificates: [{ cert: cert.pem, key: key.pem }] }\n    limits: { connections_per_client: 1 }";
    let file = format!(
        "listeners:\n  - address: 127.0.0.1:0\n    {tls}\nroutes:\n  - respond: {{ status: 200, body: fine }}\n"
    );
    let proxy = Proxy::start_with(&file, |command| {
        let folder = command.get_current_dir().unwrap();
        std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), certificate.key_pem()).unwrap();
    });
    let clients = TlsClient::new(&authority);
    let (mut first, _) = clients.connect(proxy.address(), "a.test");
    assert_eq!(first.ask(GET).text(), "fine");
    // It says nothing, and so no handshake has failed.
    assert!(Client::connect(proxy.address()).is_closed());
}

#[test]
fn a_client_is_whom_a_proxy_in_front_introduces_and_that_proxy_is_none() {
    let proxy = Proxy::start(
        "trusted_proxies: [127.0.0.1]\nlisteners:\n  - address: 127.0.0.1:0\n    proxy_protocol: accept\n    \
         limits: { connections_per_client: 1 }\nroutes:\n  - respond: { status: 200, body: fine }\n",
    );
    let introduced = |client: &str| {
        let mut connection = Client::connect(proxy.address());
        connection.send(format!("PROXY TCP6 {client} 2001:db8:9::1 56324 443\r\n"));
        connection
    };
    let mut first = introduced("2001:db8:0:1::1");
    assert_eq!(first.ask(GET).text(), "fine");
    // All addresses of one /64 are one client's.
    assert!(is_refused(introduced("2001:db8:0:1:ffff::2")));
    assert_eq!(introduced("2001:db8:0:2::1").ask(GET).text(), "fine");
    let _several = [(); 3].map(|()| served(&proxy));
}

#[test]
fn a_limit_that_is_raised_holds_for_clients_who_are_there() {
    let file = |most: u32| {
        format!(
            "listeners:\n  - address: 127.0.0.1:0\n    limits: {{ connections_per_client: {most} }}\n\
             routes:\n  - respond: {{ status: 200, body: fine }}\n"
        )
    };
    let proxy = Proxy::start(&file(1));
    let _first = served(&proxy);
    assert!(is_refused(Client::connect(proxy.address())));
    proxy.reload(&file(2));
    let _second = served(&proxy);
    assert!(is_refused(Client::connect(proxy.address())));
}
