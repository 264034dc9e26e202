//! One DNS server, and what it says to a question.
//!
//! hickory's resolver does what happens on the wire: random ids and ports, sending again when no answer comes, TCP for what does not fit,
//! chains of CNAMEs. It keeps no answer (we ask when we want to know), completes no name and looks into no file; whom to ask next is not
//! left to it either, since it gives up on all servers when the first one refuses.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::time::{Instant, timeout_at};

/// A query is repeated a few times within this, and then tried once more.
const QUERY_LIMIT: Duration = Duration::from_millis(2_500);

/// Where several kinds of records are asked for and one of them has come, the others have this long to come too. Some servers never
/// answer when they are asked for IPv6 addresses.
const GRACE: Duration = Duration::from_secs(1);

/// What came of a question for one kind of records.
pub(super) type Answer = Result<Records, Miss>;

/// At least one record of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) data: Vec<RData>,
    pub(super) ttl: Duration,
}

/// Why there is no record; the less is known, the greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Miss {
    /// There is no such name.
    NoName,
    /// There is no such record of this name.
    NoRecords,
    /// The server does not say, and why.
    Refused(String),
    /// The server says nothing.
    Silent(String),
}

/// A DNS server.
pub(super) struct Server {
    address: SocketAddr,
    client: TokioResolver,
}

impl Server {
    /// Nothing is sent yet.
    pub(super) fn new(address: SocketAddr, edns: bool) -> Result<Self, NetError> {
        let connections =
            [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = address.port();
                connection
            });
        let server = NameServerConfig::new(address.ip(), true, connections.into());
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.timeout = QUERY_LIMIT;
        options.attempts = 1;
        options.cache_size = 0;
        options.edns0 = edns;
        options.use_hosts_file = ResolveHosts::Never;
        let client = builder.build()?;
        Ok(Self { address, client })
    }

    /// Asks for records of these kinds at the same time, until `limit`; one answer for each kind, in their order.
    pub(super) async fn ask(
        &self,
        name: &Name,
        kinds: &[RecordType],
        mut limit: Instant,
    ) -> Vec<Answer> {
        let silent = || Err(Miss::Silent(format!("{} does not answer", self.address)));
        let mut answers: Vec<Answer> = kinds.iter().map(|_| silent()).collect();
        let mut open: FuturesUnordered<_> = std::iter::zip(kinds, &mut answers)
            .map(async |(kind, answer)| {
                let lookup = self.client.lookup(name.clone(), *kind).await;
                *answer = match lookup {
                    Ok(lookup) => records(&lookup, *kind),
                    Err(error) => Err(self.miss(error)),
                };
                answer.is_ok()
            })
            .collect();
        while let Ok(Some(is_found)) = timeout_at(limit, open.next()).await {
            if is_found {
                limit = limit.min(Instant::now() + GRACE);
            }
        }
        drop(open);
        answers
    }

    fn miss(&self, error: NetError) -> Miss {
        let server = self.address;
        match error {
            NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
                ResponseCode::NXDomain => Miss::NoName,
                _ => Miss::NoRecords,
            },
            NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)) => {
                Miss::Refused(format!("{server} could not find out (SERVFAIL)"))
            }
            NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => {
                Miss::Refused(format!("{server} refuses to say (REFUSED)"))
            }
            NetError::Timeout | NetError::NoConnections => {
                Miss::Silent(format!("{server} does not answer"))
            }
            NetError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Miss::Silent(format!("{server} refuses the connection"))
            }
            NetError::Io(error) => Miss::Silent(format!("{server} cannot be asked: {error}")),
            other => Miss::Refused(format!("{server} gives no good answer: {other}")),
        }
    }
}

fn records(lookup: &Lookup, kind: RecordType) -> Answer {
    let answers = lookup.answers().iter();
    // The records of a chain of CNAMEs that led here count as well.
    let ttl = answers.clone().map(|record| record.ttl).min();
    let data: Vec<_> = answers
        .filter(|record| record.record_type() == kind)
        .map(|record| record.data.clone())
        .collect();
    match ttl {
        Some(ttl) if !data.is_empty() => Ok(Records {
            data,
            ttl: Duration::from_secs(ttl.into()),
        }),
        _ => Err(Miss::NoRecords),
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Server")
            .field(&self.address)
            .finish()
    }
}
