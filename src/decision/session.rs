//! The cookie that names a backend.

use http::{HeaderMap, header};

use crate::semantics::cookie;
use crate::upstream::{Token, Upstream};

/// The token in the cookie of the upstream's `sticky`, if the request has one.
pub fn session_token(headers: &HeaderMap, upstream: &Upstream) -> Option<Token> {
    let name = &upstream.sticky()?.cookie;
    let lines = headers.get_all(header::COOKIE);
    let lines = lines.iter().map(|line| line.as_bytes());
    Token::parse(cookie::find(lines, name)?)
}
