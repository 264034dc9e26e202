use http::HeaderMap;

use super::*;

mod laws;

const PEER: &str = "203.0.113.9";

/// A request of an untrusted peer over plain HTTP, to a listener on port 8080.
fn facts() -> Facts<'static> {
    let peer = PEER.parse().ok();
    Facts {
        peer,
        peer_is_trusted: false,
        client: peer,
        scheme: Scheme::Http,
        host: "Example.com:8443",
        port: Some(8080),
    }
}

/// The same through a trusted proxy that serves the client 6.6.6.6.
fn facts_behind_a_proxy() -> Facts<'static> {
    Facts {
        peer: "10.0.0.1".parse().ok(),
        peer_is_trusted: true,
        client: "6.6.6.6".parse().ok(),
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
        peer: "::ffff:203.0.113.9".parse().ok(),
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
        peer: text.parse().ok(),
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
        peer: "2001:db8::1".parse().ok(),
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
