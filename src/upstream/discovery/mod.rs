//! From the backends an operator wrote to the addresses that requests are sent to.
//!
//! An IP address is itself. A name is looked up at the start and again while running, each at its own time, and each address it has becomes
//! a backend. A name that cannot be resolved keeps the addresses it last had and says so once; one that never could be resolved is an
//! upstream with a backend less, not a refusal to start. Requests never wait for any of this: they see the lineup that was published last.
//!
//! - `resolver`, `server`, `system`: who is asked, and in which order
//! - `lookup`: from a name in the file to questions
//! - `known`: what is known of a name, and what a lookup changes about it
//! - `srv`, `schedule`, `news`: shares of the requests, when to ask again, what is logged
//! - `departed`: backends that are gone, as long as they may come back

mod departed;
mod known;
mod lookup;
mod news;
mod resolver;
mod schedule;
mod server;
mod srv;
mod system;

pub use resolver::Resolver;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use pingora_load_balancing::Backend as Listed;
use pingora_load_balancing::discovery::ServiceDiscovery;

use super::address::{self, Address};
use super::backend::Backend;
use super::heritage::Heritage;
use super::peer::Peers;
use super::roster::{Lineup, Roster};
use crate::config::{self, BackendAddress};
use departed::Departed;
use known::{Known, Lesson};
use srv::{Preference, Share};

/// Where an upstream's backends are.
pub(super) struct Discovery {
    upstream: config::Upstream,
    roster: Arc<Roster>,
    resolver: Arc<Resolver>,
    peers: Peers,
    /// What is known of each name, by its place in the list of backends.
    known: Vec<Mutex<Known>>,
    departed: Mutex<Departed>,
    /// Whether backends of the upstream before go on as they are, …
    is_alike: bool,
    /// … and whether what is known of their health holds.
    keeps_health: bool,
}

/// What names were known to stand for.
#[derive(Debug, Default)]
pub(super) struct Memory(HashMap<BackendAddress, Known>);

impl Discovery {
    pub(super) fn new(
        upstream: config::Upstream,
        roster: Arc<Roster>,
        resolver: Arc<Resolver>,
        heritage: Heritage,
    ) -> Self {
        let Memory(mut memory) = heritage.memory;
        let backends = upstream.backends.iter();
        let known = backends.map(|one| memory.remove(&one.address).unwrap_or_default());
        Self {
            is_alike: heritage.is_alike,
            keeps_health: heritage.keeps_health,
            known: known.map(Mutex::new).collect(),
            peers: Peers::new(&upstream),
            upstream,
            roster,
            resolver,
            departed: Mutex::default(),
        }
    }

    /// The places in the list of backends where names stand.
    pub(super) fn names(&self) -> Vec<usize> {
        let backends = self.upstream.backends.iter().enumerate();
        let names = backends.filter(|(_, one)| !one.address.is_fixed());
        names.map(|(index, _)| index).collect()
    }

    /// What is known of all names.
    pub(super) fn memory(&self) -> Memory {
        let known = self.known.iter().map(|known| locked(known).clone());
        let written = self.upstream.backends.iter().map(|one| one.address.clone());
        Memory(std::iter::zip(written, known).collect())
    }

    /// Looks up the name at this place. What was found is known then, but neither published nor told.
    pub(super) async fn resolve(&self, name: usize) -> Lesson {
        match (self.upstream.backends.get(name), self.known.get(name)) {
            (Some(written), Some(known)) => {
                let finding = lookup::look_up(&written.address, &self.resolver).await;
                locked(known).learn(finding)
            }
            _ => Lesson::none(),
        }
    }

    /// Writes what is worth it into the log.
    pub(super) fn tell(&self, name: usize, lesson: &Lesson) {
        let upstream = &self.upstream;
        let Some(written) = upstream.backends.get(name) else {
            return;
        };
        for news in &lesson.news {
            let line = news.line(&written.address);
            log::log!(news.level(), "upstream {}: {line}", upstream.name);
        }
    }

    /// Makes what is known now the lineup of the roster.
    fn publish(&self) -> Arc<Lineup> {
        let known = self.roster.lineup();
        let mut departed = locked(&self.departed);
        let mut seen = HashSet::new();
        let (mut backends, mut shares) = (Vec::new(), Vec::new());
        for (index, written) in self.upstream.backends.iter().enumerate() {
            for (address, share) in self.located(index, written) {
                if seen.insert(address.clone()) {
                    backends.push(self.backend(&known, &mut departed, address, written, share));
                    shares.push(share);
                }
            }
        }
        let gone = known.backends.iter();
        if self.is_own(&known) {
            departed.extend(gone.filter(|backend| !seen.contains(backend.address())));
        }
        self.roster.publish(backends);
        let lineup = self.roster.lineup();
        for (index, (backend, share)) in std::iter::zip(&lineup.backends, shares).enumerate() {
            if backend.full_weight() != share.thousandths
                || backend.member().is_backup() != share.backup
            {
                self.roster
                    .rank(&lineup, index, share.thousandths, share.backup);
            }
        }
        lineup
    }

    /// The addresses that a backend of the file stands for, and what each is to get.
    fn located(&self, index: usize, written: &config::Backend) -> Vec<(Address, Share)> {
        let (addresses, preferences): (Vec<_>, Vec<_>) = match &written.address {
            BackendAddress::Socket(address) => {
                (vec![Address::Inet(*address)], vec![Preference::default()])
            }
            BackendAddress::Unix(path) => {
                // What is no path of a socket was refused with the file.
                let address = address::unix(path).into_iter();
                address
                    .map(|address| (address, Preference::default()))
                    .unzip()
            }
            BackendAddress::Name { .. } | BackendAddress::Service { .. } => {
                let known = self.known.get(index).map(locked);
                let located = known.iter().flat_map(|known| known.located());
                located
                    .map(|one| (Address::Inet(one.address), one.preference))
                    .unzip()
            }
        };
        let shares = srv::shares(&preferences, written.weight).into_iter();
        let shares = shares.map(|share| Share {
            backup: share.backup || written.backup,
            ..share
        });
        std::iter::zip(addresses, shares).collect()
    }

    /// Whether its backends are connected to as this upstream has it.
    fn is_own(&self, lineup: &Lineup) -> bool {
        !lineup.is_former || self.is_alike
    }

    /// The backend at `address`: the one that is or was there, or a new one.
    fn backend(
        &self,
        known: &Lineup,
        departed: &mut Departed,
        address: Address,
        written: &config::Backend,
        share: Share,
    ) -> Arc<Backend> {
        let new = || {
            let peer = self
                .peers
                .template(&self.upstream, &address, &written.address);
            let ranked = config::Backend {
                backup: share.backup,
                ..written.clone()
            };
            Backend::new(address.clone(), &ranked, peer)
        };
        match known.find(&address) {
            Some(backend) if self.is_own(known) && backend.goes_on_as(written) => {
                Arc::clone(backend)
            }
            Some(_) if known.is_former && !self.keeps_health => Arc::new(new()),
            // Another entry stood for this address, with a limit, a state or settings of its own.
            Some(former) => Arc::new(new().in_place_of(former)),
            None => departed
                .take(&address, written)
                .unwrap_or_else(|| Arc::new(new())),
        }
    }
}

/// Pingora's view of a discovery. It waits for nothing, so that two updates never overlap on the one thread that makes them.
pub(super) struct Published(pub(super) Arc<Discovery>);

#[async_trait]
impl ServiceDiscovery for Published {
    async fn discover(&self) -> pingora_core::Result<(BTreeSet<Listed>, HashMap<u64, bool>)> {
        // The roster comes first: Pingora builds its selection from it when the list has changed.
        let lineup = self.0.publish();
        let listed = lineup.backends.iter().map(|backend| backend.listed());
        Ok((listed.collect(), HashMap::new()))
    }
}

/// How Pingora lists an address. The weight is left out: it is part of an entry's identity there, and a change of weight must not make a
/// backend a new one whose health is unknown.
pub(super) fn listed(address: Address) -> Listed {
    Listed {
        addr: address,
        weight: 1,
        ext: http::Extensions::new(),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Address, Departed, Discovery, Heritage, Lineup, Resolver, Roster, Share};
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
            &Heritage::default(),
        ));
        let resolver = Arc::new(Resolver::new(config::Resolver::default()));
        let discovery =
            Discovery::new(upstream, Arc::clone(&roster), resolver, Heritage::default());
        let mut departed = Departed::default();
        let share = Share {
            thousandths: 1_000,
            backup: false,
        };
        let address = Address::Inet("192.0.2.1:443".parse().unwrap());

        let first = discovery.backend(&roster.lineup(), &mut departed, address.clone(), &a, share);
        roster.publish(vec![Arc::clone(&first)]);
        let lineup: Arc<Lineup> = roster.lineup();
        assert!(Arc::ptr_eq(
            &first,
            &discovery.backend(&lineup, &mut departed, address.clone(), &a, share)
        ));
        let moved = discovery.backend(&lineup, &mut departed, address, &b, share);
        assert_eq!(
            (&*first.peer().sni, &*moved.peer().sni),
            ("a.test", "b.test")
        );
    }
}
