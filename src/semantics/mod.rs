//! HTTP's own rules as pure functions.
//!
//! Everything here takes bytes, text and addresses and gives back an answer: no I/O, no clock, no randomness, no
//! Pingora type. So the running proxy, `explain` and the property tests run the same code. What a request means
//! stands here; what Evenkeel does with it (which route, which backend) stands in the rooms above.
//!
//! | file | question | source |
//! |---|---|---|
//! | [`accept_encoding`] | which coding a client would like best | RFC 9110 §12.5.3 |
//! | [`answer`] | whether a backend's answer can be read in one way | RFC 9112 §4–6 |
//! | [`authority`] | who is asked for: `Host`, `:authority` | RFC 3986 §3.2, RFC 9110 §7.2 |
//! | [`chunked`] | where a chunked body ends | RFC 9112 §7.1 |
//! | [`client_ip`] | who asks, behind trusted proxies | RFC 7239 §5.2, §8.1 |
//! | [`cookie`] | what a client gives back of what it was given | RFC 6265 §4 |
//! | [`credentials`] | who a client says it is | RFC 7617, RFC 9110 §11 |
//! | [`forwarded`] | what a backend is told about both | RFC 7239 §4 |
//! | [`framing`] | where one message ends and the next begins | RFC 9112 §6.3 |
//! | [`head`] | whether a request's head can be served at all | RFC 9112 §3, §6 |
//! | [`headers`] | the door through which header lines are edited | RFC 9110 §5.1 |
//! | [`hop_by_hop`] | what ends at this hop | RFC 9110 §7.6.1 |
//! | [`path`] | what a route compares | RFC 3986 §2, §3.3 |
//! | [`request_id`] | the name of one request | RFC 9562 §5.7 |
//! | [`request_line`] | what can be said of a head that was refused | RFC 9112 §3 |
//! | [`rfc7239`] | the grammar of `Forwarded` | RFC 7239 §4 |
//! | [`stream_head`] | the same for HTTP/2, and how HTTP/1 would say it | RFC 9113 §8.3 |
//! | [`vary`] | which requests a cache may answer alike | RFC 9110 §12.5.5 |

pub mod accept_encoding;
pub mod answer;
pub mod authority;
pub mod chunked;
pub mod client_ip;
pub mod cookie;
pub mod credentials;
pub mod end;
pub mod forwarded;
pub mod framing;
pub mod head;
pub mod headers;
pub mod hop_by_hop;
pub mod location;
pub mod path;
pub mod proxy_protocol;
pub mod request_id;
pub mod request_line;
pub mod rfc7239;
pub mod stream_head;
pub mod vary;
