//! `limits` of a listener: how much clients may send, and how many of them there may be.

use super::read::{Show, Word};
use super::reader::Reader;
use super::section::section;
use super::size::Size;
use super::spot::Spot;
use crate::semantics::head;
use serde_json::json;

/// How much clients may send, and how many of them there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Connections at a time; unlimited without.
    pub connections: Option<usize>,
    /// Connections at a time of one client; unlimited without.
    pub connections_per_client: Option<u32>,
    /// What the head of a request may be.
    pub head: head::Limits,
    /// Bytes of a request's body; unlimited without.
    pub body_bytes: Option<u64>,
    /// Requests on one connection; unlimited without.
    pub requests_per_connection: Option<u32>,
}

section! {
    /// How much clients may send, and how many of them there may be.
    pub(super) struct ListenerLimitsEntry {
        /// Connections at a time; when there are so many, no more are accepted until one is closed.
        connections: Option<usize> [1..=10_000_000],
        /// Connections at a time of one client, an IPv4 address or an IPv6 network of 64 bits; more are closed at once. Those of `trusted_proxies` are not counted.
        connections_per_client: Option<Spot<u32>> [1..=1_000_000],
        /// The head of a request, its first line and its header lines; a larger one is answered 431.
        header_bytes: Size [1 << 10..=512 << 10] = Size(head::Limits::default().bytes as u64),
        /// Header lines of a request; one with more is answered 431.
        headers: usize [1..=head::MOST_HEADERS] = head::Limits::default().headers,
        /// The target of a request, that is its URI; a longer one is answered 414.
        uri_bytes: Spot<Size> [16..=63 << 10] = Spot::default_value(Size(head::Limits::default().target as u64)),
        /// The body of a request, or `unlimited`; a larger one is answered 413.
        body_bytes: BodyBytes = BodyBytes(None),
        /// Requests on one connection; the last one is answered with `Connection: close`.
        requests_per_connection: Option<u32> [1..=u32::MAX],
    }
}

/// A size, or no limit.
#[derive(Clone, Copy, Debug)]
struct BodyBytes(Option<u64>);

const UNLIMITED: &str = "unlimited";

impl ListenerLimitsEntry {
    /// The limits, once it is seen that none hides another.
    pub(super) fn build(self, reader: &mut Reader<'_>) -> ListenerLimits {
        let (bytes, target) = (self.header_bytes.0, self.uri_bytes.value.0);
        if let Some(place) = &self.uri_bytes.place
            && target > bytes
        {
            reader.fault_at(
                place,
                format!(
                    "a target stands in a head, which may have {bytes} bytes here; write no more than that, or raise `header_bytes`"
                ),
            );
        }
        let per_client = self.connections_per_client;
        if let (Some(per_client), Some(all)) = (&per_client, self.connections)
            && let Some(place) = &per_client.place
            && per_client.value as usize >= all
        {
            reader.fault_at(
                place,
                format!("all clients together may have no more than {all} (`connections`); write less than that, or remove this"),
            );
        }
        let in_memory = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        ListenerLimits {
            connections: self.connections,
            connections_per_client: per_client.map(|per_client| per_client.value),
            head: head::Limits {
                bytes: in_memory(bytes),
                headers: self.headers,
                target: in_memory(target.min(bytes)),
            },
            body_bytes: self.body_bytes.0,
            requests_per_connection: self.requests_per_connection,
        }
    }
}

impl Word for BodyBytes {
    const EXAMPLE: &'static str = Size::EXAMPLE;

    fn parse(text: &str) -> Result<Self, String> {
        if text == UNLIMITED {
            return Ok(BodyBytes(None));
        }
        let size = Size::parse(text).map_err(|message| format!("{message}, or `{UNLIMITED}`"))?;
        Ok(BodyBytes(Some(size.0)))
    }

    fn schema() -> serde_json::Value {
        json!({"anyOf": [{"const": UNLIMITED}, <Size as Word>::schema()]})
    }
}

impl Show for BodyBytes {
    fn show(&self) -> serde_json::Value {
        self.0
            .map_or_else(|| json!(UNLIMITED), |bytes| Size(bytes).show())
    }
}
