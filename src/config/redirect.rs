//! `redirect`: an answer that sends the client elsewhere.

use super::early::late_variable;
use super::environment::Dollar;
use super::read::{Show, Word};
use super::section::section;
use super::word::{show_word, word_of};
use crate::template::{Template, Variable};
use http::StatusCode;
use serde_json::json;

section! {
    /// An answer that sends the client elsewhere.
    #[derive(PartialEq, Eq)]
    pub struct Redirect {
        /// Where to: a URL or a path, with variables of the request. What must not stand in a URL is percent-encoded.
        pub to: Destination,
        /// 301 or 308 for good, 302 or 307 for now. With 307 and 308 the method stays, with 301 and 302 a POST becomes a
        /// GET in most clients.
        pub status: RedirectStatus = RedirectStatus(StatusCode::PERMANENT_REDIRECT),
    }
}

/// Where a redirect leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(pub Template);

/// The status of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedirectStatus(pub StatusCode);

const STATUSES: &[(&str, StatusCode)] = &[
    ("301", StatusCode::MOVED_PERMANENTLY),
    ("302", StatusCode::FOUND),
    ("307", StatusCode::TEMPORARY_REDIRECT),
    ("308", StatusCode::PERMANENT_REDIRECT),
];

impl Word for Destination {
    const EXAMPLE: &'static str = "https://$host$request_uri";
    const DOLLAR: Dollar = Dollar::Template;

    fn parse(text: &str) -> Result<Self, String> {
        let leads_somewhere = ["http://", "https://", "$scheme://", "/"]
            .iter()
            .any(|start| text.starts_with(start));
        if !leads_somewhere || text.starts_with("//") || text.contains(char::is_whitespace) {
            return Err(format!(
                "{text:?} is no place to send a client; write a URL such as `{}`, or a path such as `/new$request_uri`",
                Self::EXAMPLE
            ));
        }
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        if let Some(late) = late_variable(&template, |variable| *variable == Variable::Upstream) {
            return Err(format!(
                "${late} has no value in a redirect, which no backend is asked for; \
write a variable of the request, such as $host or $request_uri"
            ));
        }
        Ok(Destination(template))
    }

    fn template(&self) -> Option<&Template> {
        Some(&self.0)
    }
}

impl Word for RedirectStatus {
    const EXAMPLE: &'static str = "308";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, STATUSES).map(RedirectStatus)
    }

    fn schema() -> serde_json::Value {
        json!({"anyOf": [{"enum": [301, 302, 307, 308]}, {"type": "string", "pattern": "^30[1278]$|\\$\\{"}]})
    }
}

impl Show for RedirectStatus {
    fn show(&self) -> serde_json::Value {
        let word = show_word(&self.0, STATUSES);
        word.as_str()
            .and_then(|word| word.parse::<u16>().ok())
            .into()
    }
}
