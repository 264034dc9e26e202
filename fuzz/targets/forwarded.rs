//! Who the client is, by X-Forwarded-For and Forwarded: the peer, or an address that stands in the headers, and never a guess.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use evenkeel::semantics::client_ip::{self, TrustedProxies};
use evenkeel::semantics::rfc7239;
use libfuzzer_sys::fuzz_target;

/// The lines of X-Forwarded-For, a NUL, and those of Forwarded.
fn lines(bytes: &[u8]) -> (Vec<&[u8]>, Vec<&[u8]>) {
    let mut halves = bytes.splitn(2, |byte| *byte == 0);
    let mut half = || {
        halves
            .next()
            .unwrap_or_default()
            .split(|byte| *byte == b'\n')
    };
    (half().collect(), half().collect())
}

fuzz_target!(|bytes: &[u8]| {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let networks = ["127.0.0.0/8", "10.0.0.0/8", "::1/128"];
    let networks = networks.map(|network| network.parse().expect("a network"));
    let trusted = TrustedProxies::new(networks.to_vec());
    let (plain, standard) = lines(bytes);
    let client = client_ip::find(
        Some(peer),
        plain.iter().copied(),
        standard.iter().copied(),
        &trusted,
    );
    let client = client.expect("a peer with an address");
    let nodes = plain
        .iter()
        .flat_map(|line| line.split(|byte| *byte == b','));
    let is_named = nodes
        .filter_map(|node| client_ip::parse_node(node.trim_ascii()))
        .any(|node| node == client);
    assert!(is_named || client == peer || !standard.concat().is_empty());
    for line in standard {
        assert!(rfc7239::elements_from_right(line).count() <= line.len() + 1);
        let _ = rfc7239::is_well_formed(line);
    }
});
