//! The load balancer from outside: the real program, real sockets, and backends that behave and that do not.
//!
//! One file for each topic; the names of the tests are the list of features. What they stand on is in `support`.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod access_log;
mod actions;
mod balancing;
mod basic_auth;
mod client_tls;
mod command_line;
mod compress;
mod configuration;
mod connections;
mod connections_per_client;
mod cors;
mod examples;
mod explain;
mod failover;
mod failures;
mod faults;
mod filters;
mod forwarded;
mod headers;
mod health;
mod health_grpc;
mod http1;
mod http2;
mod http2_backends;
mod integrity;
mod introduced_backends;
mod keys;
mod listener_limits;
mod listener_timeouts;
mod malformed;
mod names;
mod names_that_change;
mod outlier;
mod own_program;
mod path_groups;
mod policies;
mod privileges;
mod proxy_protocol;
mod queue;
mod rate_limit;
mod reloading;
mod retries;
mod routing;
mod services;
mod shipped_files;
mod slowloris;
mod sticky;
mod stopping;
mod support;
mod turned_away;
mod unix_backends;
mod upgrades;
mod upstream_tls;
