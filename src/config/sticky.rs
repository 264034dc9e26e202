//! `sticky`: a cookie that keeps a client on its backend.
//!
//! Browsers drop a cookie that breaks one of their rules without a word, and the sessions would then wander. Those
//! rules are held here: `SameSite=None` and the prefix `__Secure-` need `Secure`, and so does `__Host-`
//! (draft-ietf-httpbis-rfc6265bis §4.1.3, §5.6, §5.7). The name is a token (RFC 6265 §4.1.1).

use super::diagnostic::Place;
use super::duration::format;
use super::read::{Show, Word};
use super::reader::Reader;
use super::schema;
use super::section::section;
use super::shorthand::Shorthand;
use super::spot::Spot;
use super::word::{show_word, word_of};
use crate::semantics::cookie::SameSite;
use crate::semantics::rfc7239::is_token;
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Browsers keep no cookie for longer (rfc6265bis §5.5).
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The cookie that keeps a client on its backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// Its name.
    pub cookie: String,
    /// How long a browser keeps it, in whole seconds; without it until the browser ends.
    pub ttl: Option<Duration>,
    /// Whether browsers send it over TLS only.
    pub secure: bool,
    /// Whether it is kept from scripts.
    pub http_only: bool,
    /// Whether browsers send it with requests that other sites cause.
    pub same_site: SameSite,
}

section! {
    /// The cookie that keeps a client on its backend.
    pub(super) struct StickyEntry {
        /// Its name; one that no backend uses for itself.
        pub(super) cookie: Spot<CookieName>,
        /// How long a browser keeps it after the last answer, in whole seconds; by default until the browser ends.
        pub(super) ttl: Option<Spot<Duration>> [SECOND..=LONGEST],
        /// Whether browsers send it over TLS only.
        pub(super) secure: bool = false,
        /// Whether it is kept from scripts.
        pub(super) http_only: bool = true,
        /// Whether browsers send it with requests that other sites cause: `strict`, `lax` or `none`.
        pub(super) same_site: Spot<SameSite> = Spot::default_value(SameSite::Lax),
    }
}

impl StickyEntry {
    /// The cookie, once it is one that browsers will keep.
    pub(super) fn build(self, reader: &mut Reader<'_>) -> Sticky {
        let mut fault = |place: &Option<Place>, message: String| {
            if let Some(place) = place {
                reader.fault_at(place, message);
            }
        };
        let name = &self.cookie.value.0;
        if let (Some(prefix), false) = (secure_prefix(name), self.secure) {
            let message = format!(
                "browsers refuse a cookie whose name begins with {prefix:?} and that is not secure; \
add `secure: true`, or take another name"
            );
            fault(&self.cookie.place, message);
        }
        if self.same_site.value == SameSite::None && !self.secure {
            let message = "browsers refuse a cookie for all sites that is not secure; \
add `secure: true`, or write `same_site: lax`";
            fault(&self.same_site.place, message.to_owned());
        }
        if let Some(Spot { place, value }) = &self.ttl
            && value.subsec_nanos() > 0
        {
            let seconds = format(Duration::from_secs(value.as_secs() + 1));
            let message =
                format!("a cookie lives for whole seconds; write for example `{seconds}`");
            fault(place, message);
        }
        Sticky {
            cookie: self.cookie.value.0,
            ttl: self.ttl.map(|ttl| ttl.value),
            secure: self.secure,
            http_only: self.http_only,
            same_site: self.same_site.value,
        }
    }
}

fn secure_prefix(name: &str) -> Option<&'static str> {
    ["__Secure-", "__Host-"].into_iter().find(|prefix| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    })
}

impl Shorthand for Option<Spot<StickyEntry>> {
    const EXAMPLE: &'static str = "{ cookie: backend }";

    fn from_word(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(None),
            _ => Err(format!(
                "{text:?} is not understood here; write `{}`, or `off`",
                Self::EXAMPLE
            )),
        }
    }

    fn word_schema() -> serde_json::Value {
        json!({"const": "off"})
    }
}

/// The name of a cookie.
#[derive(Clone, Debug)]
pub(super) struct CookieName(String);

impl Word for CookieName {
    const EXAMPLE: &'static str = "backend";

    fn parse(text: &str) -> Result<Self, String> {
        if is_token(text.as_bytes()) {
            return Ok(CookieName(text.to_owned()));
        }
        Err(format!(
            "{text:?} is no name of a cookie; \
write one of letters, digits and `-`, `_`, such as `backend`"
        ))
    }

    fn schema() -> serde_json::Value {
        schema::text_like("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")
    }
}

const SITES: &[(&str, SameSite)] = &[
    ("strict", SameSite::Strict),
    ("lax", SameSite::Lax),
    ("none", SameSite::None),
];

impl Word for SameSite {
    const EXAMPLE: &'static str = "lax";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, SITES)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(SITES)
    }
}

impl Show for SameSite {
    fn show(&self) -> serde_json::Value {
        show_word(self, SITES)
    }
}
