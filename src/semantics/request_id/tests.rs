use proptest::prelude::*;

use super::*;

#[test]
fn an_id_has_the_layout_of_uuid_version_7() {
    // The time is that of RFC 9562 appendix A.6; its random fields with the version and variant bits taken off.
    let random = [0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F];
    let id = make(0x017F_22E2_79B0, random);
    assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

#[test]
fn the_text_in_the_buffer_is_the_text_that_is_displayed() {
    let id = make(1, [0xAB; 10]);
    assert_eq!(id.encode(&mut [0; LENGTH]), id.to_string());
}

#[test]
fn an_id_of_somebody_else_is_kept_when_it_is_short_and_visible() {
    let longest = [b'x'; MAX_ACCEPTED_LENGTH];
    for id in [&b"a"[..], b"req-1/2:3", b"!~", &longest] {
        assert!(is_acceptable(id));
    }
    let too_long = [b'x'; MAX_ACCEPTED_LENGTH + 1];
    for id in [
        &b""[..],
        b"a b",
        b"a\tb",
        b"a\nb",
        b"\x7f",
        "é".as_bytes(),
        &too_long,
    ] {
        assert!(!is_acceptable(id));
    }
}

proptest! {
    #[test]
    fn a_later_millisecond_sorts_behind(earlier in 0_u64..1 << 47, gap in 1_u64..1 << 40, one: [u8; 10], other: [u8; 10]) {
        let (first, second) = (make(earlier, one), make(earlier + gap, other));
        prop_assert!(first < second);
        prop_assert!(first.to_string() < second.to_string());
    }

    #[test]
    fn every_id_made_here_is_acceptable(millis: u64, random: [u8; 10]) {
        prop_assert!(is_acceptable(make(millis, random).to_string().as_bytes()));
    }

    #[test]
    fn different_randomness_gives_different_ids(one in 0_u64..1 << 56, other in 0_u64..1 << 56) {
        let random = |number: u64| {
            let mut bytes = [0; 10];
            bytes[3..].copy_from_slice(&number.to_be_bytes()[1..]);
            bytes
        };
        prop_assert_eq!(make(1, random(one)) == make(1, random(other)), one == other);
    }
}
