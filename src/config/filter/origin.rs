//! Origins, as browsers write them: scheme, host, and the port unless it is the scheme's own (RFC 6454 §6.2).
//!
//! They are compared letter by letter, so what is written here is brought into that form: lower case, without the port
//! that goes without saying. What can never be an origin (a path, a trailing slash) is refused, since it would never
//! match.

use super::cors::OrAny;
use crate::config::read::{Read, Word};
use crate::config::reader::Reader;
use crate::config::tree::{Tree, Value};

/// One origin, or those of all hosts below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This one: `https://app.example.com`, or `null`.
    Exact(String),
    /// All that begin and end like this, with one or more labels of a host between.
    Below {
        /// The scheme, to the end of the two slashes.
        scheme: String,
        /// The domain, from the dot on, and the port.
        domain: String,
    },
}

impl Word for Origin {
    const EXAMPLE: &'static str = "https://app.example.com";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        if text == "null" {
            return Ok(Origin::Exact(text.to_owned()));
        }
        let lower = text.to_ascii_lowercase();
        let wrong = |advice: &str| Err(format!("{text:?} is no origin; {advice}"));
        let Some((scheme, rest)) = lower.split_once("://") else {
            return wrong(&format!(
                "write the scheme too, such as `https://{}`",
                without_path(&lower)
            ));
        };
        if !is_scheme(scheme) {
            return wrong("write for example `https://app.example.com`");
        }
        if rest.contains(['/', '?', '#', '@']) {
            return wrong(&format!(
                "it ends with host and port; write `{scheme}://{}`",
                without_path(rest)
            ));
        }
        let Some((host, port)) = split_port(rest) else {
            return wrong("a port is a number from 1 to 65535");
        };
        let port = match (scheme, port) {
            ("http", Some(80)) | ("https", Some(443)) | (_, None) => String::new(),
            (_, Some(port)) => format!(":{port}"),
        };
        let (domain, is_below) = match host.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (host, false),
        };
        if domain.contains('*') {
            return wrong(
                "`*` stands for one or more labels before a domain, as in `https://*.example.com`",
            );
        }
        if !domain.is_ascii() {
            return wrong("write the host as browsers do, in ASCII (`xn--…`)");
        }
        if !is_host(domain) {
            return wrong("write for example `https://app.example.com`");
        }
        let scheme = format!("{scheme}://");
        Ok(match is_below {
            true => Origin::Below {
                scheme,
                domain: format!(".{domain}{port}"),
            },
            false => Origin::Exact(format!("{scheme}{domain}{port}")),
        })
    }
}

/// What may stand in `allow_origins`.
#[derive(Clone, Debug)]
pub(super) struct WrittenOrigin(pub(super) OrAny<Origin>);

impl Read for WrittenOrigin {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(tree.value, Value::Null) {
            reader.fault(
                tree,
                "nothing stands here; write `\"null\"`, in quotes, for documents that have no origin of their own, \
or remove it",
            );
            return None;
        }
        OrAny::read(tree, reader).map(WrittenOrigin)
    }

    fn schema() -> serde_json::Value {
        <OrAny<Origin> as Read>::schema()
    }

    fn example() -> String {
        Origin::EXAMPLE.to_owned()
    }
}

fn without_path(text: &str) -> &str {
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    text.split(['/', '?', '#']).next().unwrap_or(text)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_lowercase())
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
}

/// Host and port; none when what stands for a port is none.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let end_of_brackets = text.rfind(']').unwrap_or(0);
    let (brackets, rest) = text.split_at(end_of_brackets);
    let Some((rest, port)) = rest.split_once(':') else {
        return Some((text, None));
    };
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| is_number && *port > 0)?;
    let host = text.get(..brackets.len() + rest.len())?;
    Some((host, Some(port)))
}

fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or_default();
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    text.split('.').all(|label| {
        let may_stand = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        !label.is_empty() && label.chars().all(may_stand)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(text: &str) -> Result<Origin, String> {
        Ok(Origin::Exact(text.to_owned()))
    }

    #[test]
    fn an_origin_is_brought_into_the_form_that_browsers_send() {
        for (written, sent) in [
            ("https://App.Example.com", "https://app.example.com"),
            ("https://example.com:443", "https://example.com"),
            ("http://example.com:80", "http://example.com"),
            ("http://example.com:443", "http://example.com:443"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[::1]", "http://[::1]"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("null", "null"),
        ] {
            assert_eq!(Origin::parse(written), exact(sent), "{written}");
        }
        assert_eq!(
            Origin::parse("HTTPS://*.example.com:8443"),
            Ok(Origin::Below {
                scheme: "https://".to_owned(),
                domain: ".example.com:8443".to_owned()
            })
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_of_origins_panic(text in "[a-z*.:/@\\[\\]0-9é ]{0,24}") {
            let _ = Origin::parse(&text);
        }

        #[test]
        fn what_is_read_reads_back_the_same(text in "(http|https|app)://(\\[::1\\]|[a-z.]{1,9})(:[0-9]{1,5})?") {
            if let Ok(Origin::Exact(origin)) = Origin::parse(&text) {
                prop_assert_eq!(Origin::parse(&origin), exact(&origin));
            }
        }
    }
}
