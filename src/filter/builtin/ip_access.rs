//! `ip_access`: which clients are let in.
//!
//! The smallest network that holds the client's address decides, so the order in the file means nothing, as with routes.
//! A look-up asks one hash table for each length of prefix that occurs, longest first: ten thousand networks cost what
//! ten do. An IPv4 address that came in IPv6's clothes (`::ffff:192.0.2.1`) is taken for what it is.

use crate::config;
use crate::filter::{Answer, Denial, Facts, Filter, RequestHead, Verdict};
use ipnet::IpNet;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// The filter `ip_access`.
#[derive(Debug)]
pub(in crate::filter) struct IpAccess {
    v4: Networks,
    v6: Networks,
    /// What is done with an address that is in no network.
    others: bool,
}

/// For each length of prefix, longest first, the networks and whether they are let in.
type Networks = Box<[(u8, HashMap<IpAddr, bool>)]>;

impl IpAccess {
    pub(in crate::filter) fn new(written: &config::IpAccess) -> Self {
        let allowed = written.allow.iter().map(|network| (*network, true));
        let denied = written.deny.iter().map(|network| (*network, false));
        let all: Vec<_> = allowed.chain(denied).collect();
        let of_family = |is_v4: bool| {
            let mut by_length: BTreeMap<u8, HashMap<IpAddr, bool>> = BTreeMap::new();
            for (network, is_in) in &all {
                if network.addr().is_ipv4() == is_v4 {
                    let networks = by_length.entry(network.prefix_len()).or_default();
                    networks.insert(network.network(), *is_in);
                }
            }
            by_length.into_iter().rev().collect()
        };
        IpAccess {
            v4: of_family(true),
            v6: of_family(false),
            others: written.allow.is_empty(),
        }
    }

    fn lets_in(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        let networks = if client.is_ipv4() { &self.v4 } else { &self.v6 };
        let found = networks.iter().find_map(|(length, networks)| {
            let network = IpNet::new(client, *length).ok()?.network();
            networks.get(&network).copied()
        });
        found.unwrap_or(self.others)
    }
}

impl Filter for IpAccess {
    fn request(&self, _: &mut RequestHead<'_>, facts: &Facts<'_>) -> Verdict {
        // Whoever has no address is in no network.
        let client = facts.client();
        if client.map_or(self.others, |client| self.lets_in(client)) {
            Verdict::Pass
        } else {
            Answer::denied(Denial::Forbidden).into()
        }
    }

    fn reads_upstream_headers(&self) -> bool {
        false
    }
}
