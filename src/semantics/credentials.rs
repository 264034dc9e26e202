//! The `Basic` scheme: how a name and a password are asked for, and how they are sent (RFC 7617, RFC 9110 §11).
//!
//! Both are taken as the bytes that they are. The challenge asks for UTF-8, which clients then encode them in; names and
//! passwords that are not ASCII are compared without normalization, as every server does.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::fmt;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// As they were sent: name, colon, password.
    both: Vec<u8>,
    colon: usize,
}

impl Credentials {
    /// Reads the value of `Authorization`. None when it is of another scheme, or malformed: no base64, no colon, or
    /// with a control character (RFC 7617 §2).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let space = value.iter().position(|byte| *byte == b' ')?;
        let (scheme, rest) = value.split_at(space);
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return None;
        }
        let both = BASE64.decode(rest.trim_ascii()).ok()?;
        let colon = both.iter().position(|byte| *byte == b':')?;
        let is_clean = !both.iter().any(u8::is_ascii_control);
        is_clean.then_some(Credentials { both, colon })
    }

    /// The name.
    pub fn name(&self) -> &[u8] {
        self.both.get(..self.colon).unwrap_or_default()
    }

    /// The password; colons may be in it.
    pub fn password(&self) -> &[u8] {
        self.both.get(self.colon + 1..).unwrap_or_default()
    }

    /// Both, with a colon between them.
    pub fn both(&self) -> &[u8] {
        &self.both
    }
}

/// Says nothing of what it holds.
impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Credentials")
    }
}

/// The value of `WWW-Authenticate` that asks for credentials of this realm, which is printable ASCII.
pub fn challenge(realm: &str) -> String {
    let mut value = String::from("Basic realm=\"");
    for letter in realm.chars() {
        if matches!(letter, '"' | '\\') {
            value.push('\\');
        }
        value.push(letter);
    }
    value.push_str("\", charset=\"UTF-8\"");
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(value: &str) -> Option<(String, String)> {
        let credentials = Credentials::parse(value.as_bytes())?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Some((text(credentials.name()), text(credentials.password())))
    }

    #[test]
    fn the_examples_of_rfc_7617_are_read() {
        let both = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        for value in [
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ",
        ] {
            assert_eq!(read(value), both("Aladdin", "open sesame"), "{value}");
        }
        assert_eq!(read("Basic dGVzdDoxMjPCow=="), both("test", "123£"));
        assert_eq!(read("Basic YTpiOmM="), both("a", "b:c"));
        assert_eq!(read("Basic Og=="), both("", ""));
    }

    /// The last three are `a`, without a colon, and with a line break or a NUL in the password.
    #[test]
    fn what_is_malformed_or_of_another_scheme_is_no_credentials() {
        for value in [
            "",
            "Basic",
            "Basic ",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "BasicQWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== x",
            "Basic QWxh=GRpbjpvcGVuIHNlc2FtZQ==",
            "Basic QWxh-GRpbjpvcGVuIHNlc2FtZQ==",
            "Basic YQ==",
            "Basic YTpiCmM=",
            "Basic YToAYg==",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
    }

    #[test]
    fn a_realm_is_quoted() {
        assert_eq!(
            challenge(r#"the "inner" \ circle"#),
            r#"Basic realm="the \"inner\" \\ circle", charset="UTF-8""#
        );
    }

    #[test]
    fn credentials_tell_nobody_what_they_are() {
        let credentials = Credentials::parse(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(format!("{credentials:?}"), "Some(Credentials)");
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_is_read(name in "[^:\\pC]*", password in "\\PC*") {
            let value = format!("Basic {}", BASE64.encode(format!("{name}:{password}")));
            prop_assume!(!format!("{name}{password}").bytes().any(|byte| byte.is_ascii_control()));
            prop_assert_eq!(read(&value), Some((name, password)));
        }

        #[test]
        fn no_value_makes_the_reader_panic(value in "(Basic )?\\PC*") {
            let _ = Credentials::parse(value.as_bytes());
        }
    }
}
