//! From the backends an operator wrote to the addresses that requests are sent to.
//!
//! An IP address is itself; a name is resolved by the system's resolver, at the start and again while running, and each address it has
//! becomes a backend. A name that cannot be resolved keeps the addresses it last had and says so once; one that never could be resolved is
//! an upstream with a backend less, not a refusal to start.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora_core::protocols::l4::socket::SocketAddr as PingoraAddress;
use pingora_load_balancing::Backend as Listed;
use pingora_load_balancing::discovery::ServiceDiscovery;

use super::backend::Backend;
use super::peer::Peers;
use super::roster::{Lineup, Roster};
use crate::config::{self, BackendAddress};

/// The resolver gives up on a name after this long.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(5);

/// Pingora's view of where an upstream's backends are.
pub(super) struct Discovery {
    upstream: config::Upstream,
    roster: Arc<Roster>,
    peers: Peers,
    /// What each name resolved to last, by its place in the list; `None` while it never did.
    resolved: Mutex<HashMap<usize, Resolved>>,
}

#[derive(Default)]
struct Resolved {
    addresses: Vec<SocketAddr>,
    failing: bool,
}

impl Discovery {
    pub(super) fn new(upstream: config::Upstream, roster: Arc<Roster>) -> Self {
        Self {
            peers: Peers::new(&upstream),
            upstream,
            roster,
            resolved: Mutex::default(),
        }
    }

    async fn addresses(&self, index: usize, address: &BackendAddress) -> Vec<SocketAddr> {
        let (host, port) = match address {
            BackendAddress::Socket(address) => return vec![*address],
            BackendAddress::Name { host, port } => (host.as_str(), *port),
        };
        let lookup = tokio::time::timeout(RESOLVE_DEADLINE, tokio::net::lookup_host((host, port)));
        let found = match lookup.await {
            Ok(Ok(found)) => Ok(found.collect::<Vec<_>>()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer in {} s", RESOLVE_DEADLINE.as_secs())),
        };
        self.remember(index, address, found)
    }

    /// Keeps a good answer; a bad one leaves the last good one in place.
    fn remember(
        &self,
        index: usize,
        name: &BackendAddress,
        found: Result<Vec<SocketAddr>, String>,
    ) -> Vec<SocketAddr> {
        let mut all = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(index).or_default();
        match found {
            Ok(mut addresses) if !addresses.is_empty() => {
                addresses.sort_unstable();
                addresses.dedup();
                if known.failing {
                    log::info!("upstream {}: {name} resolves again", self.upstream.name);
                }
                *known = Resolved {
                    addresses,
                    failing: false,
                };
            }
            other if !known.failing => {
                known.failing = true;
                let reason = other.err().unwrap_or_else(|| "it has no address".into());
                log::warn!(
                    "upstream {}: cannot resolve {name}: {reason}; {}",
                    self.upstream.name,
                    if known.addresses.is_empty() {
                        "it gets no requests until it resolves"
                    } else {
                        "its last known addresses stay in use"
                    }
                );
            }
            _ => {}
        }
        known.addresses.clone()
    }

    /// The backend at `address`: the one there is, if it goes by the same name, or a new one.
    fn backend(
        &self,
        known: &Lineup,
        address: SocketAddr,
        written: &config::Backend,
    ) -> Arc<Backend> {
        let known = known.find(address).filter(|known| known.is(written));
        known.cloned().unwrap_or_else(|| {
            let peer = self
                .peers
                .template(&self.upstream, address, &written.address);
            Arc::new(Backend::new(address, written, peer))
        })
    }
}

#[async_trait]
impl ServiceDiscovery for Discovery {
    async fn discover(&self) -> pingora_core::Result<(BTreeSet<Listed>, HashMap<u64, bool>)> {
        let lookups = self
            .upstream
            .backends
            .iter()
            .enumerate()
            .map(|(index, backend)| self.addresses(index, &backend.address));
        let found = futures::future::join_all(lookups).await;

        let known = self.roster.lineup();
        let mut seen = HashSet::new();
        let mut backends = Vec::new();
        for (written, addresses) in self.upstream.backends.iter().zip(found) {
            for address in addresses
                .into_iter()
                .filter(|address| seen.insert(*address))
            {
                backends.push(self.backend(&known, address, written));
            }
        }
        let listed = backends
            .iter()
            .map(|backend| listed(backend.address()))
            .collect();
        // Published first: Pingora builds its selection from it when the list has changed.
        self.roster.publish(backends);
        Ok((listed, HashMap::new()))
    }
}

/// How Pingora lists an address. The weight is left out: it is part of an entry's identity there, and a change of weight must not make a
/// backend a new one whose health is unknown.
pub(super) fn listed(address: SocketAddr) -> Listed {
    Listed {
        addr: PingoraAddress::Inet(address),
        weight: 1,
        ext: http::Extensions::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Discovery, Lineup, Roster};
    use crate::config;
    use crate::upstream::roster::Rules;

    /// A name that moves to the address of another would otherwise be asked for by the other's name. Seen failing without the comparison.
    #[test]
    fn a_backend_stays_the_same_as_long_as_it_goes_by_the_same_name() {
        let text = "listeners: [{ address: 127.0.0.1:80 }]\nroutes: [{ upstream: web }]\n\
            upstreams: { web: { backends: [a.test:443, b.test:443], tls: {} } }\n";
        let config = config::parse("test.yaml", text, &|_| None);
        let config = config.unwrap_or_else(|faults| panic!("{faults}"));
        let upstream = config.into_inner().upstreams.remove(0);
        let [a, b] = [upstream.backends[0].clone(), upstream.backends[1].clone()];
        let roster = Arc::new(Roster::new(
            Rules::default(),
            Arc::new(crate::clock::SystemClock),
        ));
        let discovery = Discovery::new(upstream, Arc::clone(&roster));
        let address = "192.0.2.1:443".parse().unwrap();

        let first = discovery.backend(&roster.lineup(), address, &a);
        roster.publish(vec![Arc::clone(&first)]);
        let lineup: Arc<Lineup> = roster.lineup();
        assert!(Arc::ptr_eq(
            &first,
            &discovery.backend(&lineup, address, &a)
        ));
        let moved = discovery.backend(&lineup, address, &b);
        assert_eq!(
            (&*first.peer().sni, &*moved.peer().sni),
            ("a.test", "b.test")
        );
    }
}
