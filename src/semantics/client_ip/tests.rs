use proptest::prelude::*;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn trusted() -> TrustedProxies {
    let networks = ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"];
    TrustedProxies::new(
        networks
            .map(|text| text.parse().expect("a network"))
            .to_vec(),
    )
}

/// The client as text, for a peer and its X-Forwarded-For and Forwarded lines.
fn found_in_both(peer: &str, x_forwarded_for: &[&str], forwarded: &[&str]) -> String {
    let x_forwarded_for = x_forwarded_for.iter().map(|line| line.as_bytes());
    let forwarded = forwarded.iter().map(|line| line.as_bytes());
    find(Some(address(peer)), x_forwarded_for, forwarded, &trusted())
        .unwrap()
        .to_string()
}

fn found(x_forwarded_for: &[&str]) -> String {
    found_in_both("10.0.0.1", x_forwarded_for, &[])
}

fn found_in_forwarded(forwarded: &[&str]) -> String {
    found_in_both("10.0.0.1", &[], forwarded)
}

#[test]
fn a_peer_that_is_not_trusted_is_the_client_whatever_it_says() {
    let client = found_in_both("203.0.113.9", &["6.6.6.6"], &["for=6.6.6.6"]);
    assert_eq!(client, "203.0.113.9");
}

#[test]
fn nobody_is_trusted_by_default() {
    let nobody = TrustedProxies::default();
    assert!(nobody.is_empty());
    assert!(!nobody.contains(address("127.0.0.1")));
}

#[test]
fn a_trusted_peer_without_lines_is_the_client() {
    assert_eq!(found(&[]), "10.0.0.1");
    assert_eq!(found(&["", " , ,"]), "10.0.0.1");
}

#[test]
fn the_first_hop_from_the_right_that_is_not_trusted_is_the_client() {
    assert_eq!(
        found(&["6.6.6.6, 203.0.113.9, 192.0.2.1, 10.2.3.4"]),
        "203.0.113.9"
    );
}

#[test]
fn several_lines_are_one_list_in_their_order() {
    assert_eq!(
        found(&["6.6.6.6", "203.0.113.9, 10.1.1.1", "10.2.2.2"]),
        "203.0.113.9"
    );
}

#[test]
fn of_a_chain_of_trusted_hops_the_leftmost_is_the_client() {
    assert_eq!(found(&["10.3.3.3, 10.2.2.2", "192.0.2.1"]), "10.3.3.3");
}

#[test]
fn empty_entries_are_passed_over() {
    assert_eq!(
        found(&["6.6.6.6, 203.0.113.9,, ,10.1.1.1,", ""]),
        "203.0.113.9"
    );
}

#[test]
fn an_entry_that_is_no_address_ends_the_walk_at_the_last_good_hop() {
    let holes = [
        "unknown",
        "_hidden",
        "evil",
        "1.2.3",
        "01.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:123456",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[1.2.3.4]",
        "::1:x",
        "fe80::1%eth0",
        "[fe80::1%2]:80",
        "\"6.6.6.6\"",
        "1.2.3.4 5.6.7.8",
    ];
    for hole in holes {
        assert_eq!(
            found(&[&format!("6.6.6.6, {hole}, 10.1.1.1")]),
            "10.1.1.1",
            "{hole}"
        );
        assert_eq!(found(&[&format!("6.6.6.6, {hole}")]), "10.0.0.1", "{hole}");
    }
}

#[test]
fn an_entry_may_carry_a_port() {
    assert_eq!(found(&["1.2.3.4:567"]), "1.2.3.4");
    assert_eq!(found(&["[2001:db8::1]:80"]), "2001:db8::1");
    assert_eq!(found(&["[2001:db8::1]"]), "2001:db8::1");
    assert_eq!(found(&["2001:db8::1"]), "2001:db8::1");
    assert_eq!(
        found(&["203.0.113.9, 10.1.1.1:4711, [fd00::1]:4711"]),
        "203.0.113.9"
    );
}

#[test]
fn an_ipv4_mapped_address_is_the_ipv4_address() {
    assert_eq!(
        found_in_both("::ffff:203.0.113.9", &["6.6.6.6"], &[]),
        "203.0.113.9"
    );
    assert_eq!(
        found_in_both("::ffff:10.0.0.1", &["203.0.113.9, ::ffff:10.1.1.1"], &[]),
        "203.0.113.9"
    );
    assert_eq!(found(&["[::ffff:203.0.113.9]:80"]), "203.0.113.9");
}

#[test]
fn a_network_of_ipv4_mapped_addresses_trusts_ipv4() {
    let mapped = TrustedProxies::new(vec!["::ffff:10.0.0.0/104".parse().expect("a network")]);
    assert!(mapped.contains(address("10.9.9.9")));
    assert!(mapped.contains(address("::ffff:10.9.9.9")));
    assert!(!mapped.contains(address("11.0.0.1")));
}

#[test]
fn all_of_ipv6_does_not_include_ipv4() {
    let ipv6 = TrustedProxies::new(vec!["::/0".parse().expect("a network")]);
    assert!(ipv6.contains(address("2001:db8::1")));
    assert!(!ipv6.contains(address("10.0.0.1")));
}

#[test]
fn of_a_thousand_trusted_entries_only_the_bound_is_looked_at() {
    let hop = |n: usize| format!("10.1.{}.{}", n / 256, n % 256);
    let list: Vec<String> = (0..1000).rev().map(hop).collect();
    assert_eq!(found(&[&list.join(", ")]), hop(MAX_ENTRIES - 1));
    let lines: Vec<&str> = list.iter().map(String::as_str).collect();
    assert_eq!(found(&lines), hop(MAX_ENTRIES - 1));
}

#[test]
fn empty_entries_count_towards_the_bound() {
    assert_eq!(
        found(&[&format!("6.6.6.6{}", ",".repeat(MAX_ENTRIES))]),
        "10.0.0.1"
    );
    assert_eq!(
        found(&[&format!("6.6.6.6{}", ",".repeat(MAX_ENTRIES - 1))]),
        "6.6.6.6"
    );
}

#[test]
fn forwarded_has_the_same_bound_and_the_same_empty_elements() {
    let element = |n: usize| format!("for=10.1.{}.{}", n / 256, n % 256);
    let list: Vec<String> = (0..1000).rev().map(element).collect();
    let expected = element(MAX_ENTRIES - 1);
    assert_eq!(
        found_in_forwarded(&[&list.join(", ")]),
        expected.trim_start_matches("for=")
    );
    let with_gaps = ["for=6.6.6.6, for=203.0.113.9,, ,for=10.1.1.1,", ""];
    assert_eq!(found_in_forwarded(&with_gaps), "203.0.113.9");
}

#[test]
fn forwarded_is_read_where_there_is_no_x_forwarded_for() {
    assert_eq!(
        found_in_forwarded(&["for=6.6.6.6, for=203.0.113.9, for=10.1.1.1"]),
        "203.0.113.9"
    );
    assert_eq!(
        found_in_both("10.0.0.1", &["203.0.113.9"], &["for=6.6.6.6"]),
        "203.0.113.9"
    );
}

#[test]
fn forwarded_may_quote_and_carry_ports_and_ipv6() {
    let client = found_in_forwarded(&[
        r#"For="[2001:db8::1]:4711";proto=http, FOR="10.1.1.1:_port""#,
        "host=x;for=10.2.2.2",
    ]);
    assert_eq!(client, "2001:db8::1");
}

#[test]
fn a_forwarded_element_that_names_nobody_ends_the_walk() {
    for hole in [
        "proto=https",
        "for=unknown",
        "for=_hidden",
        "for",
        r#"for="2001:db8::1""#,
        r#"for="\1.2.3.4""#,
        "for=6.6.6.6;for=6.6.6.6",
    ] {
        assert_eq!(
            found_in_forwarded(&[&format!("for=6.6.6.6, {hole}, for=10.1.1.1")]),
            "10.1.1.1",
            "{hole}"
        );
    }
}

#[test]
fn an_unclosed_quote_of_the_client_does_not_hide_it() {
    assert_eq!(
        found_in_forwarded(&[r#"for="6.6.6.6, for=203.0.113.9"#]),
        "203.0.113.9"
    );
    assert_eq!(
        found_in_forwarded(&[r#"for=6.6.6.6;x=", for=203.0.113.9, for=10.1.1.1"#]),
        "203.0.113.9"
    );
}

#[derive(Clone, Debug)]
enum Entry {
    Trusted(u8),
    Stranger(u8),
    Hole,
}

impl Entry {
    fn text(&self) -> String {
        match self {
            Entry::Trusted(n) => format!("10.0.1.{n}"),
            Entry::Stranger(n) => format!("203.0.113.{n}"),
            Entry::Hole => "unknown".to_owned(),
        }
    }
}

fn chains() -> impl Strategy<Value = Vec<Entry>> {
    let entry = prop_oneof![
        4 => any::<u8>().prop_map(Entry::Trusted),
        2 => any::<u8>().prop_map(Entry::Stranger),
        1 => Just(Entry::Hole),
    ];
    prop::collection::vec(entry, 0..MAX_ENTRIES)
}

/// The law of the walk: the trusted entries at the right end are passed; the entry before them is the client when it is an
/// address, else the last one that was passed is, else the peer.
fn client_by_the_law(chain: &[Entry]) -> String {
    let passed = chain
        .iter()
        .rev()
        .take_while(|entry| matches!(entry, Entry::Trusted(_)));
    let border = chain.len() - passed.count();
    let before = border.checked_sub(1).and_then(|place| chain.get(place));
    match (before, chain.get(border)) {
        (Some(stranger @ Entry::Stranger(_)), _) => stranger.text(),
        (_, Some(last_passed)) => last_passed.text(),
        _ => "10.0.0.1".to_owned(),
    }
}

proptest! {
    #[test]
    fn the_walk_keeps_its_law_in_both_headers(chain in chains()) {
        let texts: Vec<String> = chain.iter().map(Entry::text).collect();
        let expected = client_by_the_law(&chain);
        prop_assert_eq!(&found(&[&texts.join(", ")]), &expected);
        let lines: Vec<&str> = texts.iter().map(String::as_str).collect();
        prop_assert_eq!(&found(&lines), &expected);
        let elements: Vec<String> = texts.iter().map(|text| format!("for={text}")).collect();
        prop_assert_eq!(&found_in_forwarded(&[&elements.join(", ")]), &expected);
    }

    #[test]
    fn what_stands_left_of_the_client_changes_nothing(forged in "[ -~]{0,60}", client in any::<u8>()) {
        let stranger = Entry::Stranger(client).text();
        prop_assert_eq!(&found(&[&format!("{forged}, {stranger}, 10.1.1.1")]), &stranger);
        prop_assert_eq!(&found(&[&forged, &format!("{stranger}, 10.1.1.1")]), &stranger);
        let element = format!("for={stranger}");
        prop_assert_eq!(&found_in_forwarded(&[&format!("{forged}, {element}, for=10.1.1.1")]), &stranger);
        prop_assert_eq!(&found_in_forwarded(&[&forged, &element]), &stranger);
    }

    #[test]
    fn every_address_is_read_with_and_without_a_port(address in any::<IpAddr>(), port in any::<u16>()) {
        let plain = address.to_string();
        prop_assert_eq!(parse_node(plain.as_bytes()), Some(address.to_canonical()));
        let with_port = std::net::SocketAddr::new(address, port).to_string();
        prop_assert_eq!(parse_node(with_port.as_bytes()), Some(address.to_canonical()));
    }

    #[test]
    fn any_bytes_are_answered(node in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = parse_node(&node);
        let _ = rfc7239::is_well_formed(&node);
    }
}
