//! `rate_limit`: how many requests a client may send.
//!
//! Whether a request is one too many is [`limit`]'s to say, and [`table`] remembers; here a request's key is found, and
//! the client told. Every answer says what is left, in the fields of draft-ietf-httpapi-ratelimit-headers-11
//! (`RateLimit-Policy` and `RateLimit`, structured fields of RFC 9651): `q` requests in a window of `w` seconds, `r` of
//! them available, which are meant to last `t` seconds. `r` over `t` is never more than the rate, as the draft asks
//! (§6), so a client that spaces its requests by them keeps to it. A refusal has `Retry-After` as well.
//!
//! A client on IPv6 has the 2⁶⁴ addresses of its network to choose from (RFC 4291 §2.5.1, RFC 8981). So an IPv6 address
//! counts by its /64, wherever it stands in a key.
//!
//! What was counted stays counted when the configuration is loaded anew, as long as the same limit stands in the same place.

mod limit;
mod table;
#[cfg(test)]
mod tests;

use crate::config::{self, LimitKey};
use crate::filter::{Answer, Denial, Facts, Filter, Name, RequestHead, ResponseHead, Verdict};
use crate::semantics::end::UNIX;
use crate::template::{Template, Values, Variable};
use http::{HeaderValue, StatusCode};
use limit::{Limit, Ticks};
use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::OnceLock;
use std::time::Instant;
use table::{Key, Table};

/// The filter `rate_limit`.
#[derive(Debug)]
pub(in crate::filter) struct RateLimit {
    limit: Limit,
    key: LimitKey,
    status: StatusCode,
    table: Table,
    /// From when on time is counted: when the first request came.
    began: OnceLock<Instant>,
    fields: Fields,
}

/// What clients are told.
#[derive(Debug)]
struct Fields {
    /// What the policy is called.
    name: String,
    /// The policy; it never changes.
    policy: Option<HeaderValue>,
    /// No more than these are told to be available.
    quota: u128,
    policy_field: Name,
    limit_field: Name,
    retry_field: Name,
}

impl RateLimit {
    pub(in crate::filter) fn new(written: &config::RateLimit) -> Self {
        let rate = written.rate;
        let policy = format!(
            "\"{rate}\";q={};w={}",
            rate.requests,
            rate.per.length().as_secs()
        );
        RateLimit {
            limit: Limit::new(rate, written.burst),
            key: written.key.clone(),
            status: written.status,
            table: Table::new(),
            began: OnceLock::new(),
            fields: Fields {
                name: rate.to_string(),
                policy: policy.try_into().ok(),
                quota: rate.requests.get().into(),
                policy_field: Name::from_static("RateLimit-Policy"),
                limit_field: Name::from_static("RateLimit"),
                retry_field: Name::from_static("Retry-After"),
            },
        }
    }

    /// The bucket that a request belongs to; none when it is not counted.
    fn key(&self, facts: &Facts<'_>) -> Option<Key> {
        match &self.key {
            LimitKey::Client => Some(match facts.client().map(counted_as) {
                Some(IpAddr::V4(address)) => self.table.key(&address.octets()),
                Some(IpAddr::V6(address)) => self.table.key(&address.octets()),
                // All of them together: nobody can tell them apart.
                None => self.table.key(UNIX.as_bytes()),
            }),
            LimitKey::Text(template) => {
                let text = render(template, facts);
                (!text.is_empty()).then(|| self.table.key(&text))
            }
        }
    }

    fn now(&self, facts: &Facts<'_>) -> Ticks {
        let now = facts.now();
        let began = self.began.get_or_init(|| now);
        self.limit.ticks(now.saturating_duration_since(*began))
    }

    /// `RateLimit`: how many requests are available, and how long these are meant to last.
    fn available(&self, due: Ticks, now: Ticks) -> Option<HeaderValue> {
        let limit = &self.limit;
        let available = limit.available(due, now).min(self.fields.quota);
        let lasting = match available {
            0 => limit.wait(due, now),
            some => limit.time_of(some),
        };
        let seconds = limit.seconds(lasting);
        format!("\"{}\";r={available};t={seconds}", self.fields.name)
            .try_into()
            .ok()
    }

    fn refuse(&self, due: Ticks, now: Ticks) -> Answer {
        let wait = self.limit.seconds(self.limit.wait(due, now));
        let lines = [
            (&self.fields.policy_field, self.fields.policy.clone()),
            (&self.fields.limit_field, self.available(due, now)),
            (&self.fields.retry_field, wait.to_string().try_into().ok()),
        ];
        let refusal = Answer::denied(Denial::TooMany).with_status(self.status);
        lines
            .into_iter()
            .fold(refusal, |answer, (name, value)| match value {
                Some(value) => answer.with(name, value),
                None => answer,
            })
    }
}

impl Filter for RateLimit {
    fn request(&self, _: &mut RequestHead<'_>, facts: &Facts<'_>) -> Verdict {
        let Some(key) = self.key(facts) else {
            return Verdict::Pass;
        };
        let now = self.now(facts);
        match self.table.admit(key, now, &self.limit) {
            Ok(_) => Verdict::Pass,
            Err(due) => self.refuse(due, now).into(),
        }
    }

    fn response(&self, response: &mut ResponseHead<'_>, facts: &Facts<'_>) {
        let Some(key) = self.key(facts) else {
            return;
        };
        let now = self.now(facts);
        let due = self.table.due(key, now);
        let lines = [
            (&self.fields.policy_field, self.fields.policy.clone()),
            (&self.fields.limit_field, self.available(due, now)),
        ];
        for (name, value) in lines {
            if let Some(value) = value {
                response.add(name, value);
            }
        }
    }

    fn reads_upstream_headers(&self) -> bool {
        false
    }
}

/// The address, or the network, that a client is counted as.
fn counted_as(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

fn render(template: &Template, facts: &Facts<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(64);
    template.render(&Counted(facts), &mut text);
    text
}

/// Variables as they stand in a key.
struct Counted<'a>(&'a Facts<'a>);

impl Values for Counted<'_> {
    fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
        let address = match variable {
            Variable::ClientAddress => self.0.client(),
            Variable::PeerAddress => self.0.record().peer,
            other => return self.0.append(other, out),
        };
        let Some(address) = address else {
            return out.extend_from_slice(UNIX.as_bytes());
        };
        // Writing to a Vec does not fail.
        let _ = write!(out, "{}", counted_as(address));
    }
}
