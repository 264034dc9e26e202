//! What a filter knows besides the head.

use crate::observe::record::Record;
use crate::template::{Template, Values, Variable};
use std::net::IpAddr;
use std::time::Instant;

/// Everything that is known of a request at this moment.
///
/// All of it is about the request as the client sent it, not as filters have changed it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    record: &'a Record<'a>,
    now: Instant,
}

impl<'a> Facts<'a> {
    /// The facts in `record`, at the moment `now`.
    pub fn new(record: &'a Record<'a>, now: Instant) -> Self {
        Facts { record, now }
    }

    /// This moment, on a clock that never goes back.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The client's address: the peer of the connection, or who is behind it if it is trusted. A client on a Unix socket has none.
    pub fn client(&self) -> Option<IpAddr> {
        self.record.client
    }

    /// The name of the listener.
    pub fn listener(&self) -> &'a str {
        self.record.listener
    }

    /// The name of the route, or its place; none when no route takes the request.
    pub fn route(&self) -> Option<&'a str> {
        self.record.route
    }

    /// The id of the request.
    pub fn request_id(&self) -> &'a str {
        self.record.request_id
    }

    /// Everything else.
    pub fn record(&self) -> &'a Record<'a> {
        self.record
    }

    /// The text of a template, as bytes, appended to `out`.
    pub fn render(&self, template: &Template, out: &mut Vec<u8>) {
        template.render(self, out);
    }
}

impl Values for Facts<'_> {
    fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
        self.record.append(variable, out);
    }
}
