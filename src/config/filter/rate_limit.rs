//! `rate_limit`: how many requests a client may send.

use crate::config::early::late_variable;
use crate::config::environment::Dollar;
use crate::config::read::{Read, Show, Word};
use crate::config::reader::Reader;
use crate::config::schema::text_like;
use crate::config::section::section;
use crate::config::tree::Tree;
use crate::template::{Template, Variable};
use http::StatusCode;
use serde_json::json;
use std::num::NonZeroU32;
use std::time::Duration;

/// The most requests that can be written, of a rate and of a burst.
const MOST: u32 = 1_000_000;

/// So many requests, and so many at once, for each key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// So many in the long run.
    pub rate: Rate,
    /// So many at once.
    pub burst: NonZeroU32,
    /// What tells clients apart.
    pub key: LimitKey,
    /// What the others are answered.
    pub status: StatusCode,
}

section! {
    /// How many requests a client may send; others are answered 429.
    struct Entry {
        /// How many requests in the long run: a number for each second, minute or hour, `100/s`, `30/m` or `1000/h`.
        rate: Rate,
        /// How many requests may come at once after a pause; by default as many as the rate has in its second, minute
        /// or hour.
        burst: Option<u32> [1..=MOST],
        /// What tells clients apart: a text with variables of the request. Requests with the same text share one limit;
        /// those for which it is empty have none. IPv6 addresses count by their /64.
        key: LimitKey = LimitKey::Client,
        /// The status of a request that is one too many, 400 to 599.
        status: RefusalStatus = RefusalStatus(StatusCode::TOO_MANY_REQUESTS),
    }
}

impl Read for RateLimit {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let entry = Entry::read(tree, reader)?;
        let burst = entry.burst.and_then(NonZeroU32::new);
        Some(RateLimit {
            burst: burst.unwrap_or(entry.rate.requests),
            rate: entry.rate,
            key: entry.key,
            status: entry.status.0,
        })
    }

    fn schema() -> serde_json::Value {
        Entry::schema()
    }

    fn example() -> String {
        Entry::example()
    }
}

/// A number of requests for each unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many requests.
    pub requests: NonZeroU32,
    /// In this time.
    pub per: Unit,
}

/// The time that a rate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

const UNITS: [(&str, Unit); 3] = [("s", Unit::Second), ("m", Unit::Minute), ("h", Unit::Hour)];

impl Unit {
    /// How long it is.
    pub fn length(self) -> Duration {
        Duration::from_secs(match self {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 60 * 60,
        })
    }
}

/// As it is written.
impl std::fmt::Display for Rate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = UNITS.iter().find(|(_, unit)| *unit == self.per);
        write!(
            out,
            "{}/{}",
            self.requests,
            unit.map_or("", |(name, _)| name)
        )
    }
}

impl Word for Rate {
    const EXAMPLE: &'static str = "100/s";

    fn parse(text: &str) -> Result<Self, String> {
        let read = || {
            let (number, unit) = text.split_once('/')?;
            let (_, per) = UNITS.iter().find(|(name, _)| *name == unit)?;
            let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
            let number = number.parse().ok().filter(|_| is_plain)?;
            let requests = NonZeroU32::new(number).filter(|number| number.get() <= MOST)?;
            Some(Rate {
                requests,
                per: *per,
            })
        };
        read().ok_or_else(|| {
            format!(
                "{text:?} is no rate; write a whole number from 1 to {MOST} for each second, minute or hour, \
such as `100/s`, `30/m` or `1000/h`"
            )
        })
    }

    fn schema() -> serde_json::Value {
        text_like("^[0-9]+/[smh]$")
    }
}

/// What tells clients apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitKey {
    /// The client's address.
    Client,
    /// A text with variables of the request, or the same text for all of them.
    Text(Template),
}

impl Word for LimitKey {
    const EXAMPLE: &'static str = "$remote_addr";
    const DOLLAR: Dollar = Dollar::Template;
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        if matches!(text, "$remote_addr" | "${remote_addr}") {
            return Ok(LimitKey::Client);
        }
        if text.is_empty() {
            return Err(
                "without a key no request would be counted; write a variable, such as $remote_addr, \
or a word, such as `all`, for one limit that all requests share"
                    .to_owned(),
            );
        }
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        match late_variable(&template, |variable| *variable == Variable::Upstream) {
            None => Ok(LimitKey::Text(template)),
            Some(late) => Err(format!(
                "${late} is not known yet when a request comes; \
write a variable of the request, such as $remote_addr or $http_NAME"
            )),
        }
    }
}

impl Show for LimitKey {
    fn show(&self) -> serde_json::Value {
        match self {
            LimitKey::Client => json!(Self::EXAMPLE),
            LimitKey::Text(_) => serde_json::Value::Null,
        }
    }
}

/// A status that says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RefusalStatus(StatusCode);

impl Word for RefusalStatus {
    const EXAMPLE: &'static str = "429";

    fn parse(text: &str) -> Result<Self, String> {
        let status = StatusCode::from_bytes(text.as_bytes()).ok();
        let refusal = status.filter(|status| status.is_client_error() || status.is_server_error());
        refusal.map(RefusalStatus).ok_or_else(|| {
            format!("{text:?} is no status of a refusal; write one from 400 to 599, such as `429` or `503`")
        })
    }

    fn schema() -> serde_json::Value {
        json!({"type": ["integer", "string"], "minimum": 400, "maximum": 599, "pattern": "\\$\\{"})
    }
}

impl Show for RefusalStatus {
    fn show(&self) -> serde_json::Value {
        json!(self.0.as_u16())
    }
}
