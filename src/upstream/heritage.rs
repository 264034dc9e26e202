//! What an upstream takes over from the one that had its name in the configuration before.
//!
//! An upstream whose settings are the same is not made anew at all. Where something is different, its backends are still the same machines:
//! what is known of their health holds as long as they are asked in the same way, and as long as they are connected to in the same way,
//! they are the same objects, with their requests in flight, their failures and their place under `max_requests`. A policy that is the same goes
//! on where it was. So a file that is loaded
//! under load makes no backend forget what it is doing, and none that is down is taken for healthy.

use std::sync::Arc;
use std::time::Instant;

use super::admission::Kind;
use super::balance::Policy;
use super::discovery::Memory;
use super::queue::Queue;
use super::roster::Lineup;
use super::upstream::Upstream;
use crate::config;

/// What there was before; nothing for the first upstream of a name.
#[derive(Default)]
pub(super) struct Heritage {
    /// Those who were backends.
    pub(super) lineup: Option<Arc<Lineup>>,
    /// What names stood for.
    pub(super) memory: Memory,
    /// Whether backends go on as they are, and who waits for them with them.
    pub(super) is_alike: bool,
    /// Whether what is known of their health holds.
    pub(super) keeps_health: bool,
    /// Where requests wait for them.
    pub(super) queue: Option<Arc<Queue<Kind>>>,
    /// Who chose among them, and since when it counts time.
    pub(super) policy: Option<(Arc<dyn Policy>, Instant)>,
}

impl Heritage {
    /// What goes from `former` to the upstream that `config` describes.
    pub(super) fn of(former: &Upstream, config: &config::Upstream) -> Self {
        let keeps_health = former.config().health_check == config.health_check;
        let is_alike = keeps_health && connects_alike(former.config(), config);
        Self {
            lineup: Some(former.roster.lineup()),
            memory: former.memory(),
            is_alike,
            keeps_health,
            policy: (former.config().balance == config.balance).then(|| former.policy_in_use()),
            queue: former.roster.shared_queue().filter(|_| is_alike),
        }
    }
}

/// Whether a backend's connections, limits and line are the same under both.
fn connects_alike(former: &config::Upstream, config: &config::Upstream) -> bool {
    former.tls == config.tls
        && former.protocol == config.protocol
        && former.proxy_protocol == config.proxy_protocol
        && former.timeouts == config.timeouts
        && former.connections == config.connections
        && former.queue == config.queue
}
