//! The configuration is loaded anew, and takes the place of the one before without anybody noticing.
//!
//! Everything that can fail comes first: the file and all that it names are read and checked, new addresses are bound, logs are opened, and
//! new backends are found and checked once. Only then does anything change, and from then on nothing fails. A file that cannot be used
//! changes nothing: what is wrong is logged, and the configuration before stays. So a file is in force as a whole, or not at all.
//!
//! A request is served to its end by the configuration that it began under.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::join_all;

use super::authorities::Authorities;
use super::background::{self, Embedded, Keepers};
use super::front_door::FrontDoor;
use super::loader::{Loader, Panicked};
use super::pools::{self, Capacity};
use super::privileges;
use crate::clock::Clock;
use crate::config::{self, Checked, Config, Vocabulary};
use crate::observe::access_log::AccessLog;
use crate::observe::process_log;
use crate::runtime::{Live, changes};
use crate::upstream::Resolver;

/// Where the configuration comes from.
#[derive(Debug)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// The words that the program adds to it.
    pub vocabulary: Vocabulary,
}

/// Puts one configuration in the place of another.
pub(super) struct Reload {
    pub(super) source: Arc<Source>,
    /// The one that is in force.
    pub(super) config: Checked<Config>,
    pub(super) live: Arc<Live>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) resolver: Arc<Resolver>,
    pub(super) access_log: Arc<AccessLog>,
    pub(super) front_door: Arc<FrontDoor>,
    pub(super) authorities: Authorities,
    pub(super) loader: Loader,
    /// How many unused connections to backends there is room for.
    pub(super) kept: Capacity,
}

impl Reload {
    /// Loads the file, and says what came of it.
    pub(super) async fn reload(&mut self, keepers: &mut Keepers, embedded: &mut Embedded) {
        let file = self.source.path.display().to_string();
        match self.try_reload(keepers, embedded).await {
            Ok(changes) => {
                let generation = self.live.snapshot().generation;
                let changes = match changes.is_empty() {
                    true => "nothing is different".to_owned(),
                    false => changes.join(", "),
                };
                log::info!("reloaded {file}, generation {generation}: {changes}");
            }
            Err(why) => {
                for line in why.lines() {
                    log::error!("reload: {line}");
                }
                log::error!(
                    "reload: {file} is not used; the configuration before it stays in force"
                );
            }
        }
    }

    async fn try_reload(
        &mut self,
        keepers: &mut Keepers,
        embedded: &mut Embedded,
    ) -> Result<Vec<String>, String> {
        let source = Arc::clone(&self.source);
        let load = move || config::load_with(&source.path, &source.vocabulary);
        let loaded = self.loader.run(load).await.map_err(bug)?;
        let next = loaded.map_err(|faults| faults.to_string())?;
        self.refuse_what_stays(&next)?;
        let plan = self.front_door.plan(&next.listeners)?;
        let lines = self.access_log.prepare(&next.access_log);
        let lines = lines.map_err(|error| error.to_string())?;
        let changes = changes(&self.config, &next);

        let is_same_resolver = self.config.resolver == next.resolver;
        let resolver = match is_same_resolver {
            true => Arc::clone(&self.resolver),
            false => Arc::new(Resolver::new(next.resolver.clone())),
        };
        embedded.open(&next.embedded_backends).await;
        let former = self.live.snapshot();
        let (config, clock) = (next.clone(), Arc::clone(&self.clock));
        let looks_up = Arc::clone(&resolver);
        let build = move || former.next(config, &clock, &looks_up, is_same_resolver);
        let snapshot = self.loader.run(build).await.map_err(bug)?;
        let new = snapshot.upstreams.iter();
        let new = new.filter(|upstream| !keepers.have(upstream)).cloned();
        let begun = join_all(new.map(|upstream| background::begin(upstream, keepers.connector())));
        let begun = begun.await;

        for warning in next.warnings(self.clock.wall()) {
            log::warn!("{warning}");
        }
        self.authorities.warn_whoever_needs_them(&next);
        privileges::look_at_files(&self.source.path, &next);
        process_log::follow(&next.log.level);
        self.front_door.close_others(&plan);
        keepers.follow(begun, &snapshot.upstreams);
        self.live.follow(snapshot);
        self.front_door.follow(plan);
        embedded.close_others(&next.embedded_backends);
        self.resolver = resolver;
        self.config = next;
        // Whoever writes to the former one at this moment is not held up: it closes when the last of them is done.
        let access_log = Arc::clone(&self.access_log);
        // It does not panic.
        let _ = self.loader.run(move || access_log.follow(lines)).await;
        Ok(changes)
    }

    /// What belongs to the process cannot change while it runs: such a file is refused, since it would not be true.
    fn refuse_what_stays(&self, next: &Config) -> Result<(), String> {
        let (former, server) = (&self.config.server, &next.server);
        let mut refused = Vec::new();
        if former.threads != server.threads {
            refused.push("server.threads");
        }
        if former.pid_file != server.pid_file {
            refused.push("server.pid_file");
        }
        if former.user != server.user {
            refused.push("server.user");
        }
        let mut refused: Vec<_> = refused
            .into_iter()
            .map(|key| format!("{key} cannot change while the process runs; restart it, or write what was there before"))
            .collect();
        let wanted = pools::kept(next);
        if wanted > self.kept.0 {
            refused.push(format!(
                "upstreams: `connections.keepalive` of all over HTTP/2 together is {wanted}, and this process can keep {}; restart it, or write less",
                self.kept.0
            ));
        }
        match refused.is_empty() {
            true => Ok(()),
            false => Err(refused.join("\n")),
        }
    }
}

fn bug(_: Panicked) -> String {
    "the program has panicked over it, which is a bug; please report it with the message of the panic above".to_owned()
}
