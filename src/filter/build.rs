//! From what was written to filters.

use super::Filter;
use super::builtin::{
    BodyLimit, Compress, Cors, IpAccess, RateLimit, RequestHeaders, ResponseHeaders, Rewrite,
};
use super::link::{Kind, Link, Links};
use crate::config;
use std::sync::Arc;

/// The filters that stand in one place of the file.
pub fn links(written: &[config::Filter]) -> Links {
    Links::new(written.iter().map(link))
}

fn link(written: &config::Filter) -> Link {
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
