//! From what was written to filters.

use super::builtin::{
    BasicAuth, BodyLimit, Compress, Cors, Hashing, IpAccess, RateLimit, RequestHeaders,
    ResponseHeaders, Rewrite,
};
use super::link::{Kind, Link, Links};
use super::{AsyncFilter, Filter};
use crate::config;
use std::sync::Arc;

/// What the filters of one configuration have in common.
#[derive(Debug, Default)]
pub struct Shared {
    hashing: Arc<Hashing>,
}

/// The filters that stand in one place of the file.
pub fn links(written: &[config::Filter], shared: &Shared) -> Links {
    Links::new(written.iter().map(|written| link(written, shared)))
}

/// What holds a listener's clients to its limits, before any filter sees a request.
pub fn limits(written: &config::ListenerLimits) -> Links {
    let body = written.body_bytes.map(config::BodyLimit);
    Links::new(
        body.map(|most| now("body_bytes", BodyLimit::new(most)))
            .into_iter(),
    )
}

fn link(written: &config::Filter, shared: &Shared) -> Link {
    use config::Filter as F;
    match written {
        F::RequestHeaders(written) => now("request_headers", RequestHeaders::new(written)),
        F::ResponseHeaders(written) => now("response_headers", ResponseHeaders::new(written)),
        F::Rewrite(written) => now("rewrite", Rewrite::new(written)),
        F::BodyLimit(written) => now("body_limit", BodyLimit::new(*written)),
        F::IpAccess(written) => now("ip_access", IpAccess::new(written)),
        F::Cors(written) => now("cors", Cors::new(written)),
        F::Compress(written) => now("compress", Compress::new(written)),
        F::RateLimit(written) => now("rate_limit", RateLimit::new(written)),
        F::BasicAuth(written) => waiting("basic_auth", BasicAuth::new(written, &shared.hashing)),
        F::Own(own) => {
            let kind = own.part::<Kind>();
            let kind = kind.expect("only `register` adds filters to a vocabulary");
            Link::new(&own.name, kind.clone())
        }
    }
}

fn now(name: &str, filter: impl Filter + 'static) -> Link {
    Link::new(name, Kind::Now(Arc::new(filter)))
}

fn waiting(name: &str, filter: impl AsyncFilter + 'static) -> Link {
    Link::new(name, Kind::Waiting(Arc::new(filter)))
}
