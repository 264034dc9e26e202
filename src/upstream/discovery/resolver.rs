//! From a name to what is known of it in this moment: the hosts file first, then the DNS.
//!
//! There is one resolver for all upstreams. It asks the servers in their order, as the system's own resolver does: the next one only when
//! one is silent or does not say, for where the answers differ the first server is meant. One that was silent is not asked again in the same
//! lookup, and the time that is left is shared among the others, so that a dead first server costs time but no answer. Nothing is kept from
//! one lookup to the next.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time::Instant;

use super::server::{Answer, Miss, Server};
use super::system::{DnsSettings, Edition, Files, Hosts, Search};
use crate::config;

/// No lookup takes longer.
const LIMIT: Duration = Duration::from_secs(5);

/// Looks names up, as the system would or with the DNS servers that are configured. Nothing is read or sent before the first lookup.
pub struct Resolver {
    source: Arc<Source>,
}

struct Source {
    files: Files,
    configured: config::Resolver,
    current: Mutex<Option<Arc<Current>>>,
}

/// The settings as they are now.
struct Current {
    edition: Edition,
    hosts: Hosts,
    search: Search,
    servers: Vec<Server>,
    ipv6: bool,
}

/// When a lookup must have its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// That of a lookup that begins now.
    pub(super) fn of_a_lookup() -> Self {
        Self(Instant::now() + LIMIT)
    }
}

/// What was found out of the addresses of one host, for each family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HostAnswer {
    pub(super) v4: Addresses,
    pub(super) v6: Addresses,
    /// How long it holds.
    pub(super) ttl: Duration,
}

/// The addresses of one family; none at all is an answer too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Addresses {
    Told(Vec<IpAddr>),
    /// No server said.
    Untold,
}

/// The SRV records of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServiceAnswer {
    pub(super) records: Vec<SRV>,
    /// How long it holds.
    pub(super) ttl: Duration,
}

impl Resolver {
    /// One that asks the configured servers, or the system's.
    pub fn new(configured: config::Resolver) -> Self {
        Self::with_files(configured, Files::at(Path::new("/etc")))
    }

    fn with_files(configured: config::Resolver, files: Files) -> Self {
        Self {
            source: Arc::new(Source {
                files,
                configured,
                current: Mutex::default(),
            }),
        }
    }

    /// The addresses of `name`, in at least one family; or why there are none, in words.
    pub(super) async fn host(&self, name: &str, deadline: Deadline) -> Result<HostAnswer, String> {
        let current = self.current().await?;
        if let Some(found) = current.hosts.find(name) {
            return Ok(HostAnswer::new(found, Duration::MAX).usable(has_route));
        }
        let kinds: &[RecordType] = match current.ipv6 {
            true => &[RecordType::A, RecordType::AAAA],
            false => &[RecordType::A],
        };
        let answers = current.search(name, kinds, deadline).await;
        let answers = answers.map_err(|miss| in_words(miss, "address"))?;
        HostAnswer::of(&answers)
            .map(|answer| answer.usable(has_route))
            .ok_or_else(|| in_words(Miss::NoRecords, "address"))
    }

    /// The SRV records of `name`; or why there are none, in words.
    pub(super) async fn service(
        &self,
        name: &str,
        deadline: Deadline,
    ) -> Result<ServiceAnswer, String> {
        let current = self.current().await?;
        let answers = current.search(name, &[RecordType::SRV], deadline).await;
        let mut answers = answers.map_err(|miss| in_words(miss, "SRV record"))?;
        let answer = answers.pop().unwrap_or(Err(Miss::NoRecords));
        let answer = answer.map_err(|miss| in_words(miss, "SRV record"))?;
        let records = answer.data.into_iter().filter_map(|data| match data {
            RData::SRV(record) => Some(record),
            _ => None,
        });
        Ok(ServiceAnswer {
            records: records.collect(),
            ttl: answer.ttl,
        })
    }

    async fn current(&self) -> Result<Arc<Current>, String> {
        let source = Arc::clone(&self.source);
        let current = tokio::task::spawn_blocking(move || source.current());
        current.await.map_err(|error| error.to_string())
    }
}

impl Source {
    /// The settings, read again when a file has changed.
    fn current(&self) -> Arc<Current> {
        let edition = self.files.edition();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(current) if current.edition == edition => Arc::clone(current),
            _ => {
                let fresh = Arc::new(self.read(edition));
                *current = Some(Arc::clone(&fresh));
                fresh
            }
        }
    }

    fn read(&self, edition: Edition) -> Current {
        let (hosts, system) = self.files.read();
        let settings = match self.configured.servers.as_slice() {
            [] => system,
            configured => DnsSettings::of(configured.to_vec()),
        };
        let server = |address| {
            Server::new(address, settings.edns)
                .inspect_err(|error| log::error!("name server {address}: {error}"))
                .ok()
        };
        Current {
            edition,
            hosts,
            servers: settings.servers.into_iter().filter_map(server).collect(),
            search: settings.search,
            ipv6: settings.ipv6,
        }
    }
}

impl Current {
    /// The answers to the first of the names that `name` may stand for that has records, one for each kind.
    async fn search(
        &self,
        name: &str,
        kinds: &[RecordType],
        deadline: Deadline,
    ) -> Result<Vec<Answer>, Miss> {
        let mut servers: Vec<&Server> = self.servers.iter().collect();
        let mut worst = Miss::NoName;
        for candidate in self.search.candidates(name) {
            match ask_in_turn(&mut servers, &candidate, kinds, deadline).await {
                Ok(answers) => return Ok(answers),
                Err(miss) => worst = worst.max(miss),
            }
            if servers.is_empty() {
                break;
            }
        }
        Err(worst)
    }
}

/// Asks the servers one after the other until one knows; those that are silent are taken out.
async fn ask_in_turn(
    servers: &mut Vec<&Server>,
    name: &Name,
    kinds: &[RecordType],
    deadline: Deadline,
) -> Result<Vec<Answer>, Miss> {
    let mut reasons = Vec::new();
    let mut turn = 0;
    while let Some(server) = servers.get(turn) {
        let now = Instant::now();
        let left = u32::try_from(servers.len() - turn).unwrap_or(u32::MAX);
        let patience = deadline.0.saturating_duration_since(now) / left;
        let answers = server.ask(name, kinds, now + patience).await;
        match judge(answers)? {
            Judged::Found(answers) => return Ok(answers),
            Judged::Refused(reason) => {
                reasons.push(reason);
                turn += 1;
            }
            Judged::Silent(reason) => {
                reasons.push(reason);
                servers.remove(turn);
            }
        }
    }
    match reasons.as_slice() {
        [] => Err(Miss::Refused("there is no DNS server to ask".to_owned())),
        reasons => Err(Miss::Refused(reasons.join(", "))),
    }
}

/// What one server's answers are worth.
enum Judged {
    Found(Vec<Answer>),
    Refused(String),
    Silent(String),
}

/// A server that has one kind of records, or says that there are none, has said enough.
fn judge(answers: Vec<Answer>) -> Result<Judged, Miss> {
    if answers.iter().any(Result::is_ok) {
        return Ok(Judged::Found(answers));
    }
    let misses = answers.into_iter().filter_map(Result::err);
    let (unknown, misses): (Vec<_>, Vec<_>) = misses.partition(|miss| *miss == Miss::NoName);
    match misses.into_iter().max() {
        // There is no other kind of records of a name that does not exist.
        _ if !unknown.is_empty() => Err(Miss::NoName),
        Some(Miss::Refused(reason)) => Ok(Judged::Refused(reason)),
        Some(Miss::Silent(reason)) => Ok(Judged::Silent(reason)),
        _ => Err(Miss::NoRecords),
    }
}

fn in_words(miss: Miss, wanted: &str) -> String {
    match miss {
        Miss::NoName => "there is no such name (NXDOMAIN)".to_owned(),
        Miss::NoRecords => format!("it has no {wanted}"),
        Miss::Refused(reason) | Miss::Silent(reason) => reason,
    }
}

impl HostAnswer {
    fn new(found: &[IpAddr], ttl: Duration) -> Self {
        let (v4, v6) = found.iter().partition(|address| address.is_ipv4());
        Self {
            v4: Addresses::Told(v4),
            v6: Addresses::Told(v6),
            ttl,
        }
    }

    /// From the answers for A and, if they were asked for, AAAA records; none when there is no address among them.
    fn of(answers: &[Answer]) -> Option<Self> {
        let family = |answer: Option<&Answer>| match answer {
            Some(Ok(records)) => {
                let addresses = records.data.iter().filter_map(RData::ip_addr);
                // Some servers say 0.0.0.0 of names that they block; it would be this machine.
                Addresses::Told(addresses.filter(|one| !one.is_unspecified()).collect())
            }
            Some(Err(Miss::Refused(_) | Miss::Silent(_))) => Addresses::Untold,
            Some(Err(Miss::NoName | Miss::NoRecords)) | None => Addresses::Told(Vec::new()),
        };
        let found = answers.iter().flatten();
        let answer = Self {
            v4: family(answers.first()),
            v6: family(answers.get(1)),
            ttl: found.map(|records| records.ttl).min()?,
        };
        (answer.v4.is_found() || answer.v6.is_found()).then_some(answer)
    }

    /// Without the IPv6 addresses that cannot be reached from here, if there are IPv4 addresses: many names have both, and many machines
    /// have no IPv6.
    fn usable(mut self, has_route: impl Fn(Ipv6Addr) -> bool) -> Self {
        if let (true, Addresses::Told(addresses)) = (self.v4.is_found(), &mut self.v6) {
            addresses.retain(|address| match address {
                IpAddr::V6(address) => has_route(*address),
                IpAddr::V4(_) => true,
            });
        }
        self
    }
}

impl Addresses {
    fn is_found(&self) -> bool {
        matches!(self, Self::Told(addresses) if !addresses.is_empty())
    }
}

/// Whether this machine has a route to `address`, found out as getaddrinfo(3) does it (RFC 6724 §5, rule 1): nothing is sent.
fn has_route(address: Ipv6Addr) -> bool {
    match UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(socket) => socket.connect((address, 53)).is_ok(),
        // Either there is no IPv6 here, or no socket at all is to be had at the moment.
        Err(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).is_err(),
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Resolver")
            .field(&self.source.configured)
            .finish()
    }
}

#[cfg(test)]
mod tests;
