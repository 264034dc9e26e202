//! Pingora's callbacks.
//!
//! [`Proxy`] implements Pingora's `ProxyHttp`; every callback only points to its file under `phase/`. What they share travels in the
//! request's [`Ctx`]. A failure anywhere becomes a [`failure::Failure`], and that table alone decides what the client sees.

pub mod connection;
mod ctx;
mod departure;
mod exchange;
pub mod failure;
mod filters;
mod http1_0;
mod json;
mod phase;
mod record;
pub(crate) mod reply;
mod stall;
pub mod tunnel;
pub(crate) mod turned_away;

pub use ctx::Ctx;

use std::os::fd::RawFd;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Version;
use pingora_core::apps::{HttpServerApp, ReusedHttpStream};
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::Digest;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};

use crate::clock::Clock;
use crate::observe::access_log::AccessLog;
use crate::runtime::Live;
use crate::upstream::http1::Connector;

use turned_away::Reporter;

/// Pingora's engine, driving [`Proxy`], and beside it who reports what never gets to the engine.
pub struct HttpProxy {
    engine: Engine,
    /// The same with [`http1_0`], which costs each request a little, so that only those have it that need it. Made when the first one comes.
    engine_for_http1_0: LazyLock<Engine, Box<dyn FnOnce() -> Engine + Send>>,
    access_log: Arc<AccessLog>,
    reporter: Reporter,
}

type Engine = Arc<pingora_proxy::HttpProxy<Proxy>>;

impl HttpProxy {
    /// An engine with these settings.
    pub fn new(settings: &Arc<ServerConf>, proxy: Proxy) -> Self {
        let reporter = Reporter::new(&proxy);
        let access_log = Arc::clone(&proxy.access_log);
        let engine = |settings: &_, proxy| Arc::new(pingora_proxy::http_proxy(settings, proxy));
        let for_http1_0 = Proxy {
            speaks_http1_0: true,
            ..proxy.clone()
        };
        let again = Arc::clone(settings);
        Self {
            engine: engine(settings, proxy),
            engine_for_http1_0: LazyLock::new(Box::new(move || engine(&again, for_http1_0))),
            access_log,
            reporter,
        }
    }

    /// Serves one request. The connection, if it can be used again. It hands on the engine's future as it is: one around it would copy the
    /// session, which is large, once more.
    pub(crate) fn serve<'a>(
        &'a self,
        session: ServerSession,
        version: Version,
        stopping: &'a ShutdownWatch,
    ) -> impl Future<Output = Option<ReusedHttpStream>> + Send + 'a {
        let engine = match version {
            Version::HTTP_10 => &self.engine_for_http1_0,
            _ => &self.engine,
        };
        engine.process_new_http(session, stopping)
    }

    /// Whether the access log may have header lines of answers.
    pub(crate) fn logs_answers(&self) -> bool {
        self.access_log.reads_answers()
    }

    /// Reports what never gets to the engine.
    pub(crate) fn reporter(&self) -> &Reporter {
        &self.reporter
    }
}

/// The load balancer, as Pingora's engine drives it.
#[derive(Clone, Debug)]
pub struct Proxy {
    live: Arc<Live>,
    access_log: Arc<AccessLog>,
    clock: Arc<dyn Clock>,
    hostname: String,
    /// To backends that speak HTTP/1.
    connector: Arc<Connector>,
    /// Its clients speak HTTP/1.0.
    speaks_http1_0: bool,
}

impl Proxy {
    /// A proxy that serves each request from the snapshot that is current when the request begins.
    pub fn new(
        live: Arc<Live>,
        access_log: Arc<AccessLog>,
        clock: Arc<dyn Clock>,
        hostname: String,
    ) -> Self {
        Self {
            live,
            access_log,
            clock,
            hostname,
            connector: Arc::default(),
            speaks_http1_0: false,
        }
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Ctx;

    fn new_ctx(&self) -> Ctx {
        Ctx::new(self.live.snapshot(), self.clock.now(), self.clock.wall())
    }

    /// In the place of Pingora's own, which compresses: here that is a filter.
    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        if self.speaks_http1_0 {
            modules.add_module(Box::new(http1_0::Builder));
        }
    }

    fn on_connection_reuse(
        &self,
        _session: &mut Session,
        ctx: &mut Ctx,
        carried: Box<dyn std::any::Any + Send + Sync>,
    ) {
        connection::recall(ctx, carried);
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        connection::recall_stream(session, ctx);
        phase::request::handle(self, session, ctx).await
    }

    async fn proxy_upstream_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        exchange::serve(self, session, ctx).await
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
        phase::upstream_peer::choose(self, session, ctx).await
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        _fd: RawFd,
        _digest: Option<&Digest>,
        ctx: &mut Ctx,
    ) -> Result<()> {
        match reused {
            true => ctx.connected_at_once(),
            false => ctx.connected(self.clock.now()),
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        if session.as_mut().is_body_empty() {
            // Over HTTP/2 no filter of bodies is asked then.
            stall::request_is_whole(ctx);
        }
        phase::upstream_request::prepare(session, request, ctx)
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        is_last: bool,
        ctx: &mut Ctx,
    ) -> Result<()> {
        if is_last {
            stall::request_is_whole(ctx);
        }
        filters::request_body(body.as_ref(), is_last, ctx)
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        phase::upstream_response::check(response)?;
        phase::upstream_response::note(self, session, response, ctx)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        phase::response::prepare(self, session, response, ctx).await
    }

    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        _is_last: bool,
        ctx: &mut Ctx,
    ) -> Result<Option<Duration>> {
        stall::answer_goes_on(ctx);
        Ok(None)
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        is_last: bool,
        ctx: &mut Ctx,
    ) -> Result<Option<Duration>> {
        filters::response_body(body, is_last, ctx)?;
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Ctx,
        error: Box<Error>,
    ) -> Box<Error> {
        phase::failed_attempt::connecting(self, session, ctx, error)
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        ctx: &mut Ctx,
        client_reused: bool,
    ) -> Box<Error> {
        phase::failed_attempt::exchanging(self, session, ctx, error, client_reused)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Ctx,
    ) -> FailToProxy {
        phase::fail::answer(self, session, error, ctx).await
    }

    /// The `logging` phase writes one line for a failed request; Pingora's own would be a second.
    fn suppress_error_log(&self, _session: &Session, _ctx: &Ctx, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _ctx: &Ctx,
        _error: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Ctx) {
        let broken = phase::tunnel::carry(self, session, error, ctx).await;
        phase::logging::report(self, session, error.or(broken.as_deref()), ctx);
    }
}
