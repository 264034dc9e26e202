//! Cookies: one found by its name, and one written.
//!
//! A request has its cookies in one `Cookie` line or several, as pairs with semicolons between them (RFC 6265 §4.2.1,
//! §5.4; HTTP/2 may send one line for each, RFC 9113 §8.2.3). Names are compared with case, and a value may stand in
//! quotes that are not part of it (§4.1.1). Of several cookies of one name the first counts, as in most servers. No
//! allocation, and no decoding: what is not understood is passed over.
//!
//! What is written is `Set-Cookie` for the whole host (`Path=/`, no `Domain`), with the attributes of §4.1.2 and with
//! `SameSite` (draft-ietf-httpbis-rfc6265bis §4.1.2.7).

use std::fmt;
use std::time::Duration;

/// The value of the first cookie of this name in these `Cookie` lines.
pub fn find<'a>(lines: impl IntoIterator<Item = &'a [u8]>, name: &str) -> Option<&'a [u8]> {
    lines
        .into_iter()
        .flat_map(|line| line.split(|&byte| byte == b';'))
        .find_map(|pair| {
            let value = pair.trim_ascii().strip_prefix(name.as_bytes())?;
            Some(unquoted(value.strip_prefix(b"=")?))
        })
}

fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value.strip_prefix(b"\"");
    inner
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(value)
}

/// A cookie for the whole host. `Display` writes it as the value of `Set-Cookie`.
///
/// Name and value are the caller's to keep within the grammar: a token, and no comma, semicolon, quote or space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetCookie<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: &'a str,
    /// How long it is kept, in whole seconds; without it until the browser ends.
    pub max_age: Option<Duration>,
    /// Over TLS only.
    pub secure: bool,
    /// Not for scripts.
    pub http_only: bool,
    /// Whether it goes with requests that other sites cause.
    pub same_site: SameSite,
}

/// Whether a cookie goes with requests that other sites cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// With none of them.
    Strict,
    /// When a link is followed.
    Lax,
    /// With all.
    None,
}

impl fmt::Display for SetCookie<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}={}; Path=/", self.name, self.value)?;
        if let Some(max_age) = self.max_age {
            write!(out, "; Max-Age={}", max_age.as_secs())?;
        }
        if self.secure {
            out.write_str("; Secure")?;
        }
        if self.http_only {
            out.write_str("; HttpOnly")?;
        }
        out.write_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found<'a>(lines: &[&'a str], name: &str) -> Option<&'a str> {
        let lines = lines.iter().map(|line| line.as_bytes());
        find(lines, name).map(|value| str::from_utf8(value).unwrap())
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_in_any_line() {
        let lines = ["theme=dark; backend=a1", "late=9;early=1"];
        assert_eq!(found(&lines, "backend"), Some("a1"));
        assert_eq!(found(&lines, "theme"), Some("dark"));
        assert_eq!(found(&lines, "late"), Some("9"));
        assert_eq!(found(&lines, "early"), Some("1"));
        for other in ["back", "ackend", "Backend", "dark", "", "backend=a1"] {
            assert_eq!(found(&lines, other), None, "{other:?}");
        }
        assert_eq!(found(&[], "backend"), None);
    }

    #[test]
    fn a_value_is_what_stands_between_the_sign_and_the_semicolon_without_its_quotes() {
        assert_eq!(found(&["a=\"x y\"; b=\"; c=\"\"; d="], "a"), Some("x y"));
        assert_eq!(found(&["a=1; b=\"; c=2"], "b"), Some("\""));
        assert_eq!(found(&["a=1; c=\"\"; d="], "c"), Some(""));
        assert_eq!(found(&["a=1; d="], "d"), Some(""));
        assert_eq!(found(&["a=b=c"], "a"), Some("b=c"));
        assert_eq!(found(&["\t a=1 \t;; b"], "a"), Some("1"));
        assert_eq!(found(&["a; a=1"], "a"), Some("1"));
        assert_eq!(found(&["a =1"], "a"), None);
    }

    #[test]
    fn of_several_cookies_of_one_name_the_first_counts() {
        assert_eq!(found(&["b=0; a=1; a=2", "a=3"], "a"), Some("1"));
    }

    #[test]
    fn a_cookie_is_written_with_the_attributes_that_it_has() {
        let plain = SetCookie {
            name: "backend",
            value: "a1",
            max_age: None,
            secure: false,
            http_only: false,
            same_site: SameSite::Lax,
        };
        assert_eq!(plain.to_string(), "backend=a1; Path=/; SameSite=Lax");
        let full = SetCookie {
            max_age: Some(Duration::from_secs(3600)),
            secure: true,
            http_only: true,
            same_site: SameSite::None,
            ..plain
        };
        assert_eq!(
            full.to_string(),
            "backend=a1; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=None"
        );
        let strict = SetCookie {
            same_site: SameSite::Strict,
            ..plain
        };
        assert_eq!(strict.to_string(), "backend=a1; Path=/; SameSite=Strict");
    }

    proptest! {
        #[test]
        fn what_a_client_sends_back_is_found_among_whatever_else_it_sends(
            before in prop::collection::vec("[a-z]{1,4}=[ -:<-~]{0,9}", 0..4),
            after in prop::collection::vec("[ -~]{0,12}", 0..4),
            value in "[0-9a-f]{1,32}",
        ) {
            // Seen failing with a search that stops at the first line.
            let mut lines = before;
            lines.push(format!("x=1; Named={value}"));
            lines.extend(after);
            let lines = lines.iter().map(String::as_bytes);
            prop_assert_eq!(find(lines, "Named"), Some(value.as_bytes()));
        }

        #[test]
        fn no_line_makes_the_search_panic(line in prop::collection::vec(any::<u8>(), 0..64), name in "[ -~]{0,6}") {
            let _ = find([line.as_slice()], &name);
        }
    }
}
