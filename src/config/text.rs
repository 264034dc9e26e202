//! Plain text, names and file paths.

use super::read::{Show, Word};
use serde_json::json;
use std::path::PathBuf;

impl Word for String {
    const EXAMPLE: &'static str = "some text";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

/// A name that appears in routes and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(pub(super) String);

impl Name {
    /// So that a line of log stays readable.
    const LONGEST: usize = 64;
}

impl Word for Name {
    const EXAMPLE: &'static str = "web";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let strange = |letter: char| letter.is_whitespace() || letter.is_control() || letter == '"';
        if text.is_empty() || text.contains(strange) {
            return Err(format!(
                "{text:?} is no name; \
write one without spaces, control characters and double quotes"
            ));
        }
        if text.chars().count() > Name::LONGEST {
            return Err(format!(
                "this name is too long; write one of at most {} characters",
                Name::LONGEST
            ));
        }
        Ok(Name(text.to_owned()))
    }

    fn schema() -> serde_json::Value {
        json!({"type": "string", "minLength": 1})
    }
}

impl Word for PathBuf {
    const EXAMPLE: &'static str = "/run/evenkeel.pid";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') {
            return Err(format!(
                "{text:?} is no file; write a path such as `{}`",
                Self::EXAMPLE
            ));
        }
        Ok(PathBuf::from(text))
    }
}

impl Show for PathBuf {
    fn show(&self) -> serde_json::Value {
        json!(self.to_string_lossy())
    }
}
