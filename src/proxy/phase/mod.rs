//! One file for each phase of a request, in the order in which Pingora calls them.

pub(super) mod fail;
pub(super) mod failed_attempt;
pub(super) mod logging;
pub(super) mod request;
pub(super) mod response;
pub(super) mod tunnel;
pub(super) mod upstream_peer;
pub(super) mod upstream_request;
pub(super) mod upstream_response;
