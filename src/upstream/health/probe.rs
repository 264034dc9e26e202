//! One question to one backend.
//!
//! A check goes the way that a request would go: over the template of the backend's own peer, and so with its TLS and its protocol. It has
//! one time limit for all of it, so a backend that drips its answer does not hold the check.
//!
//! Each check has a connection of its own, which is closed when it ends. That costs a handshake, and is what makes the answer worth
//! something: a connection that was kept would still be served by a process that has stopped accepting new ones, or that was replaced long
//! ago; and thousands of backends would each hold an idle connection for nothing.

use std::sync::Arc;
use std::time::Duration;

use pingora_core::connectors::http::v2;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::l4::socket::SocketAddr as PingoraAddress;
use pingora_core::upstreams::peer::{ALPN, HttpPeer};
use pingora_core::{Error, ErrorType};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::reason::cause;
use super::{Reason, grpc, http};
use crate::config;

/// Who asks, in `User-Agent`.
pub(super) const NAME: &str = "evenkeel-health-check";

/// How checks connect. Made once for all upstreams: it reads the system's certificates when it is made.
///
/// Pingora's HTTP/2 connector opens a connection each time, asks the backend which protocol to speak, or believes the peer where that
/// cannot be asked, and speaks HTTP/1 as well. What looks for connections to use again is the one above it, which checks do not need.
pub struct Connector {
    connector: v2::Connector,
    permits: Arc<Semaphore>,
}

/// So many checks are under way at the start, when all are due at the same moment. More would only fight over processor and file
/// descriptors (1,024 by default for many a process), and fail for that and not for their backends.
const AT_THE_START: usize = 800;

/// The right to be one of the checks at the start.
pub(super) type Permit = OwnedSemaphorePermit;

impl Default for Connector {
    fn default() -> Self {
        Self {
            connector: v2::Connector::new(None),
            permits: Arc::new(Semaphore::new(AT_THE_START)),
        }
    }
}

/// The configured check.
pub(super) struct Probe {
    check: config::HealthCheck,
    connector: Arc<Connector>,
}

/// What came of a check.
#[derive(Debug)]
pub(super) enum Answer {
    /// The backend can serve.
    Good,
    /// It cannot.
    Bad(Reason),
    /// The check could not be made, and says nothing about the backend.
    Hindered(String),
}

impl Probe {
    pub(super) fn new(check: config::HealthCheck, connector: Arc<Connector>) -> Self {
        Self { check, connector }
    }

    /// Waits until it may be one of the checks at the start.
    pub(super) async fn permit(&self) -> Option<Permit> {
        // Nobody closes it, so there always is one.
        Arc::clone(&self.connector.permits)
            .acquire_owned()
            .await
            .ok()
    }

    /// Asks whoever a request would be sent to over `template`.
    pub(super) async fn ask(&self, template: &HttpPeer) -> Answer {
        let limit = self.check.timeout;
        let deadline = Instant::now() + limit;
        let peer = peer(template, &self.check);
        let connected = match timeout_at(deadline, self.connect(&peer)).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) if is_ours(&error) => {
                return Answer::Hindered(cause(&error));
            }
            Ok(Err(error)) => return Answer::Bad(error.into()),
            Err(_) => return Answer::Bad(not_connected(&peer, limit)),
        };
        match timeout_at(deadline, self.talk(connected, &peer)).await {
            Ok(Ok(())) => Answer::Good,
            Ok(Err(reason)) => Answer::Bad(reason),
            Err(_) => Answer::Bad(Reason::new(format!("it did not answer within {limit:?}"))),
        }
    }

    /// `None` where there is nothing to say once it is connected.
    async fn connect(&self, peer: &HttpPeer) -> pingora_core::Result<Option<HttpSession>> {
        let connector = &self.connector.connector;
        match self.check.probe {
            config::Probe::Tcp => connector.transport().new_stream(peer).await.map(|_| None),
            _ => connector.new_http_session(peer).await.map(Some),
        }
    }

    async fn talk(&self, session: Option<HttpSession>, peer: &HttpPeer) -> Result<(), Reason> {
        match (&self.check.probe, session) {
            (config::Probe::Http(probe), Some(session)) => http::ask(session, peer, probe).await,
            (config::Probe::Grpc(probe), Some(session)) => {
                grpc::ask(session, peer, probe, self.check.timeout).await
            }
            (_, None) | (config::Probe::Tcp, _) => Ok(()),
        }
    }
}

/// The way of a check to the backend of `template`.
fn peer(template: &HttpPeer, check: &config::HealthCheck) -> HttpPeer {
    let mut peer = template.clone();
    if let (Some(port), PingoraAddress::Inet(address)) = (check.port, &mut peer._address) {
        address.set_port(port);
    }
    if let config::Probe::Grpc(_) = check.probe {
        peer.options.alpn = ALPN::H2;
    }
    peer
}

/// Whether the connection could not even be tried: no file descriptor, no port.
fn is_ours(error: &Error) -> bool {
    *error.etype() == ErrorType::InternalError
}

fn not_connected(peer: &HttpPeer, limit: Duration) -> Reason {
    let what = if peer.is_tls() {
        "TLS connection"
    } else {
        "connection"
    };
    Reason::new(format!("it did not accept the {what} within {limit:?}"))
}

#[cfg(test)]
mod tests {
    use pingora_core::connectors::l4::BindTo;

    use super::*;

    fn template() -> HttpPeer {
        let mut template = HttpPeer::new(
            std::net::SocketAddr::from(([127, 0, 0, 1], 8443)),
            true,
            "app.internal".to_owned(),
        );
        template.options.verify_hostname = false;
        template.options.alpn = ALPN::H2H1;
        template
    }

    fn check(probe: config::Probe, port: Option<u16>) -> config::HealthCheck {
        config::HealthCheck {
            probe,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            healthy_after: 2,
            unhealthy_after: 3,
            port,
        }
    }

    #[test]
    fn a_check_connects_as_a_request_would() {
        let peer = peer(&template(), &check(config::Probe::Tcp, None));
        assert_eq!(peer._address.to_string(), "127.0.0.1:8443");
        assert!(peer.is_tls());
        assert_eq!(peer.sni, "app.internal");
        assert!(!peer.options.verify_hostname);
        assert_eq!(peer.options.alpn, ALPN::H2H1);
    }

    #[test]
    fn a_check_can_go_to_another_port_of_the_same_machine() {
        let peer = peer(&template(), &check(config::Probe::Tcp, Some(9000)));
        assert_eq!(peer._address.to_string(), "127.0.0.1:9000");
    }

    #[test]
    fn a_grpc_check_speaks_http2_whatever_requests_speak() {
        let grpc = config::Probe::Grpc(config::GrpcProbe {
            service: String::new(),
        });
        assert_eq!(peer(&template(), &check(grpc, None)).options.alpn, ALPN::H2);
    }

    /// From an address that this machine does not have.
    #[tokio::test]
    async fn a_check_that_cannot_be_made_says_nothing_about_the_backend() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut template = HttpPeer::new(address, false, String::new());
        let probe = Probe::new(check(config::Probe::Tcp, None), Arc::default());
        assert!(matches!(probe.ask(&template).await, Answer::Good));
        let mut nowhere = BindTo::default();
        nowhere.addr = Some(std::net::SocketAddr::from(([192, 0, 2, 1], 0)));
        template.options.bind_to = Some(nowhere);
        let answer = probe.ask(&template).await;
        assert!(matches!(answer, Answer::Hindered(_)), "{answer:?}");
    }
}
