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
pub mod tunnel;
pub(crate) mod turned_away;

pub use ctx::Ctx;

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use http::Version;
use pingora_core::apps::{HttpServerApp, ReusedHttpStream};
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};

use crate::clock::Clock;
use crate::observe::access_log::AccessLog;
use crate::runtime::Live;
use crate::upstream::reach::Connector;

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
    /// To backends.
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
        exchange::serve(self, session, ctx).await.map(|()| false)
    }

    /// Pingora does not get as far: attempts are made in `proxy::exchange`.
    async fn upstream_peer(&self, _session: &mut Session, _ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
        Error::e_explain(
            ErrorType::InternalError,
            "attempts are not Pingora's to make",
        )
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
