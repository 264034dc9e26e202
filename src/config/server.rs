//! `server`: what belongs to the process and not to its traffic.

use super::duration::DAY;
use super::read::{Show, Word};
use super::section::section;
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

section! {
    /// The process.
    #[derive(PartialEq, Eq)]
    pub struct Server {
        /// Worker threads: a number, or `auto` for as many as CPUs that this process may use.
        pub threads: Threads = Threads::Auto,
        /// The user that the process becomes once it listens, when it is started as root; it stays who it is by default.
        pub user: Option<UserName>,
        /// File that holds the process id while the process runs; none is written by default.
        pub pid_file: Option<PathBuf>,
        /// How the process stops after SIGTERM.
        pub shutdown: Shutdown,
    }
}

section! {
    /// The two phases of a graceful stop.
    #[derive(PartialEq, Eq)]
    pub struct Shutdown {
        /// Keep serving this long after SIGTERM, until whoever sends the requests has taken notice.
        pub delay: Duration [Duration::ZERO..=DAY] = Duration::ZERO,
        /// Then finish the requests in flight, at most this long; the process ends as soon as none is left.
        pub drain: Duration [Duration::ZERO..=DAY] = Duration::from_secs(30),
    }
}

/// The name of a user of this system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName(pub String);

impl Word for UserName {
    const EXAMPLE: &'static str = "www-data";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-.$".contains(letter);
        if text.is_empty() || text.starts_with('-') || !text.chars().all(is_plain) {
            return Err(format!(
                "{text:?} is no name of a user; write one such as `{}`",
                Self::EXAMPLE
            ));
        }
        Ok(UserName(text.to_owned()))
    }

    fn schema() -> serde_json::Value {
        json!({"type": "string", "minLength": 1})
    }
}

impl Show for UserName {
    fn show(&self) -> serde_json::Value {
        json!(self.0)
    }
}

/// How many worker threads serve requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// As many as CPUs that this process may use.
    Auto,
    /// Exactly so many.
    Count(NonZeroUsize),
}

impl Threads {
    /// More than any machine has CPUs; beyond it a typo is likelier than a wish.
    const MOST: usize = 1024;
}

impl Word for Threads {
    const EXAMPLE: &'static str = "auto";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Threads::Auto);
        }
        match text.parse().ok().and_then(NonZeroUsize::new) {
            Some(count) if count.get() <= Threads::MOST => Ok(Threads::Count(count)),
            _ => Err(format!(
                "{text:?} is no number of threads; write `auto`, or a whole number from 1 to {}",
                Threads::MOST
            )),
        }
    }

    fn schema() -> serde_json::Value {
        json!({"anyOf": [
            {"type": "integer", "minimum": 1, "maximum": Threads::MOST},
            {"type": "string", "pattern": "^auto$|\\$\\{"},
        ]})
    }
}

impl Show for Threads {
    fn show(&self) -> serde_json::Value {
        match self {
            Threads::Auto => json!("auto"),
            Threads::Count(count) => json!(count),
        }
    }
}
