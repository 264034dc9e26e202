//! What may stand in a `Location` header (RFC 9110 §10.2.2: a URI reference, RFC 3986 §4.1).
//!
//! The text comes from a template, so a client has a say in it. Whatever is no character of a URI is percent-encoded: no space, quote,
//! control character or byte of another alphabet gets through, and so nothing that could end the header. And a path stays a path: with
//! two slashes in front, `//evil.example/` would name another host (RFC 3986 §4.2), so only one of them is kept.

/// The reference that `rendered` stands for.
pub fn reference(rendered: &[u8]) -> Vec<u8> {
    let slashes = rendered.iter().take_while(|byte| **byte == b'/').count();
    let mut reference = Vec::with_capacity(rendered.len());
    for byte in &rendered[slashes.saturating_sub(1)..] {
        if is_of_a_uri(*byte) {
            reference.push(*byte);
        } else {
            reference.push(b'%');
            reference.extend(
                [byte >> 4, byte & 15].map(|digit| b"0123456789ABCDEF"[usize::from(digit)]),
            );
        }
    }
    reference
}

/// Unreserved and reserved characters and the sign of an escape (RFC 3986 §2.1–2.3).
fn is_of_a_uri(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::reference;
    use proptest::prelude::*;

    #[test]
    fn a_good_reference_stays_as_it_is() {
        for good in ["https://a.test/x?y=%20#z", "/new/path", "http://[::1]:80/"] {
            assert_eq!(reference(good.as_bytes()), good.as_bytes());
        }
    }

    #[test]
    fn a_path_never_becomes_another_host() {
        // Seen failing without the look at the slashes, and with a backslash let through.
        assert_eq!(reference(b"//evil.test/"), b"/evil.test/");
        assert_eq!(reference(b"////evil.test/"), b"/evil.test/");
        assert_eq!(reference(b"/\\evil.test/"), b"/%5Cevil.test/");
    }

    proptest! {
        #[test]
        fn whatever_was_rendered_nothing_can_end_the_header(rendered in prop::collection::vec(any::<u8>(), 0..60)) {
            let reference = reference(&rendered);
            prop_assert!(reference.iter().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(!reference.starts_with(b"//"));
        }
    }
}
