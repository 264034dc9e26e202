//! The log of the process itself, whose level can change while it runs.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use log::{LevelFilter, Log, Metadata, Record};

use crate::config::Level;

/// The one log of the process, as the crate `log` wants it.
static LOG: OnceLock<ProcessLog> = OnceLock::new();

/// What is logged now.
struct ProcessLog(ArcSwap<env_logger::Logger>);

/// Begins to log at `level`, or goes on at it. The variable `RUST_LOG` wins over it, here as elsewhere.
///
/// Pingora tells of its own life at `info`; what an operator needs of that is told by us.
pub fn follow(level: &Level) {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| {
        format!(
            "pingora=warn,pingora_core=warn,pingora_proxy=warn,pingora_load_balancing=off,{}",
            level.as_str()
        )
    });
    log_with(&filter);
}

/// Begins to log what passes `filter`, in the syntax of env_logger, or goes on with it.
pub fn log_with(filter: &str) {
    let logger = env_logger::Builder::new()
        .parse_filters(filter)
        .format_target(false)
        .build();
    let most: LevelFilter = logger.filter();
    let logger = Arc::new(logger);
    match LOG.get() {
        Some(log) => log.0.store(logger),
        None => {
            let log = LOG.get_or_init(|| ProcessLog(ArcSwap::new(logger)));
            // It fails where the program has a log of its own, which it keeps then.
            if log::set_logger(log).is_err() {
                return;
            }
        }
    }
    log::set_max_level(most);
}

impl Log for ProcessLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.load().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.0.load().log(record);
    }

    fn flush(&self) {
        self.0.load().flush();
    }
}
