//! One question to one backend.
//!
//! Either a TCP connection, or an HTTP request whose status (and, if wished, body) must be as configured. It runs over Pingora's connectors,
//! so that a check connects just as a request would, and is bounded as a whole by the configured timeout: a backend that drips its answer
//! does not hold the check.

use std::sync::Arc;

use async_trait::async_trait;
use pingora_core::connectors::TransportConnector;
use pingora_core::connectors::http::Connector;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use pingora_load_balancing::Backend as Listed;
use pingora_load_balancing::health_check::HealthCheck;

use crate::config;

/// So much of an answer's body is searched, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// How checks connect. Made once for all upstreams: each connector reads the system's certificates when it is made.
pub struct Connectors {
    http: Connector,
    tcp: TransportConnector,
}

impl Default for Connectors {
    fn default() -> Self {
        Self {
            http: Connector::new(None),
            tcp: TransportConnector::new(None),
        }
    }
}

/// The configured check.
pub(crate) struct Probe {
    check: config::HealthCheck,
    connectors: Arc<Connectors>,
}

impl Probe {
    pub(crate) fn new(check: config::HealthCheck, connectors: Arc<Connectors>) -> Self {
        Self { check, connectors }
    }

    async fn ask(&self, peer: &HttpPeer) -> Result<()> {
        match &self.check.probe {
            config::Probe::Tcp => self.connectors.tcp.get_stream(peer).await.map(drop),
            config::Probe::Http(probe) => self.ask_http(peer, probe).await,
        }
    }

    async fn ask_http(&self, peer: &HttpPeer, probe: &config::HttpProbe) -> Result<()> {
        let (mut session, _) = self.connectors.http.get_http_session(peer).await?;
        let mut request = RequestHeader::build("GET", probe.path.as_bytes(), Some(4))?;
        let host = probe
            .host
            .clone()
            .unwrap_or_else(|| peer._address.to_string());
        request.insert_header("Host", host)?;
        request.insert_header("User-Agent", "evenkeel-health-check")?;
        request.insert_header("Connection", "close")?;
        session.write_request_header(Box::new(request)).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let status = session
            .response_header()
            .map_or(0, |header| header.status.as_u16());
        if !probe.status.contains(status) {
            return refuse(format!("it answered with status {status}"));
        }
        match &probe.body_contains {
            Some(text) => find_in_body(&mut session, text).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl HealthCheck for Probe {
    async fn check(&self, listed: &Listed) -> Result<()> {
        let Some(mut address) = listed.addr.as_inet().copied() else {
            return refuse("not an IP address".into());
        };
        if let Some(port) = self.check.port {
            address.set_port(port);
        }
        let peer = HttpPeer::new(address, false, String::new());
        match tokio::time::timeout(self.check.timeout, self.ask(&peer)).await {
            Ok(answer) => answer,
            Err(_) => refuse(format!("it did not answer within {:?}", self.check.timeout)),
        }
    }

    fn health_threshold(&self, success: bool) -> usize {
        let after = if success {
            self.check.healthy_after
        } else {
            self.check.unhealthy_after
        };
        after as usize
    }
}

async fn find_in_body(session: &mut HttpSession, text: &str) -> Result<()> {
    let mut body = Vec::new();
    while body.len() < BODY_LIMIT {
        let Some(part) = session.read_response_body().await? else {
            break;
        };
        body.extend_from_slice(&part);
        if memchr::memmem::find(&body, text.as_bytes()).is_some() {
            return Ok(());
        }
    }
    refuse(format!("its answer does not contain {text:?}"))
}

fn refuse(reason: String) -> Result<()> {
    Error::e_explain(ErrorType::Custom("CheckFailed"), reason)
}
