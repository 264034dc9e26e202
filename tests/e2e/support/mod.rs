//! What the tests stand on: the real program in a guard, backends that behave and backends that do not, and
//! clients that send exactly what they are given. Every wait has a deadline, so a test that would hang fails.

mod backend;
mod change;
mod client;
mod dns;
pub(crate) mod frames;
mod gate;
mod grpc;
mod hello;
mod http2;
mod http2_backend;
mod lines;
mod load;
mod proxy;
mod tls;
mod tls_client;
mod unix_socket;
mod unwilling;

pub(crate) use backend::{Backend, Conversation, Request, ok, ports};
pub(crate) use change::{CHANGE, CHANGED, Change, NOTE, REFUSED, SAME};
pub(crate) use client::{Answer, Client, ask, get, get_with, refuses};
pub(crate) use dns::{DnsServer, Mood};
pub(crate) use gate::GatedBackend;
pub(crate) use grpc::{GrpcAnswer, GrpcBackend};
pub(crate) use hello::HelloBackend;
pub(crate) use http2::{Http2Answer, Http2Client, request};
pub(crate) use http2_backend::{Http2Backend, Incoming, fields_of};
pub(crate) use load::Load;
pub(crate) use proxy::{Proxy, evenkeel, example, in_front_of, output_of, upstream_of, write_file};
pub(crate) use tls::{Authority, Certificate, expired};
pub(crate) use tls_client::TlsClient;
pub(crate) use unix_socket::{UnixSocket, port_to};
pub(crate) use unwilling::{FullBackend, RefusingBackend};

use std::time::Duration;

/// Nothing that a test waits for takes nearly this long, even on a machine that is busy with other things.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// How long a test waits for what must come.
fn patience() -> Duration {
    change::patience().unwrap_or(DEADLINE)
}

const PAUSE: Duration = Duration::from_millis(5);

/// Polls until `holds`; fails the test when it does not in time.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let mut left = patience();
    while !holds() {
        left = left.saturating_sub(PAUSE);
        assert!(!left.is_zero(), "waited in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}
