//! Names as addresses of backends: looked up at the start and again while running, at a DNS server of the test.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hickory_proto::op::ResponseCode;

use crate::support::{Client, DnsServer, HelloBackend, Mood, Proxy, eventually};

pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// A proxy in front of these entries, which asks this server. Without retries between them, a wrong address would be seen.
pub(crate) fn proxy(dns: &DnsServer, backends: &str) -> Proxy {
    Proxy::start(&configuration(&dns.address().to_string(), backends))
}

fn configuration(servers: &str, backends: &str) -> String {
    format!(
        "resolver: {{ servers: [{servers}] }}
listeners:
  - address: 127.0.0.1:0
upstreams:
  hello:
    backends: [{backends}]
routes:
  - upstream: hello
"
    )
}

/// Who answers so many requests.
pub(crate) fn answers(proxy: &Proxy, requests: usize) -> BTreeMap<String, usize> {
    let mut client = Client::connect(proxy.address());
    let mut answers = BTreeMap::new();
    for _ in 0..requests {
        *answers.entry(client.ask(GET).hostname()).or_default() += 1;
    }
    answers
}

pub(crate) fn counts<const N: usize>(expected: [(&str, usize); N]) -> BTreeMap<String, usize> {
    expected
        .map(|(name, count)| (name.to_owned(), count))
        .into()
}

/// Waits for the line of the log that ends like this.
pub(crate) fn wait_for_line(proxy: &Proxy, end: &str) {
    proxy
        .stderr
        .find(end, |line| line.ends_with(end).then_some(()));
}

pub(crate) fn lines_with(proxy: &Proxy, text: &str) -> usize {
    let lines = proxy.stderr.all();
    lines.iter().filter(|line| line.contains(text)).count()
}

/// The same port at several addresses of this machine. Only Linux has more of them than one without being asked.
pub(crate) fn hellos_on_one_port<const N: usize>(
    places: [(&str, &str); N],
) -> (u16, [HelloBackend; N]) {
    let at = |ip: &str, port| SocketAddr::new(ip.parse().unwrap(), port);
    let free_port = || {
        let first = std::net::TcpListener::bind(at(places[0].1, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let others = &places[1..];
        let is_free = |(_, ip): &(&str, &str)| std::net::TcpListener::bind(at(ip, port)).is_ok();
        others.iter().all(is_free).then_some(port)
    };
    let port = std::iter::repeat_with(free_port)
        .take(100)
        .flatten()
        .next()
        .unwrap();
    let start = |(name, ip)| {
        HelloBackend::start_with(hello::Options::default().name(name).address(at(ip, port)))
    };
    (port, places.map(start))
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs 127.0.0.2")]
fn the_addresses_of_a_name_take_turns() {
    let (port, _hellos) = hellos_on_one_port([
        ("one", "127.0.0.2"),
        ("two", "127.0.0.3"),
        ("three", "127.0.0.4"),
    ]);
    let dns = DnsServer::start();
    dns.set_addresses("app.test", 60, &["127.0.0.4", "127.0.0.2", "127.0.0.3"]);
    let proxy = proxy(&dns, &format!("app.test:{port}"));
    assert_eq!(
        answers(&proxy, 9),
        counts([("one", 3), ("two", 3), ("three", 3)])
    );
    wait_for_line(
        &proxy,
        &format!(
            "upstream hello: app.test:{port} resolves to 127.0.0.2:{port}, 127.0.0.3:{port}, 127.0.0.4:{port}"
        ),
    );
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "needs 127.0.0.2")]
fn each_address_of_a_name_has_the_weight_of_its_entry() {
    let (port, _hellos) = hellos_on_one_port([
        ("one", "127.0.0.2"),
        ("two", "127.0.0.3"),
        ("other", "127.0.0.4"),
    ]);
    let dns = DnsServer::start();
    dns.set_addresses("app.test", 60, &["127.0.0.2", "127.0.0.3"]);
    dns.set_addresses("other.test", 60, &["127.0.0.4"]);
    let proxy = proxy(
        &dns,
        &format!("{{ address: app.test:{port}, weight: 3 }}, other.test:{port}"),
    );
    assert_eq!(
        answers(&proxy, 14),
        counts([("one", 6), ("two", 6), ("other", 2)])
    );
}

#[test]
fn a_name_that_is_unknown_at_the_start_is_a_warning_and_serves_once_it_resolves() {
    let hello = HelloBackend::start("app1");
    let port = hello.address().port();
    let dns = DnsServer::start();
    let proxy = proxy(&dns, &format!("app.test:{port}"));
    let answer = proxy.get("/");
    assert_eq!(answer.status, 503);
    wait_for_line(
        &proxy,
        &format!(
            "upstream hello: cannot resolve app.test:{port}: there is no such name (NXDOMAIN); \
             it gets no requests until it resolves"
        ),
    );
    dns.set_addresses("app.test", 1, &["127.0.0.1"]);
    eventually("it serves", || proxy.get("/").status == 200);
    wait_for_line(
        &proxy,
        &format!("app.test:{port} resolves to 127.0.0.1:{port}"),
    );
}

#[test]
fn a_dns_server_that_is_silent_does_not_keep_the_program_from_starting() {
    let hello = HelloBackend::start("app1");
    let dns = DnsServer::start();
    dns.is(Mood::Silent);
    let proxy = proxy(&dns, &format!("app.test:{0}, {1}", 80, hello.address()));
    assert_eq!(answers(&proxy, 2), counts([("app1", 2)]));
    wait_for_line(
        &proxy,
        &format!(
            "cannot resolve app.test:80: {} does not answer; it gets no requests until it resolves",
            dns.address()
        ),
    );
}

#[test]
fn a_name_that_stops_to_resolve_keeps_its_last_good_addresses_and_says_so_once() {
    let moods = [
        (Mood::Silent, "does not answer"),
        (
            Mood::Says(ResponseCode::NXDomain),
            "there is no such name (NXDOMAIN)",
        ),
        (Mood::Says(ResponseCode::NoError), "it has no address"),
        (
            Mood::Says(ResponseCode::ServFail),
            "could not find out (SERVFAIL)",
        ),
        (
            Mood::Says(ResponseCode::Refused),
            "refuses to say (REFUSED)",
        ),
    ];
    let stops = |(mood, reason)| move || assert_keeps_its_addresses(mood, reason);
    std::thread::scope(|scope| {
        for mood in moods {
            scope.spawn(stops(mood));
        }
    });
}

fn assert_keeps_its_addresses(mood: Mood, reason: &str) {
    let hello = HelloBackend::start("app1");
    let port = hello.address().port();
    let dns = DnsServer::start();
    dns.set_addresses("app.test", 1, &["127.0.0.1"]);
    let proxy = proxy(&dns, &format!("app.test:{port}"));
    dns.is(mood);
    wait_for_line(
        &proxy,
        &format!("{reason}; its last good addresses stay in use"),
    );
    dns.wait_for_questions("app.test", 4);
    assert_eq!(answers(&proxy, 2), counts([("app1", 2)]));
    assert_eq!(lines_with(&proxy, "cannot resolve"), 1);
    dns.is_well();
    wait_for_line(
        &proxy,
        &format!("upstream hello: app.test:{port} resolves again"),
    );
    assert_eq!(lines_with(&proxy, "has changed"), 0);
}

/// A name from this machine's hosts file, and its addresses there; not `localhost`, which needs no file, if there is another.
fn name_in_the_hosts_file() -> (String, Vec<String>) {
    let text = std::fs::read_to_string("/etc/hosts").unwrap();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('#').next().unwrap().split_whitespace().collect())
        .filter(|words: &Vec<_>| words.len() > 1 && !words[0].contains(':'))
        .collect();
    let names = lines.iter().flat_map(|words| &words[1..]);
    let name = *names
        .max_by_key(|name| !name.starts_with("localhost"))
        .unwrap();
    let mut addresses: Vec<_> = lines
        .iter()
        .filter(|words| words[1..].contains(&name))
        .map(|words| words[0].to_owned())
        .collect();
    addresses.sort();
    (name.to_owned(), addresses)
}

#[test]
fn a_name_in_the_hosts_file_is_not_asked_for_in_the_dns() {
    let (name, addresses) = name_in_the_hosts_file();
    let dns = DnsServer::start();
    dns.set_addresses(&name, 60, &["192.0.2.1"]);
    let proxy = proxy(&dns, &format!("{name}:8000"));
    let line = format!("{name}:8000 resolves to {}:8000", addresses[0]);
    proxy
        .stderr
        .find(&line, |found| found.contains(&line).then_some(()));
    assert_eq!(dns.asked_for(&name), 0);
}

#[test]
fn localhost_is_this_machine() {
    let hello = HelloBackend::start("app1");
    let dns = DnsServer::start();
    let proxy = proxy(&dns, &format!("localhost:{}", hello.address().port()));
    assert_eq!(answers(&proxy, 2), counts([("app1", 2)]));
    assert_eq!(dns.asked_for("localhost"), 0);
}

#[test]
fn a_name_that_is_an_alias_has_the_addresses_of_what_it_stands_for() {
    let hello = HelloBackend::start("app1");
    let port = hello.address().port();
    let dns = DnsServer::start();
    dns.set_alias("app.test", 60, "app1.backends.test");
    dns.set_addresses("app1.backends.test", 60, &["127.0.0.1"]);
    let proxy = proxy(&dns, &format!("app.test:{port}"));
    assert_eq!(answers(&proxy, 2), counts([("app1", 2)]));
}

/// Needs IPv6 on this machine's loopback.
#[test]
fn the_ipv6_addresses_of_a_name_are_backends_as_well() {
    let at = |address: &str| address.parse::<SocketAddr>().unwrap();
    let options = hello::Options::default().name("v6").address(at("[::1]:0"));
    let v6 = HelloBackend::start_with(options);
    let port = v6.address().port();
    let dns = DnsServer::start();
    dns.set_addresses("app.test", 60, &["::1"]);
    let proxy = proxy(&dns, &format!("app.test:{port}"));
    assert_eq!(answers(&proxy, 2), counts([("v6", 2)]));
}

#[test]
fn a_dns_server_that_never_answers_about_ipv6_is_good_enough_for_ipv4() {
    let hello = HelloBackend::start("app1");
    let port = hello.address().port();
    let dns = DnsServer::start();
    dns.is(Mood::SilentAboutIpv6);
    dns.set_addresses("app.test", 1, &["127.0.0.1"]);
    let proxy = proxy(&dns, &format!("app.test:{port}"));
    assert_eq!(answers(&proxy, 2), counts([("app1", 2)]));
    dns.wait_for_questions("app.test", 8);
    assert_eq!(lines_with(&proxy, "cannot resolve"), 0);
}

#[test]
fn the_next_dns_server_is_asked_when_one_is_silent_or_does_not_say() {
    let hello = HelloBackend::start("app1");
    let port = hello.address().port();
    for mood in [
        Mood::Silent,
        Mood::Says(ResponseCode::Refused),
        Mood::Says(ResponseCode::ServFail),
    ] {
        let (first, second) = (DnsServer::start(), DnsServer::start());
        first.is(mood);
        second.set_addresses("app.test", 60, &["127.0.0.1"]);
        let servers = format!("{}, {}", first.address(), second.address());
        let proxy = Proxy::start(&configuration(&servers, &format!("app.test:{port}")));
        assert_eq!(answers(&proxy, 2), counts([("app1", 2)]));
        assert!(first.asked_for("app.test") > 0);
        assert_eq!(lines_with(&proxy, "cannot resolve"), 0);
    }
}

#[test]
fn where_dns_servers_differ_the_first_one_is_believed() {
    let hello = HelloBackend::start("app1");
    let port = hello.address().port();
    let (first, second) = (DnsServer::start(), DnsServer::start());
    first.set_addresses("app.test", 1, &["127.0.0.1"]);
    second.set_addresses("app.test", 1, &["127.0.0.9"]);
    let servers = format!("{}, {}", first.address(), second.address());
    let proxy = Proxy::start(&configuration(&servers, &format!("app.test:{port}")));
    first.wait_for_questions("app.test", 4);
    first.forget("app.test");
    wait_for_line(&proxy, "(NXDOMAIN); its last good addresses stay in use");
    assert_eq!(answers(&proxy, 2), counts([("app1", 2)]));
    assert_eq!(second.asked_for("app.test"), 0);
}
