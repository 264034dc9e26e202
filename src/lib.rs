//! Evenkeel: a programmable HTTP load balancer on Cloudflare's Pingora.
//!
//! # The life of a request
//!
//! ```text
//! accept ─ connection (deadlines, limits) ─ request_filter: take the snapshot once ─ route match
//!   ─ upstream_peer: the upstream picks a backend (policy, health) ─ upstream_request_filter: forwarded headers
//!   ─ backend ─ failed? retry decision ─ response_filter ─ client ─ logging: one record feeds the access log
//! ```
//!
//! These words are the names of the files, of the docs and of the log lines.
//!
//! # The layers
//!
//! A module uses only what stands before it; `tests/layering.rs` holds this.
//!
//! | module | what it is |
//! |---|---|
//! | [`clock`] | where time comes from |
//! | [`semantics`] | HTTP's rules as pure functions |
//! | [`template`], [`tls`] | text with variables, compiled once; certificates and keys |
//! | [`config`] | what the operator wrote, typed and checked; the only room that knows YAML |
//! | [`observe`] | access log, and the log of the process |
//! | [`route`], [`upstream`], [`filter`] | which route, which backend, and what is changed on the way |
//! | [`runtime`] | the configuration made alive |
//! | [`decision`] | what is decided of a request, for the proxy and for `explain` alike |
//! | [`proxy`] | Pingora's callbacks |
//! | [`explain`] | why a request goes where it goes |
//! | [`server`] | sockets, connections, background work, the end |
//! | [`cli`] | the command line |
//! | `program` | a program with parts of its own: [`Evenkeel::builder`] |

pub mod cli;
pub mod clock;
pub mod config;
pub mod decision;
pub mod explain;
pub mod filter;
pub mod observe;
mod program;
pub mod proxy;
pub mod route;
pub mod runtime;
pub mod semantics;
pub mod server;
pub mod template;
pub mod tls;
pub mod upstream;

pub use async_trait::async_trait;
pub use bytes;
pub use http;
pub use program::{Builder, Evenkeel};
