use proptest::prelude::*;

use super::*;

#[test]
fn a_name_with_a_port_is_read_in_its_own_case() {
    let authority = Authority::parse("Example.COM:8080").expect("a good authority");
    assert_eq!(authority.host, Host::Name("Example.COM"));
    assert_eq!(authority.port, Some(8080));
}

#[test]
fn an_ipv6_literal_keeps_its_colons_out_of_the_port() {
    let loopback = Host::V6(Ipv6Addr::LOCALHOST);
    let with_port = Authority::parse("[::1]:80");
    assert_eq!(
        with_port.map(|it| (it.host, it.port)),
        Ok((loopback, Some(80)))
    );
    let without = Authority::parse("[::1]");
    assert_eq!(without.map(|it| (it.host, it.port)), Ok((loopback, None)));
}

#[test]
fn an_ipv4_address_is_an_address_and_not_a_name() {
    let authority = Authority::parse("192.0.2.1:80").map(|it| it.host);
    assert_eq!(authority, Ok(Host::V4(Ipv4Addr::new(192, 0, 2, 1))));
}

#[test]
fn a_colon_without_a_port_means_no_port() {
    assert_eq!(Authority::parse("example.com:").map(|it| it.port), Ok(None));
}

#[test]
fn what_is_no_authority_is_refused_by_its_own_name() {
    use AuthorityError::*;
    let refused = [
        ("", EmptyHost),
        (":80", EmptyHost),
        ("user@example.com", UserInfo),
        ("user:secret@example.com:80", UserInfo),
        (" example.com", BadHost(0)),
        ("exam ple.com", BadHost(4)),
        ("example.com ", BadHost(11)),
        ("example.com/x", BadHost(11)),
        ("exämple.com", BadHost(2)),
        ("a%2", BadHost(1)),
        ("a%zz", BadHost(1)),
        ("a\0b", BadHost(1)),
        ("[::1", BadIpv6),
        ("[192.0.2.1]", BadIpv6),
        ("[fe80::1%25eth0]", BadIpv6),
        ("[v1.x]", BadIpv6),
        ("[::1]x", BadPort),
        ("::1", BadPort),
        ("a:80:80", BadPort),
        ("a:+80", BadPort),
        ("a:65536", BadPort),
        ("a:80 ", BadPort),
    ];
    for (text, why) in refused {
        assert_eq!(Authority::parse(text), Err(why), "{text:?}");
    }
}

#[test]
fn matching_looks_past_case_port_and_one_trailing_dot() {
    let same = [
        ("example.com", "example.com"),
        ("Example.COM.:8080", "example.com"),
        ("example.com..", "example.com."),
        ("[2001:DB8::1]:443", "[2001:db8::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ];
    for (sent, compared) in same {
        assert_eq!(host_for_matching(sent), compared, "{sent:?}");
    }
}

#[test]
fn a_lower_case_host_is_compared_without_a_copy() {
    assert!(matches!(
        host_for_matching("example.com.:80"),
        Cow::Borrowed(_)
    ));
}

fn hosts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9._~!$&'()*+,;=-]{1,20}",
        "([a-z]|%[0-9a-fA-F]{2}){1,8}",
        any::<Ipv4Addr>().prop_map(|address| address.to_string()),
        any::<Ipv6Addr>().prop_map(|address| format!("[{address}]")),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(host in hosts(), port in any::<Option<u16>>()) {
        let text = match port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        let authority = Authority::parse(&text).expect("a good authority");
        prop_assert_eq!(authority.port, port);
        prop_assert_eq!(authority.to_string(), text);
    }

    #[test]
    fn any_text_is_answered_and_what_is_accepted_survives_printing(text in "\\PC{0,12}|\\[::[0-9a-f]{0,5}\\](:[0-9]{0,6})?|[\\[\\]:@%0-9a-fA-F.]{0,24}") {
        if let Ok(authority) = Authority::parse(&text) {
            let printed = authority.to_string();
            prop_assert_eq!(Authority::parse(&printed), Ok(authority));
        }
    }

    #[test]
    fn the_host_for_matching_does_not_depend_on_case_or_port(name in "[a-zA-Z0-9-]{1,9}(\\.[a-zA-Z0-9-]{1,9}){0,3}", port in any::<u16>()) {
        let plain = name.to_ascii_lowercase();
        prop_assert_eq!(host_for_matching(&name), &*plain);
        let with_port = format!("{name}:{port}");
        prop_assert_eq!(host_for_matching(&with_port), &*plain);
        prop_assert_eq!(host_for_matching(&plain), &*plain);
    }
}
