//! What the system says of names: its hosts file, its DNS servers, and how it completes a short name.
//!
//! As getaddrinfo(3) does it: a name in the hosts file has the addresses it has there and is not asked for elsewhere (nsswitch.conf's usual
//! `files dns`); others are completed with the search domains of resolv.conf(5), before or after they are tried as they are, depending on
//! `ndots`. Both files may change while we run (DHCP, a container that joins a network), so they are read again when they have. Other
//! sources of nsswitch.conf, such as mDNS, are not asked.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hickory_resolver::proto::rr::Name;
use resolv_conf::Config;

const DNS_PORT: u16 = 53;

/// Where the system keeps its settings.
#[derive(Debug, Clone)]
pub(super) struct Files {
    hosts: PathBuf,
    resolv_conf: PathBuf,
}

impl Files {
    /// The files `hosts` and `resolv.conf` of this folder.
    pub(super) fn at(folder: &Path) -> Self {
        Self {
            hosts: folder.join("hosts"),
            resolv_conf: folder.join("resolv.conf"),
        }
    }
}

/// Tells one state of the files from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edition([Option<(SystemTime, u64)>; 2]);

impl Files {
    pub(super) fn edition(&self) -> Edition {
        let edition = |path: &Path| {
            let metadata = path.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Edition([edition(&self.hosts), edition(&self.resolv_conf)])
    }

    /// What the files say now. What cannot be read says nothing.
    pub(super) fn read(&self) -> (Hosts, DnsSettings) {
        let read = |path: &Path| std::fs::read(path).unwrap_or_default();
        (
            Hosts::parse(&String::from_utf8_lossy(&read(&self.hosts))),
            DnsSettings::parse(&read(&self.resolv_conf)),
        )
    }
}

/// The addresses of names in the hosts file (hosts(5)).
#[derive(Debug, Default)]
pub(super) struct Hosts(HashMap<String, Vec<IpAddr>>);

impl Hosts {
    fn parse(text: &str) -> Self {
        let mut hosts = HashMap::<_, Vec<IpAddr>>::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(address) = words.next().and_then(|word| word.parse().ok()) else {
                continue;
            };
            for name in words {
                hosts.entry(folded(name)).or_default().push(address);
            }
        }
        Self(hosts)
    }

    pub(super) fn find(&self, name: &str) -> Option<&[IpAddr]> {
        self.0.get(&folded(name)).map(Vec::as_slice)
    }
}

/// Names are compared without case, and a dot at the end makes no difference.
fn folded(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whom to ask, and for what.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DnsSettings {
    pub(super) servers: Vec<SocketAddr>,
    pub(super) search: Search,
    /// Whether servers are told that we take answers of more than 512 bytes over UDP (RFC 6891).
    pub(super) edns: bool,
    /// Whether IPv6 addresses are asked for.
    pub(super) ipv6: bool,
}

impl DnsSettings {
    /// These servers, and names just as they are written.
    pub(super) fn of(servers: Vec<SocketAddr>) -> Self {
        Self {
            servers,
            search: Search::default(),
            edns: true,
            ipv6: true,
        }
    }

    /// As resolv.conf(5) has it; lines that make no sense are passed over. Without a server in it, the one on this machine is asked.
    fn parse(text: &[u8]) -> Self {
        let (mut config, _) = Config::parse_with_errors(text);
        config.glibc_normalize();
        let mut domains: Vec<String> = config.get_last_search_or_domain().cloned().collect();
        if domains.is_empty() {
            domains.extend(config.get_system_domain());
        }
        let mut servers: Vec<IpAddr> = config.nameservers.iter().map(IpAddr::from).collect();
        if servers.is_empty() {
            servers.push(Ipv4Addr::LOCALHOST.into());
        }
        Self {
            servers: servers
                .into_iter()
                .map(|server| (server, DNS_PORT).into())
                .collect(),
            search: Search {
                domains: domains
                    .iter()
                    .filter_map(|domain| Name::from_ascii(domain).ok())
                    .collect(),
                dots: config.ndots as usize,
            },
            edns: config.edns0,
            ipv6: !config.no_aaaa,
        }
    }
}

/// How a short name is completed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Search {
    domains: Vec<Name>,
    /// A name with so many dots is first tried as it is.
    dots: usize,
}

impl Search {
    /// The whole names that `name` may stand for, in the order in which they are tried.
    pub(super) fn candidates(&self, name: &str) -> Vec<Name> {
        let Ok(mut name) = Name::from_ascii(name) else {
            return Vec::new();
        };
        let mut candidates: Vec<Name> = Vec::new();
        if !name.is_fqdn() {
            let domains = self.domains.iter();
            candidates.extend(domains.filter_map(|domain| name.clone().append_domain(domain).ok()));
        }
        let dots = usize::from(name.num_labels()).saturating_sub(1);
        name.set_fqdn(true);
        let at = if dots >= self.dots {
            0
        } else {
            candidates.len()
        };
        candidates.insert(at, name);
        candidates.iter_mut().for_each(|name| name.set_fqdn(true));
        candidates
    }
}

#[cfg(test)]
mod tests;
