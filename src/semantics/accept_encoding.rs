//! Which coding of its content a client would like best (RFC 9110 §12.5.3).
//!
//! A coding may be used when it is named with a weight above 0, or not named and `*` is. Of those that may the one with
//! the highest weight is used, and of equal ones the one that the server prefers. `identity`, the content as it is, is
//! used when it is named, by itself or by `*`, with a higher weight than all of them; and when there is none, also if the
//! client refuses it: an answer that a client can decode in no way would help it less (§12.5.3 allows both).
//!
//! Who sends no `Accept-Encoding` has not said that it can decode anything, and is sent the content as it is. So is who
//! writes a weight that is none (`q=high`), and of a coding that is named twice the lower weight counts: in doubt a client
//! is sent what every client understands.

/// The most important of `offered`, in the order in which the server prefers them, that a client with these lines of
/// `Accept-Encoding` wants; none when it is to have the content as it is.
pub fn preferred<'h, 'o, L: Iterator<Item = &'h [u8]>>(
    lines: impl Fn() -> L,
    offered: impl IntoIterator<Item = &'o str>,
) -> Option<usize> {
    let others = weight(lines(), "*");
    let mut best: Option<(usize, u16)> = None;
    for (index, coding) in offered.into_iter().enumerate() {
        let weight = weight(lines(), coding).or(others).unwrap_or(0);
        if weight > best.map_or(0, |(_, weight)| weight) {
            best = Some((index, weight));
        }
    }
    let (index, best) = best?;
    let as_it_is = weight(lines(), "identity").or(others).unwrap_or(0);
    (best >= as_it_is).then_some(index)
}

/// The weight of a coding in thousandths; none when it is not named.
fn weight<'h>(lines: impl Iterator<Item = &'h [u8]>, coding: &str) -> Option<u16> {
    lines
        .flat_map(|line| line.split(|byte| *byte == b','))
        .map(element)
        .filter(|(name, _)| is_called(name, coding))
        .map(|(_, weight)| weight)
        .min()
}

/// `x-gzip` is an old name of `gzip` (§8.4.1.3).
fn is_called(name: &[u8], coding: &str) -> bool {
    name.eq_ignore_ascii_case(coding.as_bytes())
        || (coding == "gzip" && name.eq_ignore_ascii_case(b"x-gzip"))
}

/// A name, and its weight in thousandths (§12.4.2).
fn element(text: &[u8]) -> (&[u8], u16) {
    let mut parts = text.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let name = parts.next().unwrap_or_default();
    let mut weights = parts.filter_map(|part| match part {
        [b'q' | b'Q', b'=', number @ ..] => Some(thousandths(number).unwrap_or(0)),
        _ => None,
    });
    (name, weights.next().unwrap_or(1000))
}

/// `0.5` is 500; none for what is no weight from 0 to 1 with at most three decimals.
fn thousandths(text: &[u8]) -> Option<u16> {
    let (whole, decimals) = match text {
        [whole] => (whole, &[][..]),
        [whole, b'.', decimals @ ..] => (whole, decimals),
        _ => return None,
    };
    if decimals.len() > 3 || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = decimals.iter().chain(b"000").take(3);
    let thousandths = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        b'0' => Some(thousandths),
        b'1' if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::preferred;
    use proptest::prelude::*;

    const OFFERED: [&str; 3] = ["br", "zstd", "gzip"];

    fn chosen(lines: &[&str]) -> &'static str {
        let index = preferred(|| lines.iter().map(|line| line.as_bytes()), OFFERED);
        index.map_or("identity", |index| OFFERED[index])
    }

    #[test]
    fn the_client_s_weights_decide_and_then_the_server_s_order() {
        for (accepted, wanted) in [
            ("gzip", "gzip"),
            ("gzip, deflate, br, zstd", "br"),
            ("GZIP", "gzip"),
            ("x-gzip", "gzip"),
            ("br;q=0.5, gzip;q=0.8", "gzip"),
            ("br;q=0.5,gzip;q=0.5", "br"),
            ("br;q=0.501, gzip;q=0.5", "br"),
            ("br ; Q=0.2 , zstd ;q=0.3", "zstd"),
            ("*", "br"),
            ("*;q=0.1", "br"),
            ("br;q=0, *", "zstd"),
            ("br;q=0, *;q=0", "identity"),
            ("gzip;q=0", "identity"),
            ("deflate", "identity"),
            ("", "identity"),
            ("identity", "identity"),
            ("identity, gzip", "gzip"),
            ("identity, gzip;q=0.9", "identity"),
            ("identity;q=0.5, gzip;q=0.6", "gzip"),
            ("identity;q=0", "identity"),
            ("identity;q=0, gzip;q=0.001", "gzip"),
            ("br;q=0.5, zstd;q=0.5, gzip;q=0.5, *", "identity"),
            ("br;q=0.5, zstd;q=0.5, gzip;q=0.5, *, identity;q=0.5", "br"),
            ("gzip;q=1.000", "gzip"),
            ("gzip;q=1.001", "identity"),
            ("gzip;q=0.0001", "identity"),
            ("gzip;q=high", "identity"),
            ("gzip;q=", "identity"),
            ("gzip;q=-1", "identity"),
            ("gzip;q=0.", "identity"),
            ("gzip;q=1.", "gzip"),
            ("gzip;level=9;q=0.5", "gzip"),
            ("gzip, gzip;q=0", "identity"),
            (",,gzip,;,", "gzip"),
            ("gzip br", "identity"),
        ] {
            assert_eq!(chosen(&[accepted]), wanted, "{accepted:?}");
        }
        assert_eq!(chosen(&[]), "identity");
        assert_eq!(chosen(&["gzip;q=0.5", "br;q=0.4"]), "gzip");
    }

    const NAMES: [&str; 6] = ["br", "zstd", "gzip", "deflate", "identity", "*"];

    /// What a client may say: most codings with a weight in thousandths, in any order, and some of them twice.
    fn said() -> impl Strategy<Value = Vec<(&'static str, u16)>> {
        let weight = || prop_oneof![Just(0), Just(500), Just(1000), 0..=1000u16];
        let once = NAMES.map(|name| {
            prop::option::weighted(0.7, weight().prop_map(move |weight| (name, weight)))
        });
        let twice = prop::collection::vec((prop::sample::select(&NAMES), weight()), 0..2);
        let all = (once, twice)
            .prop_map(|(once, twice)| once.into_iter().flatten().chain(twice).collect::<Vec<_>>());
        all.prop_shuffle()
    }

    fn written(said: &[(&str, u16)]) -> String {
        let elements = said.iter().map(|(name, weight)| match weight {
            1000 => (*name).to_owned(),
            weight => format!("{name};q=0.{weight:03}"),
        });
        elements.collect::<Vec<_>>().join(", ")
    }

    proptest! {
        /// Seen failing with `>` in the place of `>=`, and with `*` left out of the look at `identity`.
        #[test]
        fn what_is_used_is_wanted_and_nothing_is_wanted_more(said in said()) {
            let named = |coding: &str| said.iter().filter(|(name, _)| *name == coding).map(|(_, weight)| *weight).min();
            let wanted = |coding: &str| named(coding).or(named("*")).unwrap_or(0);
            let best = OFFERED.iter().map(|coding| wanted(coding)).max().unwrap_or(0);
            let text = written(&said);
            match chosen(&[&text]) {
                "identity" => prop_assert!(best == 0 || wanted("identity") > best, "{}", text),
                coding => {
                    prop_assert_eq!(wanted(coding), best);
                    prop_assert!(best > 0 && wanted("identity") <= best, "{}", text);
                    let earlier = OFFERED.iter().take_while(|other| **other != coding);
                    prop_assert!(earlier.clone().all(|other| wanted(other) < best), "{}", text);
                }
            }
        }

        #[test]
        fn lines_mean_the_same_as_one_line_with_commas(said in said(), at in 0..9usize) {
            let (first, second) = said.split_at(at.min(said.len()));
            let lines = [written(first), written(second)];
            prop_assert_eq!(chosen(&[&lines[0], &lines[1]]), chosen(&[&written(&said)]));
        }

        #[test]
        fn whatever_stands_there_something_is_chosen(text: Vec<u8>) {
            let index = preferred(|| [text.as_slice()].into_iter(), OFFERED);
            prop_assert!(index.is_none_or(|index| index < OFFERED.len()));
        }
    }
}
