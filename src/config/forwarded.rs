//! `forwarded`: the forwarded headers that backends are sent; at the top level, and per route to override.
//!
//! What the keys do is `semantics::forwarded`'s matter; here is only how they are written. Every key is optional: at
//! the top level what is left out has its default, in a route it is as at the top level.

use super::read::{Read, Show, Word};
use super::reader::Reader;
use super::schema;
use super::section::section;
use super::tree::Tree;
use super::word::{show_word, word_of};
use crate::semantics::forwarded::{HostHeader, Policy, XForwardedFor};

section! {
    /// The forwarded headers that backends are sent; in a route, what is left out is as at the top level.
    #[derive(Default)]
    pub(super) struct Overrides {
        /// The X-Forwarded-For header: `append` the peer to it, `replace` it by the client, or `off`.
        pub(super) x_forwarded_for: Option<XForwardedFor>,
        /// Send X-Forwarded-Proto: the scheme of the request, `http` or `https`.
        pub(super) x_forwarded_proto: Option<bool>,
        /// Send X-Forwarded-Host: the Host header as the client sent it.
        pub(super) x_forwarded_host: Option<bool>,
        /// Send X-Forwarded-Port: the port that the client connected to.
        pub(super) x_forwarded_port: Option<bool>,
        /// Send X-Real-IP: the address of the client.
        pub(super) x_real_ip: Option<bool>,
        /// Send the Forwarded header of RFC 7239 as well.
        pub(super) rfc7239: Option<bool>,
        /// The Host header: `preserve` it as the client sent it, or send the address of the `upstream`'s backend.
        pub(super) host: Option<HostHeader>,
    }
}

impl Overrides {
    /// The policy that comes of these keys over `base`.
    pub(super) fn over(&self, base: &Policy) -> Policy {
        Policy {
            x_forwarded_for: self.x_forwarded_for.unwrap_or(base.x_forwarded_for),
            x_forwarded_proto: self.x_forwarded_proto.unwrap_or(base.x_forwarded_proto),
            x_forwarded_host: self.x_forwarded_host.unwrap_or(base.x_forwarded_host),
            x_forwarded_port: self.x_forwarded_port.unwrap_or(base.x_forwarded_port),
            x_real_ip: self.x_real_ip.unwrap_or(base.x_real_ip),
            rfc7239: self.rfc7239.unwrap_or(base.rfc7239),
            host: self.host.unwrap_or(base.host),
        }
    }
}

/// The same keys at the top level, where they have defaults.
#[derive(Clone, Debug)]
pub(super) struct TopLevel(pub(super) Policy);

impl Read for TopLevel {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let keys = Overrides::read(tree, reader)?;
        Some(TopLevel(keys.over(&Policy::default())))
    }

    fn absent() -> Option<Self> {
        Some(TopLevel(Policy::default()))
    }

    fn schema() -> serde_json::Value {
        let mut schema = Overrides::schema();
        let default = Policy::default();
        for (key, value) in [
            ("x_forwarded_for", default.x_forwarded_for.show()),
            ("x_forwarded_proto", default.x_forwarded_proto.show()),
            ("x_forwarded_host", default.x_forwarded_host.show()),
            ("x_forwarded_port", default.x_forwarded_port.show()),
            ("x_real_ip", default.x_real_ip.show()),
            ("rfc7239", default.rfc7239.show()),
            ("host", default.host.show()),
        ] {
            schema["properties"][key]["default"] = value;
        }
        schema
    }

    fn example() -> String {
        Overrides::example()
    }
}

const X_FORWARDED_FOR: &[(&str, XForwardedFor)] = &[
    ("append", XForwardedFor::Append),
    ("replace", XForwardedFor::Replace),
    ("off", XForwardedFor::Off),
];

impl Word for XForwardedFor {
    const EXAMPLE: &'static str = "append";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, X_FORWARDED_FOR)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(X_FORWARDED_FOR)
    }
}

impl Show for XForwardedFor {
    fn show(&self) -> serde_json::Value {
        show_word(self, X_FORWARDED_FOR)
    }
}

const HOST: &[(&str, HostHeader)] = &[
    ("preserve", HostHeader::Preserve),
    ("upstream", HostHeader::Upstream),
];

impl Word for HostHeader {
    const EXAMPLE: &'static str = "preserve";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, HOST)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(HOST)
    }
}

impl Show for HostHeader {
    fn show(&self) -> serde_json::Value {
        show_word(self, HOST)
    }
}
