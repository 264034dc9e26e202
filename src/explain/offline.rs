//! An explanation without a proxy that runs: from the file alone.

use std::sync::Arc;

use futures::future::join_all;

use super::{Explanation, Question, explain};
use crate::clock::{Clock, SystemClock};
use crate::config::{Checked, Config};
use crate::runtime::Snapshot;
use crate::upstream::{Resolver, Upstream};

/// What would become of a request if the program were started with this file now.
///
/// Names are looked up as they would be. No backend is contacted: those that would be checked are taken for healthy.
pub async fn explain_file(config: Checked<Config>, question: &Question) -> Explanation {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let resolver = Arc::new(Resolver::new(config.resolver.clone()));
    let snapshot = Snapshot::new(config, 1, &clock, &resolver);
    join_all(
        snapshot
            .upstreams
            .iter()
            .map(|upstream| find_backends(upstream)),
    )
    .await;
    let hostname = gethostname::gethostname().to_string_lossy().into_owned();
    let mut told = explain(&snapshot, question, &*clock, &hostname).await;
    let mut upstreams = snapshot.upstreams.iter();
    let asked = upstreams.find(|upstream| told.upstream.as_deref() == Some(upstream.name()));
    if asked.is_some_and(|upstream| upstream.config().health_check.is_some()) {
        for backend in &mut told.backends {
            backend.health = "unknown";
        }
    }
    told
}

async fn find_backends(upstream: &Upstream) {
    upstream.publish_backends().await;
    let names = upstream.names().into_iter();
    join_all(names.map(|name| upstream.resolve(name))).await;
    upstream.trust_unchecked();
}
