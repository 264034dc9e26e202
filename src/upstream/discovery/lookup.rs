//! From a name in the file to questions, and what they find out.
//!
//! A plain name is one host at one port. With `srv: true` the records of the name say which hosts and ports, and these hosts are asked for in
//! turn, at the same time, without completing their names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use hickory_resolver::proto::rr::rdata::SRV;

use super::resolver::{Deadline, HostAnswer, Resolver};
use super::srv::Preference;
use crate::config::BackendAddress;

/// What one lookup has found out about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Where it is served.
    pub(super) services: Result<Vec<Service>, String>,
    /// The addresses of the hosts there.
    pub(super) hosts: BTreeMap<String, Result<HostAnswer, String>>,
    /// How long the services hold; each host has its own.
    pub(super) ttl: Duration,
}

impl Default for Finding {
    fn default() -> Self {
        Self {
            services: Ok(Vec::new()),
            hosts: BTreeMap::new(),
            ttl: Duration::MAX,
        }
    }
}

/// A port of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) preference: Preference,
}

/// Finds out what the DNS says of `address` now.
pub(super) async fn look_up(address: &BackendAddress, resolver: &Resolver) -> Finding {
    let deadline = Deadline::of_a_lookup();
    match address {
        BackendAddress::Socket(_) | BackendAddress::Unix(_) => Finding::default(),
        BackendAddress::Name { host, port } => {
            let service = Service {
                host: host.clone(),
                port: *port,
                preference: Preference::default(),
            };
            Finding {
                services: Ok(vec![service]),
                hosts: BTreeMap::from([(host.clone(), resolver.host(host, deadline).await)]),
                ttl: Duration::MAX,
            }
        }
        BackendAddress::Service { name } => {
            let answer = resolver.service(name, deadline).await;
            let ttl = answer.as_ref().map_or(Duration::MAX, |answer| answer.ttl);
            let services = answer.and_then(|answer| services(&answer.records));
            let targets = services.iter().flatten();
            let targets: BTreeSet<_> = targets.map(|service| service.host.clone()).collect();
            let hosts = targets.into_iter().map(async |target| {
                let answer = resolver.host(&target, deadline).await;
                let name = target.trim_end_matches('.');
                let answer = answer.map_err(|reason| format!("its target {name}: {reason}"));
                (target, answer)
            });
            Finding {
                hosts: join_all(hosts).await.into_iter().collect(),
                services,
                ttl,
            }
        }
    }
}

/// The services of SRV records. A target of `.` says that the service is not there (RFC 2782), and nobody listens on port 0.
fn services(records: &[SRV]) -> Result<Vec<Service>, String> {
    let is_there = |record: &&SRV| !record.target.is_root() && record.port != 0;
    let services: Vec<_> = records
        .iter()
        .filter(is_there)
        .map(|record| Service {
            host: record.target.to_ascii(),
            port: record.port,
            preference: Preference {
                priority: record.priority,
                weight: record.weight,
            },
        })
        .collect();
    if services.is_empty() {
        return Err("its SRV record says that there is no such service".to_owned());
    }
    Ok(services)
}
