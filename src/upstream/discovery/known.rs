//! What is known of one name, and what a lookup changes about it.
//!
//! What was told last holds until something else is told: a host that is unknown, or of whom no server says anything, keeps its addresses,
//! and so does one family of them when only the other was told. So a DNS server that is gone, or a packet that is lost, takes no backend
//! away. What a person should hear of it is told once, not at every lookup. Nothing here waits, asks or knows the time.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::lookup::{Finding, Service};
use super::news::{Change, Located, News};
use super::resolver::{Addresses, HostAnswer};
use super::schedule;
use super::srv::Preference;

/// What is known of one name.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    services: Vec<Service>,
    hosts: BTreeMap<String, Families>,
    located: Vec<Located>,
    /// Lookups in a row that did not find out everything.
    failures: u32,
}

#[derive(Clone, Debug, Default)]
struct Families {
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
}

/// What came of a lookup.
#[derive(Debug)]
pub(in crate::upstream) struct Lesson {
    /// What is to be told, in this order.
    pub(super) news: Vec<News>,
    /// How long until the name is asked for again.
    pub(in crate::upstream) pause: Duration,
}

impl Lesson {
    /// Where there was nothing to be looked up.
    pub(super) fn none() -> Self {
        Self {
            news: Vec::new(),
            pause: schedule::after_answer(Duration::MAX),
        }
    }
}

impl Known {
    /// The addresses of the name, sorted.
    pub(super) fn located(&self) -> &[Located] {
        &self.located
    }

    /// Takes in what a lookup has found out.
    pub(super) fn learn(&mut self, finding: Finding) -> Lesson {
        let (mut ttl, mut trouble) = (finding.ttl, None);
        match finding.services {
            Ok(services) => self.services = services,
            Err(reason) => trouble = Some(reason),
        }
        for (host, answer) in finding.hosts {
            match answer {
                Ok(answer) => {
                    ttl = ttl.min(answer.ttl);
                    self.hosts.entry(host).or_default().learn(answer);
                }
                Err(reason) => {
                    trouble.get_or_insert(reason);
                }
            }
        }
        let services = &self.services;
        self.hosts
            .retain(|host, _| services.iter().any(|service| service.host == *host));
        let before = self.located.clone();
        let found = self.locate();
        // New targets of which nothing is known yet are no reason to give up the old ones.
        if !found.is_empty() {
            self.located = found;
        }
        let news = self.news(&before, trouble.as_deref());
        let pause = if trouble.is_some() {
            self.failures = self.failures.saturating_add(1);
            schedule::after_failure(self.failures)
        } else {
            self.failures = 0;
            schedule::after_answer(ttl)
        };
        Lesson { news, pause }
    }

    /// Each address once, at its best place.
    fn locate(&self) -> Vec<Located> {
        let mut located: Vec<_> = self
            .services
            .iter()
            .flat_map(|service| {
                let addresses = self.hosts.get(&service.host).into_iter();
                let addresses = addresses.flat_map(|known| known.v4.iter().chain(&known.v6));
                addresses.map(|address| Located {
                    address: SocketAddr::new(*address, service.port),
                    preference: service.preference,
                })
            })
            .collect();
        located.sort_unstable_by_key(|one| {
            let Preference { priority, weight } = one.preference;
            (one.address, priority, std::cmp::Reverse(weight))
        });
        located.dedup_by_key(|one| one.address);
        located
    }

    fn news(&self, before: &[Located], trouble: Option<&str>) -> Vec<News> {
        let mut news = Vec::new();
        match trouble {
            Some(reason) if self.failures == 0 => news.push(News::Fails {
                reason: reason.to_owned(),
                is_known: !self.located.is_empty(),
            }),
            None if self.failures > 0 && !before.is_empty() => news.push(News::ResolvesAgain),
            _ => {}
        }
        if before.is_empty() && !self.located.is_empty() {
            news.push(News::Resolves(self.located.clone()));
        } else if before != self.located {
            news.push(News::Changed(Change::between(before, &self.located)));
        }
        news
    }
}

impl Families {
    fn learn(&mut self, answer: HostAnswer) {
        if let Addresses::Told(v4) = answer.v4 {
            self.v4 = v4;
        }
        if let Addresses::Told(v6) = answer.v6 {
            self.v6 = v6;
        }
    }
}

#[cfg(test)]
mod tests;
