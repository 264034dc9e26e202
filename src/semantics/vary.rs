//! `Vary`: which headers of a request had a say in an answer (RFC 9110 §12.5.5).
//!
//! A cache keeps the answers apart whose requests differ in these. What others have put there stays; `*`, which stands
//! for everything, is not made longer.

/// The one line that says `name` as well as all that stands in `lines`; none when they say it already.
pub fn with<'v>(lines: impl Iterator<Item = &'v [u8]>, name: &str) -> Option<Vec<u8>> {
    let is_said = |said: &[u8]| said == b"*" || said.eq_ignore_ascii_case(name.as_bytes());
    let mut merged = Vec::with_capacity(64);
    for line in lines {
        if names(line).any(is_said) {
            return None;
        }
        let line = line.trim_ascii();
        if !line.is_empty() {
            merged.extend_from_slice(line);
            merged.extend_from_slice(b", ");
        }
    }
    merged.extend_from_slice(name.as_bytes());
    Some(merged)
}

fn names(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::with;
    use proptest::prelude::*;

    fn merged(lines: &[&str], name: &str) -> Option<String> {
        let line = with(lines.iter().map(|line| line.as_bytes()), name)?;
        Some(String::from_utf8(line).unwrap())
    }

    #[test]
    fn a_name_is_added_once_and_what_stands_there_stays() {
        for (lines, wanted) in [
            (&[][..], Some("Origin")),
            (&[""], Some("Origin")),
            (&["Accept"], Some("Accept, Origin")),
            (
                &["Accept", "Cookie , X-A"],
                Some("Accept, Cookie , X-A, Origin"),
            ),
            (&["accept, origin"], None),
            (&["Accept", "ORIGIN"], None),
            (&["*"], None),
            (&["Original, X-Origin"], Some("Original, X-Origin, Origin")),
        ] {
            assert_eq!(merged(lines, "Origin").as_deref(), wanted, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn all_that_was_said_is_still_said_and_the_name_too(lines in prop::collection::vec("[a-c*, ]{0,8}", 0..4)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let said = |lines: &[&str]| -> Vec<String> {
                let names = lines.iter().flat_map(|line| line.split(','));
                names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
            };
            let before = said(&lines);
            match merged(&lines, "a") {
                Some(line) => {
                    let mut wanted = before;
                    wanted.push("a".to_owned());
                    prop_assert_eq!(said(&[&line]), wanted);
                }
                None => prop_assert!(before.iter().any(|name| name == "a" || name == "*")),
            }
        }
    }
}
