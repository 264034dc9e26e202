//! `log` and `access_log`: what is written about the process, and about each request.

use super::diagnostic::closest;
use super::environment::Dollar;
use super::read::{Show, Word};
use super::section::section;
use super::shorthand::Shorthand;
use super::word::alternatives;
use crate::template::Template;
use serde_json::json;
use std::fmt;
use std::path::PathBuf;

section! {
    /// The log of the process itself, on standard error.
    #[derive(PartialEq, Eq)]
    pub struct Log {
        /// What is logged, in the syntax of env_logger: `info`, or `warn,evenkeel=debug`. The variable RUST_LOG wins.
        pub level: Level = Level("info".to_owned()),
    }
}

section! {
    /// One line for each request.
    pub struct AccessLog {
        /// Where the lines go: `stdout`, `stderr`, a file, or `off`.
        pub path: LogDestination = LogDestination::Stdout,
        /// What a line looks like: `json`, `combined`, or a text with variables such as `$remote_addr $status`.
        pub format: LogFormat = LogFormat::Json,
    }
}

impl Shorthand for AccessLog {
    const EXAMPLE: &'static str = "off";

    fn from_word(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(AccessLog {
                path: LogDestination::Off,
                format: LogFormat::Json,
            }),
            _ => Err(format!(
                "{text:?} is not understood here; write `off`, or `{{ path: {text} }}`"
            )),
        }
    }

    fn word_schema() -> serde_json::Value {
        json!({"const": "off"})
    }
}

/// What the process logs; a filter in the syntax of env_logger, which has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level(String);

impl Level {
    /// The filter as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Word for Level {
    const EXAMPLE: &'static str = "info";

    fn parse(text: &str) -> Result<Self, String> {
        let directives = text
            .split_once('/')
            .map_or(text, |(directives, _)| directives);
        for directive in directives.split(',').map(str::trim) {
            check(directive)?;
        }
        Ok(Level(text.to_owned()))
    }
}

/// One directive: a level, `module=level`, or a module. env_logger takes any word for a module, also a level with a
/// typo, and would then log nothing else; so a word alone must be a level or a path (`evenkeel::proxy`).
fn check(directive: &str) -> Result<(), String> {
    let level = directive
        .split_once('=')
        .map_or(directive, |(_, level)| level);
    if LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level))
        || (level.contains("::") && !directive.contains('='))
    {
        return Ok(());
    }
    let advice = match closest(level, LEVELS) {
        Some(known) => format!("did you mean {known:?}?"),
        None => format!("write {}, or `module=level`", alternatives(&LEVELS)),
    };
    Err(format!("{level:?} is no log level; {advice}"))
}

impl Show for Level {
    fn show(&self) -> serde_json::Value {
        json!(self.0)
    }
}

/// Where the lines of the access log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogDestination {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
    /// Nowhere.
    Off,
}

impl Word for LogDestination {
    const EXAMPLE: &'static str = "stdout";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "stdout" => Ok(LogDestination::Stdout),
            "stderr" => Ok(LogDestination::Stderr),
            "off" => Ok(LogDestination::Off),
            "true" | "false" | "on" => Err(format!(
                "`{text}` cannot stand here; write `stdout`, `stderr`, a file, or `off`"
            )),
            file => PathBuf::parse(file).map(LogDestination::File),
        }
    }
}

impl Show for LogDestination {
    fn show(&self) -> serde_json::Value {
        match self {
            LogDestination::Stdout => json!("stdout"),
            LogDestination::Stderr => json!("stderr"),
            LogDestination::File(path) => path.show(),
            LogDestination::Off => json!("off"),
        }
    }
}

/// What a line of the access log looks like.
#[derive(Clone, Debug)]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// The combined format of nginx and Apache.
    Combined,
    /// The operator's own, made of variables.
    Template(Template),
}

impl Word for LogFormat {
    const EXAMPLE: &'static str = "json";
    const DOLLAR: Dollar = Dollar::Template;

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(LogFormat::Json),
            "combined" => Ok(LogFormat::Combined),
            word if !word.contains('$') => Err(format!(
                "{word:?} is no log format; \
write `json`, `combined`, or a text with variables such as `$remote_addr $status`"
            )),
            template => match Template::parse(template) {
                Ok(template) => Ok(LogFormat::Template(template)),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    fn template(&self) -> Option<&Template> {
        match self {
            LogFormat::Template(template) => Some(template),
            LogFormat::Json | LogFormat::Combined => None,
        }
    }
}

impl Show for LogFormat {
    fn show(&self) -> serde_json::Value {
        match self {
            LogFormat::Json => json!("json"),
            LogFormat::Combined => json!("combined"),
            LogFormat::Template(_) => serde_json::Value::Null,
        }
    }
}
