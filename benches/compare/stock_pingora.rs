//! What Pingora is without Evenkeel: its own example `load_balancer`, as somebody would finish it who puts it before two backends.
//!
//! Round robin, TCP health checks, HTTP/1 and HTTP/2 over TLS, as in the example; and what `make bench` asks of everybody: forwarded
//! headers, and a line of log for each request, through env_logger, as Pingora's examples write theirs. No other allocator.
//!
//! `stock_pingora HTTP_ADDRESS TLS_ADDRESS CERTIFICATE KEY THREADS http1|http2 BACKEND…`

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use log::{LevelFilter, info};
use pingora::Result;
use pingora::lb::{LoadBalancer, health_check::TcpHealthCheck, selection::RoundRobin};
use pingora::listeners::tls::TlsSettings;
use pingora::prelude::{HttpPeer, background_service};
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::{Server, configuration::ServerConf};
use pingora_http::RequestHeader;

struct Balancer {
    backends: Arc<LoadBalancer<RoundRobin>>,
    is_http2: bool,
}

#[async_trait]
impl ProxyHttp for Balancer {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        let backend = self.backends.select(b"", 256);
        let backend = backend.ok_or_else(|| pingora::Error::new_str("no backend is up"))?;
        let mut peer = Box::new(HttpPeer::new(backend, false, String::new()));
        if self.is_http2 {
            peer.options.set_http_version(2, 2);
            peer.options.max_h2_streams = 100;
        }
        Ok(peer)
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        (): &mut (),
    ) -> Result<()> {
        let client = session.client_addr().and_then(|address| address.as_inet());
        let client = client.map_or_else(String::new, |address| address.ip().to_string());
        let passed = request.headers.get("X-Forwarded-For");
        let chain = match passed.and_then(|line| line.to_str().ok()) {
            Some(before) => format!("{before}, {client}"),
            None => client.clone(),
        };
        let connection = session.digest();
        let is_tls = connection.is_some_and(|digest| digest.ssl_digest.is_some());
        request.insert_header("X-Real-IP", client)?;
        request.insert_header("X-Forwarded-For", chain)?;
        request.insert_header("X-Forwarded-Proto", if is_tls { "https" } else { "http" })
    }

    async fn logging(&self, session: &mut Session, _: Option<&pingora::Error>, (): &mut ()) {
        let status = session
            .response_written()
            .map_or(0, |head| head.status.as_u16());
        let client = session
            .client_addr()
            .map(ToString::to_string)
            .unwrap_or_default();
        let request = session.req_header();
        let (method, target) = (&request.method, &request.uri);
        let sent = session.body_bytes_sent();
        info!(
            "{client} \"{method} {target} {:?}\" {status} {sent}",
            request.version
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::Builder::new()
        .filter_level(LevelFilter::Info)
        .init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [
        address,
        tls_address,
        certificate,
        key,
        threads,
        protocol,
        backends @ ..,
    ] = &arguments[..]
    else {
        return Err(
            "usage: HTTP_ADDRESS TLS_ADDRESS CERTIFICATE KEY THREADS http1|http2 BACKEND…".into(),
        );
    };
    let conf = ServerConf {
        threads: threads.parse()?,
        upstream_keepalive_pool_size: 512,
        // Stops when it is told to, and not five minutes later.
        grace_period_seconds: Some(0),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();

    let mut balancer = LoadBalancer::try_from_iter(backends)?;
    balancer.set_health_check(TcpHealthCheck::new());
    balancer.health_check_frequency = Some(Duration::from_secs(1));
    let health_checks = background_service("health check", balancer);
    let balancer = Balancer {
        backends: health_checks.task(),
        is_http2: protocol == "http2",
    };

    let mut service = http_proxy_service(&server.configuration, balancer);
    service.add_tcp(address);
    let mut tls = TlsSettings::intermediate(certificate, key)?;
    tls.enable_h2();
    service.add_tls_with_settings(tls_address, None, tls);
    server.add_service(service);
    server.add_service(health_checks);
    server.run_forever()
}
