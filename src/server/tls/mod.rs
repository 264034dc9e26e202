//! TLS towards clients: the handshake, and the certificates that are shown in it.
//!
//! rustls speaks it, with aws-lc-rs. Certificates are in an atomic that the handshake reads, so that a renewed one is shown to the next
//! client and no connection notices. Session tickets are sealed with keys that rustls changes every six hours; they outlive a renewal.
//!
//! - `terminator`: from the configuration to rustls's
//! - `renewal`: the files, watched
//! - `unwilling`: clients with which TLS does not come about
//! - `stream`: a connection over TLS, as the rest of the server sees it

mod renewal;
mod stream;
mod terminator;
mod unwilling;

pub(super) use renewal::watch;
pub(super) use stream::{TlsStream, agreed, session};
pub(super) use terminator::{NoTls, Shown, Terminator};
pub(super) use unwilling::{refuse_http, why};
