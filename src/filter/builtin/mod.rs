//! The filters that are always there, one file each.

mod basic_auth;
mod body_limit;
mod compress;
mod cors;
mod headers;
mod ip_access;
mod rate_limit;
mod rewrite;

#[cfg(test)]
mod tests;

pub(super) use basic_auth::{BasicAuth, Hashing};
pub(super) use body_limit::BodyLimit;
pub(super) use compress::Compress;
pub(super) use cors::Cors;
pub(super) use headers::{RequestHeaders, ResponseHeaders};
pub(super) use ip_access::IpAccess;
pub(super) use rate_limit::RateLimit;
pub(super) use rewrite::Rewrite;
