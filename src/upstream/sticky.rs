//! Which backend a client's cookie names.
//!
//! The cookie holds a token: the first 128 bits of SHA-256 over a label, the upstream's name and the backend's address. It is the same in
//! every process, build and machine, so sessions survive a reload, a restart and a second Evenkeel beside this one, without a key to keep
//! or to hand around; and a backend can only be reached by it in the upstream it was made for. The address does not stand in it, but
//! whoever guesses the address can verify the guess. It is no secret and grants nothing: a forged token is either one of a backend that
//! the policy might have picked as well, or unknown.
//!
//! Tokens and `Set-Cookie` lines are made when the lineup changes; a request only looks one up.

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::digest::{self, SHA256};
use http::HeaderValue;

use super::address::{Address, label};
use crate::config;
use crate::semantics::cookie::SetCookie;

/// So that the hash of the same text somewhere else is another one.
const LABEL: &str = "evenkeel sticky backend 1";

const BYTES: usize = 16;

/// What a cookie calls a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token([u8; BYTES]);

impl Token {
    pub(super) fn of(upstream: &str, backend: &Address) -> Self {
        // No name has a line break in it, so no two pairs make the same text.
        let named = format!("{LABEL}\n{upstream}\n{}", label(backend));
        let hash = digest::digest(&SHA256, named.as_bytes());
        let mut token = [0; BYTES];
        token
            .iter_mut()
            .zip(hash.as_ref())
            .for_each(|(to, from)| *to = *from);
        Self(token)
    }

    /// The token that a cookie's value is, if it looks like one.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (digits, []) = value.as_chunks::<2>() else {
            return None;
        };
        let digits: &[[u8; 2]; BYTES] = digits.try_into().ok()?;
        let mut token = [0; BYTES];
        for (byte, [high, low]) in token.iter_mut().zip(digits) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(token))
    }
}

/// Lower case only: the only form that was ever given out.
fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// The cookies of the backends of one lineup.
#[derive(Debug)]
pub(super) struct Sessions {
    by_token: HashMap<Token, usize>,
    /// `Set-Cookie` for each backend; its index is the backend's.
    cookies: Vec<Option<HeaderValue>>,
    /// Whether a cookie that is right is sent again, so that it lives on.
    renews: bool,
}

impl Sessions {
    pub(super) fn new<'b>(
        sticky: &config::Sticky,
        upstream: &str,
        backends: impl Iterator<Item = &'b Address>,
    ) -> Self {
        let tokens: Vec<_> = backends
            .map(|address| Token::of(upstream, address))
            .collect();
        let cookie = |token: &Token| {
            let cookie = SetCookie {
                name: &sticky.cookie,
                value: &token.to_string(),
                max_age: sticky.ttl,
                secure: sticky.secure,
                http_only: sticky.http_only,
                same_site: sticky.same_site,
            };
            HeaderValue::try_from(cookie.to_string()).ok()
        };
        Self {
            cookies: tokens.iter().map(cookie).collect(),
            by_token: std::iter::zip(tokens, 0..).collect(),
            renews: sticky.ttl.is_some(),
        }
    }

    /// Which backend this token names.
    pub(super) fn find(&self, token: Token) -> Option<usize> {
        self.by_token.get(&token).copied()
    }

    /// What a client is sent that came with `token` and was served by the backend at `index`.
    pub(super) fn cookie(&self, token: Option<Token>, index: usize) -> Option<HeaderValue> {
        let is_right = token.and_then(|token| self.find(token)) == Some(index);
        if is_right && !self.renews {
            return None;
        }
        self.cookies.get(index)?.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::Inet(text.parse().unwrap())
    }

    #[test]
    fn a_backend_has_the_same_token_in_every_process_and_build() {
        // Computed with `printf 'evenkeel sticky backend 1\nweb\n127.0.0.1:8001' | sha256sum | cut -c-32`. A change here
        // ends every session of every user.
        let token = Token::of("web", &address("127.0.0.1:8001"));
        assert_eq!(token.to_string(), "9d1784632ed2a84ca61f1344c6481c2e");
    }

    #[test]
    fn backends_and_upstreams_have_tokens_of_their_own() {
        let token = Token::of("web", &address("127.0.0.1:8001"));
        assert_ne!(token, Token::of("web", &address("127.0.0.1:8002")));
        assert_ne!(token, Token::of("api", &address("127.0.0.1:8001")));
    }

    #[test]
    fn a_token_that_was_written_reads_back_the_same_and_nothing_else_is_one() {
        let token = Token::of("web", &address("[::1]:80"));
        let text = token.to_string();
        assert_eq!(Token::parse(text.as_bytes()), Some(token));
        for wrong in [
            String::new(),
            "0".repeat(31),
            "0".repeat(33),
            "0".repeat(34),
            "g".repeat(32),
            text.to_uppercase(),
            format!("{}\u{e9}", "0".repeat(30)),
        ] {
            assert_eq!(Token::parse(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_cookie_is_sent_where_it_was_not_right_and_with_a_ttl_always() {
        let backends = [address("127.0.0.1:1"), address("127.0.0.1:2")];
        let [first, second] = backends.each_ref().map(|backend| Token::of("web", backend));
        let mut sticky = config::Sticky {
            cookie: "b".to_owned(),
            ttl: None,
            secure: false,
            http_only: true,
            same_site: crate::semantics::cookie::SameSite::Lax,
        };
        let sessions = |sticky: &config::Sticky| Sessions::new(sticky, "web", backends.iter());
        let plain = sessions(&sticky);
        let stranger = Token::of("api", &backends[0]);
        assert_eq!((plain.find(second), plain.find(stranger)), (Some(1), None));
        assert_eq!(plain.cookie(Some(first), 0), None);
        for token in [None, Some(second), Some(stranger)] {
            let cookie = plain.cookie(token, 0).unwrap();
            let wanted = format!("b={first}; Path=/; HttpOnly; SameSite=Lax");
            assert_eq!(cookie.to_str().unwrap(), wanted);
        }
        sticky.ttl = Some(std::time::Duration::from_secs(60));
        let renewed = sessions(&sticky).cookie(Some(first), 0).unwrap();
        assert!(renewed.to_str().unwrap().contains("; Max-Age=60;"));
    }
}
