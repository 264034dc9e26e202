//! From what was written to filters.

use super::builtin::{
    BasicAuth, BodyLimit, Compress, Cors, Hashing, IpAccess, RateLimit, RequestHeaders,
    ResponseHeaders, Rewrite,
};
use super::link::{Kind, Link, Links};
use super::{AsyncFilter, Filter};
use crate::config;
use std::sync::Arc;

/// What the filters of one configuration have in common, and what they leave to those of the next.
#[derive(Debug, Default)]
pub struct Shared {
    hashing: Arc<Hashing>,
    /// What has counted requests until now.
    former: Counting,
    /// What counts them from now on.
    counting: Counting,
}

/// Each by the place where it stands, and what is written there.
type Counting = Vec<(String, config::RateLimit, Arc<RateLimit>)>;

impl Shared {
    /// For the filters of the configuration that comes next.
    #[must_use]
    pub fn next(&self) -> Self {
        Self {
            hashing: Arc::clone(&self.hashing),
            former: self.counting.clone(),
            counting: Vec::new(),
        }
    }

    /// The limit that is written at `place`: what it has counted stays counted as long as it stands there.
    fn rate_limit(&mut self, place: &str, written: &config::RateLimit) -> Arc<RateLimit> {
        let is_same = |(at, limit, _): &&(String, config::RateLimit, Arc<RateLimit>)| {
            at == place && limit == written
        };
        // One place may have the same limit twice.
        let seen = self.counting.iter().filter(is_same).count();
        let former = self.former.iter().filter(is_same).nth(seen);
        let limit = former.map_or_else(
            || Arc::new(RateLimit::new(written)),
            |(_, _, limit)| Arc::clone(limit),
        );
        let entry = (place.to_owned(), written.clone(), Arc::clone(&limit));
        self.counting.push(entry);
        limit
    }
}

/// The filters that stand in one place of the file, which is called `place`.
pub fn links(written: &[config::Filter], place: &str, shared: &mut Shared) -> Links {
    Links::new(written.iter().map(|written| link(written, place, shared)))
}

/// What holds a listener's clients to its limits, before any filter sees a request.
pub fn limits(written: &config::ListenerLimits) -> Links {
    let body = written.body_bytes.map(config::BodyLimit);
    Links::new(
        body.map(|most| now("body_bytes", BodyLimit::new(most)))
            .into_iter(),
    )
}

fn link(written: &config::Filter, place: &str, shared: &mut Shared) -> Link {
    use config::Filter as F;
    match written {
        F::RequestHeaders(written) => now("request_headers", RequestHeaders::new(written)),
        F::ResponseHeaders(written) => now("response_headers", ResponseHeaders::new(written)),
        F::Rewrite(written) => now("rewrite", Rewrite::new(written)),
        F::BodyLimit(written) => now("body_limit", BodyLimit::new(*written)),
        F::IpAccess(written) => now("ip_access", IpAccess::new(written)),
        F::Cors(written) => now("cors", Cors::new(written)),
        F::Compress(written) => now("compress", Compress::new(written)),
        F::RateLimit(written) => {
            Link::new("rate_limit", Kind::Now(shared.rate_limit(place, written)))
        }
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
