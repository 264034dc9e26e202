use http::HeaderMap;
use proptest::prelude::*;

use super::super::client_ip;
use super::*;

const PEER: &str = "203.0.113.9";

/// A request of an untrusted peer over plain HTTP, to a listener on port 8080.
fn facts() -> Facts<'static> {
    let peer = PEER.parse().expect("an address");
    Facts {
        peer,
        peer_is_trusted: false,
        client: peer,
        scheme: Scheme::Http,
        host: "Example.com:8443",
        port: 8080,
    }
}

/// The same through a trusted proxy that serves the client 6.6.6.6.
fn facts_behind_a_proxy() -> Facts<'static> {
    Facts {
        peer: "10.0.0.1".parse().expect("an address"),
        peer_is_trusted: true,
        client: "6.6.6.6".parse().expect("an address"),
        ..facts()
    }
}

fn request(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, value.parse().expect("a value"));
    }
    headers
}

/// All values of a header after `apply`, each as text.
fn sent(policy: &Policy, facts: &Facts<'_>, lines: &[(&str, &str)], name: &str) -> Vec<String> {
    let mut headers = request(lines);
    apply(policy, facts, &mut headers);
    let text = |value: &HeaderValue| value.to_str().expect("text").to_owned();
    headers.get_all(name).iter().map(text).collect()
}

fn sent_by_default(lines: &[(&str, &str)], name: &str) -> Vec<String> {
    sent(&Policy::default(), &facts(), lines, name)
}

const ALL_OFF: Policy = Policy {
    x_forwarded_for: XForwardedFor::Off,
    x_forwarded_proto: false,
    x_forwarded_host: false,
    x_forwarded_port: false,
    x_real_ip: false,
    rfc7239: false,
    host: HostHeader::Preserve,
};

const WITH_FORWARDED: Policy = Policy {
    rfc7239: true,
    ..ALL_OFF
};

const FORGED: [(&str, &str); 7] = [
    ("X-Real-IP", "6.6.6.6"),
    ("X-Forwarded-For", "6.6.6.6"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "666"),
    ("Forwarded", "for=6.6.6.6"),
    ("X-Forwarded-Proto", "https"),
];

#[test]
fn a_backend_is_sent_the_five_headers_without_being_asked() {
    let mut headers = request(&[("Host", "Example.com:8443")]);
    apply(&Policy::default(), &facts(), &mut headers);
    let expected = request(&[
        ("Host", "Example.com:8443"),
        ("X-Forwarded-For", PEER),
        ("X-Real-IP", PEER),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "Example.com:8443"),
        ("X-Forwarded-Port", "8080"),
    ]);
    assert_eq!(headers, expected);
}

#[test]
fn a_spoofed_x_real_ip_is_overwritten() {
    assert_eq!(sent_by_default(&FORGED, "X-Real-IP"), [PEER]);
}

#[test]
fn a_spoofed_x_forwarded_for_gets_the_true_peer_behind_it() {
    assert_eq!(
        sent_by_default(&FORGED, "X-Forwarded-For"),
        ["6.6.6.6, 203.0.113.9"]
    );
}

#[test]
fn spoofed_proto_host_and_port_are_overwritten() {
    assert_eq!(sent_by_default(&FORGED, "X-Forwarded-Proto"), ["http"]);
    assert_eq!(
        sent_by_default(&FORGED, "X-Forwarded-Host"),
        ["Example.com:8443"]
    );
    assert_eq!(sent_by_default(&FORGED, "X-Forwarded-Port"), ["8080"]);
}

#[test]
fn a_spoofed_forwarded_is_removed_when_it_is_not_ours_to_write() {
    assert!(sent_by_default(&FORGED, "Forwarded").is_empty());
}

#[test]
fn several_x_forwarded_for_lines_go_out_as_one_in_their_order() {
    let lines = [
        ("X-Forwarded-For", "1.1.1.1"),
        ("X-Forwarded-For", " "),
        ("X-Forwarded-For", "2.2.2.2, 3.3.3.3"),
    ];
    assert_eq!(
        sent_by_default(&lines, "X-Forwarded-For"),
        ["1.1.1.1, 2.2.2.2, 3.3.3.3, 203.0.113.9"]
    );
}

#[test]
fn a_trusted_peer_keeps_its_proto_host_and_port() {
    let facts = facts_behind_a_proxy();
    let kept = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.example"),
        ("X-Forwarded-Port", "443"),
    ];
    for (name, value) in kept {
        assert_eq!(sent(&Policy::default(), &facts, &kept, name), [value]);
    }
}

#[test]
fn what_a_trusted_peer_left_out_or_empty_is_filled_in() {
    let facts = facts_behind_a_proxy();
    for lines in [&[][..], &[("X-Forwarded-Proto", "")]] {
        assert_eq!(
            sent(&Policy::default(), &facts, lines, "X-Forwarded-Proto"),
            ["http"]
        );
    }
}

#[test]
fn behind_a_trusted_peer_x_real_ip_is_the_client_and_the_peer_is_appended() {
    let facts = facts_behind_a_proxy();
    let lines = [("X-Real-IP", "9.9.9.9"), ("X-Forwarded-For", "6.6.6.6")];
    assert_eq!(
        sent(&Policy::default(), &facts, &lines, "X-Real-IP"),
        ["6.6.6.6"]
    );
    assert_eq!(
        sent(&Policy::default(), &facts, &lines, "X-Forwarded-For"),
        ["6.6.6.6, 10.0.0.1"]
    );
}

#[test]
fn replace_sends_the_client_alone() {
    let policy = Policy {
        x_forwarded_for: XForwardedFor::Replace,
        ..Policy::default()
    };
    assert_eq!(sent(&policy, &facts(), &FORGED, "X-Forwarded-For"), [PEER]);
    assert_eq!(
        sent(&policy, &facts_behind_a_proxy(), &FORGED, "X-Forwarded-For"),
        ["6.6.6.6"]
    );
}

#[test]
fn a_header_that_is_off_cannot_be_spoofed() {
    let mut headers = request(&FORGED);
    apply(&ALL_OFF, &facts(), &mut headers);
    assert_eq!(headers, HeaderMap::new());
}

#[test]
fn a_header_that_is_off_passes_from_a_trusted_peer() {
    let mut headers = request(&FORGED);
    apply(&ALL_OFF, &facts_behind_a_proxy(), &mut headers);
    assert_eq!(headers, request(&FORGED));
}

#[test]
fn names_that_read_as_ours_with_underscores_are_removed_even_from_a_trusted_peer() {
    let lines = [
        ("X_Real_IP", "6.6.6.6"),
        ("x-forwarded_for", "6.6.6.6"),
        ("X_Other", "kept"),
        ("x_real_ips", "kept"),
    ];
    for facts in [facts(), facts_behind_a_proxy()] {
        let mut headers = request(&lines);
        apply(&ALL_OFF, &facts, &mut headers);
        assert_eq!(headers, request(&lines[2..]));
    }
}

#[test]
fn an_ipv4_mapped_peer_is_written_as_ipv4() {
    let facts = Facts {
        peer: "::ffff:203.0.113.9".parse().expect("an address"),
        ..facts()
    };
    let policy = Policy {
        rfc7239: true,
        ..Policy::default()
    };
    assert_eq!(sent(&policy, &facts, &[], "X-Real-IP"), [PEER]);
    assert_eq!(sent(&policy, &facts, &[], "X-Forwarded-For"), [PEER]);
    assert_eq!(
        sent(&policy, &facts, &[], "Forwarded"),
        [r#"for=203.0.113.9;host="Example.com:8443";proto=http"#]
    );
}

#[test]
fn the_longest_ipv6_address_fits() {
    let text = "1111:2222:3333:4444:5555:6666:7777:8888";
    let facts = Facts {
        peer: text.parse().expect("an address"),
        ..facts()
    };
    assert_eq!(sent(&Policy::default(), &facts, &[], "X-Real-IP"), [text]);
}

#[test]
fn a_request_without_a_usable_host_sends_none_and_keeps_no_forged_one() {
    for host in ["", "a\nb"] {
        let facts = Facts { host, ..facts() };
        assert!(sent(&Policy::default(), &facts, &FORGED, "X-Forwarded-Host").is_empty());
        assert_eq!(
            sent(&WITH_FORWARDED, &facts, &[], "Forwarded"),
            ["for=203.0.113.9;proto=http"]
        );
    }
}

#[test]
fn https_is_said_where_the_client_came_over_tls() {
    let facts = Facts {
        scheme: Scheme::Https,
        ..facts()
    };
    assert_eq!(
        sent(&Policy::default(), &facts, &[], "X-Forwarded-Proto"),
        ["https"]
    );
}

#[test]
fn forwarded_quotes_what_is_no_token() {
    let facts = Facts {
        peer: "2001:db8::1".parse().expect("an address"),
        host: r#"a"\b"#,
        ..facts()
    };
    assert_eq!(
        sent(&WITH_FORWARDED, &facts, &[], "Forwarded"),
        [r#"for="[2001:db8::1]";host="a\"\\b";proto=http"#]
    );
}

#[test]
fn forwarded_leaves_a_plain_host_unquoted() {
    let facts = Facts {
        host: "example.com",
        ..facts()
    };
    assert_eq!(
        sent(&WITH_FORWARDED, &facts, &[], "Forwarded"),
        ["for=203.0.113.9;host=example.com;proto=http"]
    );
}

#[test]
fn a_readable_forwarded_is_extended_as_one_line() {
    let facts = Facts {
        host: "a",
        ..facts()
    };
    let lines = [
        ("Forwarded", "for=6.6.6.6"),
        ("Forwarded", r#"for="[::1]:80""#),
    ];
    assert_eq!(
        sent(&WITH_FORWARDED, &facts, &lines, "Forwarded"),
        [r#"for=6.6.6.6, for="[::1]:80", for=203.0.113.9;host=a;proto=http"#]
    );
}

#[test]
fn an_unreadable_forwarded_is_dropped_and_not_extended() {
    let facts = Facts {
        host: "a",
        ..facts()
    };
    let lines = [
        ("Forwarded", "for=6.6.6.6"),
        ("Forwarded", r#"for="6.6.6.6"#),
    ];
    assert_eq!(
        sent(&WITH_FORWARDED, &facts, &lines, "Forwarded"),
        ["for=203.0.113.9;host=a;proto=http"]
    );
}

fn forged_names() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "x-real-ip",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "forwarded",
        "x_real_ip",
        "x-forwarded_for",
        "accept",
        "cookie",
    ])
}

/// Any bytes that a header value may hold, and, more often, what an attacker would write.
fn forged_values() -> impl Strategy<Value = HeaderValue> {
    let bytes = prop_oneof![
        "[0-9a-f.,:;= \"\\\\]{0,20}".prop_map(String::into_bytes),
        "for=(6\\.6\\.6\\.6|\"?x)".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    bytes.prop_filter_map("no header value", |bytes| {
        HeaderValue::from_bytes(&bytes).ok()
    })
}

fn forged_requests() -> impl Strategy<Value = HeaderMap> {
    prop::collection::vec((forged_names(), forged_values()), 0..12).prop_map(|lines| {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value);
        }
        headers
    })
}

fn policies() -> impl Strategy<Value = Policy> {
    let x_forwarded_for = prop::sample::select(vec![
        XForwardedFor::Append,
        XForwardedFor::Replace,
        XForwardedFor::Off,
    ]);
    (x_forwarded_for, any::<[bool; 5]>()).prop_map(
        |(x_forwarded_for, [proto, host, port, real_ip, rfc7239])| Policy {
            x_forwarded_for,
            x_forwarded_proto: proto,
            x_forwarded_host: host,
            x_forwarded_port: port,
            x_real_ip: real_ip,
            rfc7239,
            host: HostHeader::Preserve,
        },
    )
}

/// The one value of a header; none when there is no line or more than one.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    lines.next().is_none().then_some(first.as_bytes())
}

proptest! {
    #[test]
    fn no_forged_request_of_an_untrusted_peer_deceives_a_backend(mut headers in forged_requests(), peer: IpAddr, claimed: IpAddr) {
        let facts = Facts { peer, client: claimed, ..facts() };
        apply(&Policy::default(), &facts, &mut headers);
        let peer = peer.to_canonical().to_string();
        prop_assert_eq!(only(&headers, "x-real-ip"), Some(peer.as_bytes()));
        prop_assert_eq!(only(&headers, "x-forwarded-proto"), Some(&b"http"[..]));
        prop_assert_eq!(only(&headers, "x-forwarded-host"), Some(facts.host.as_bytes()));
        prop_assert_eq!(only(&headers, "x-forwarded-port"), Some(&b"8080"[..]));
        let list = only(&headers, "x-forwarded-for").expect("one line");
        let last = list.rsplit(|byte| *byte == b',').next().map(<[u8]>::trim_ascii);
        prop_assert_eq!(last, Some(peer.as_bytes()));
        prop_assert!(!headers.contains_key("forwarded"));
        prop_assert!(!headers.keys().any(is_lookalike));
    }

    #[test]
    fn the_last_forwarded_element_is_ours_whatever_stood_before(mut headers in forged_requests()) {
        let facts = Facts { host: "a", ..facts() };
        apply(&WITH_FORWARDED, &facts, &mut headers);
        let line = only(&headers, "forwarded").expect("one line");
        prop_assert!(rfc7239::is_well_formed(line));
        prop_assert_eq!(rfc7239::elements_from_right(line).next(), Some(&b"for=203.0.113.9;host=a;proto=http"[..]));
    }

    #[test]
    fn a_backend_that_trusts_us_finds_the_client(forged in forged_requests(), client: IpAddr, rfc7239: bool) {
        let us: IpAddr = "192.0.2.77".parse().expect("an address");
        let trusted = client_ip::TrustedProxies::new(vec![us.into()]);
        prop_assume!(!trusted.contains(client));
        let mut headers = forged;
        let facts = Facts { peer: client, client, ..facts() };
        let policy = if rfc7239 { WITH_FORWARDED } else { Policy::default() };
        apply(&policy, &facts, &mut headers);
        let lines = |name: &HeaderName| headers.get_all(name).iter().map(HeaderValue::as_bytes);
        let found = client_ip::find(us, lines(&X_FORWARDED_FOR.name), lines(&FORWARDED.name), &trusted);
        prop_assert_eq!(found, client.to_canonical());
    }

    #[test]
    fn headers_of_others_are_never_touched(forged in forged_requests(), policy in policies(), trusted: bool) {
        let mut headers = forged.clone();
        apply(&policy, &Facts { peer_is_trusted: trusted, ..facts() }, &mut headers);
        for name in ["accept", "cookie"] {
            prop_assert!(forged.get_all(name).iter().eq(headers.get_all(name).iter()));
        }
    }

    #[test]
    fn no_policy_lets_an_untrusted_peer_write_a_line_alone(forged in forged_requests(), policy in policies()) {
        let mut of_nobody = HeaderMap::new();
        apply(&policy, &facts(), &mut of_nobody);
        let mut headers = forged;
        apply(&policy, &facts(), &mut headers);
        for field in FIELDS {
            let appended = [X_FORWARDED_FOR, FORWARDED].contains(&field);
            let (ours, theirs) = (of_nobody.get(&field.name), headers.get(&field.name));
            prop_assert_eq!(theirs.is_some(), ours.is_some());
            prop_assert!(headers.get_all(&field.name).iter().count() <= 1);
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                let same = if appended { theirs.as_bytes().ends_with(ours.as_bytes()) } else { theirs == ours };
                prop_assert!(same, "{}", field.written);
            }
        }
    }
}
