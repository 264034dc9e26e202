//! Makes text from strangers harmless in a log.
//!
//! A client chooses its target and headers. Whatever it chooses, it gets one line, cannot end a
//! quoted field early, and cannot speak to the terminal of whoever reads the log; so what leaves
//! here is printable ASCII only. There are two spellings: nginx's (`ngx_http_log_escape`, the
//! default of `log_format`), and JSON (RFC 8259 §7).
//!
//! Both work on the tail of the buffer that a value was just appended to. Nearly always there is
//! nothing to escape; only otherwise is the tail moved out and written again.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Escapes `out[start..]` as nginx does: `"`, `\`, control and non-ASCII bytes become `\xHH`.
pub(super) fn escape_for_line(out: &mut Vec<u8>, start: usize) {
    let Some(raw) = take_tail_to_escape(out, start) else {
        return;
    };
    for byte in raw {
        if is_plain(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(b"\\x");
            push_hex(byte, out);
        }
    }
}

/// Escapes `out[start..]` for the inside of a JSON string.
///
/// Bytes that are not UTF-8 become U+FFFD, as [`String::from_utf8_lossy`] has it; all that is not
/// ASCII is written as `\uHHHH`, because some readers take U+0085, U+2028 and U+2029 for line
/// breaks.
pub fn escape_for_json(out: &mut Vec<u8>, start: usize) {
    let Some(raw) = take_tail_to_escape(out, start) else {
        return;
    };
    for chunk in raw.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_json_character(character, out);
        }
        if !chunk.invalid().is_empty() {
            push_json_character(char::REPLACEMENT_CHARACTER, out);
        }
    }
}

/// How many of these bytes do not stand for themselves: both spellings have the same ones.
pub(super) fn count_not_plain(line: &[u8]) -> usize {
    // In pieces in which a byte can count them, so that the compiler looks at many bytes at a time.
    let count_in = |piece: &[u8]| {
        piece
            .iter()
            .fold(0u8, |count, &byte| count + u8::from(!is_plain(byte)))
    };
    line.chunks(240)
        .map(|piece| usize::from(count_in(piece)))
        .sum()
}

/// Takes the tail away if there is anything in it to escape.
fn take_tail_to_escape(out: &mut Vec<u8>, start: usize) -> Option<Vec<u8>> {
    // Looking at every byte without stopping early lets the compiler look at many at a time.
    let tail = out.get(start..)?;
    let plain = tail
        .iter()
        .fold(true, |plain, &byte| plain & is_plain(byte));
    if plain {
        None
    } else {
        Some(out.split_off(start))
    }
}

/// Whether a byte stands for itself in both spellings.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\')
}

fn push_json_character(character: char, out: &mut Vec<u8>) {
    match character {
        '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        ' '..='~' => out.push(character as u8),
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.extend_from_slice(b"\\u");
                let [high, low] = unit.to_be_bytes();
                push_hex(high, out);
                push_hex(low, out);
            }
        }
    }
}

fn push_hex(byte: u8, out: &mut Vec<u8>) {
    out.push(HEX[usize::from(byte >> 4)]);
    out.push(HEX[usize::from(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(text: &[u8]) -> String {
        let mut out = text.to_vec();
        escape_for_line(&mut out, 0);
        String::from_utf8(out).unwrap()
    }

    fn json(text: &[u8]) -> String {
        let mut out = text.to_vec();
        escape_for_json(&mut out, 0);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_is_escaped_as_nginx_escapes_it() {
        assert_eq!(
            line(b"a\"b\\c\nd\x7fe\xc3\xa9\x00 f~"),
            r"a\x22b\x5Cc\x0Ad\x7Fe\xC3\xA9\x00 f~"
        );
    }

    #[test]
    fn a_json_string_is_escaped_to_ascii() {
        assert_eq!(
            json(b"a\"b\\c\n\r\t\x01\x7f"),
            r#"a\"b\\c\n\r\t\u0001\u007F"#
        );
        assert_eq!(
            json("é\u{2028}\u{1F600}".as_bytes()),
            r"\u00E9\u2028\uD83D\uDE00"
        );
        assert_eq!(json(b"x\xffy"), r"x\uFFFDy");
    }

    #[test]
    fn what_stands_before_the_tail_is_left_alone() {
        let mut out = b"\"\n".to_vec();
        escape_for_line(&mut out, 2);
        escape_for_json(&mut out, 2);
        assert_eq!(out, b"\"\n");
    }

    #[test]
    fn more_bytes_that_are_not_plain_than_a_byte_can_count_are_counted() {
        for length in [0, 1, 239, 240, 241, 255, 256, 257, 480, 1000] {
            assert_eq!(count_not_plain(&vec![b'"'; length]), length);
            assert_eq!(count_not_plain(&vec![b'x'; length]), 0);
        }
    }

    proptest! {
        #[test]
        fn bytes_that_are_not_plain_are_those_that_are_escaped(text: Vec<u8>) {
            let plain = text.iter().filter(|&&byte| line(&[byte]).len() == 1);
            prop_assert_eq!(count_not_plain(&text), text.len() - plain.count());
        }

        #[test]
        fn an_escaped_line_is_printable_and_says_every_byte(text: Vec<u8>) {
            let escaped = line(&text);
            prop_assert!(escaped.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"'));
            prop_assert_eq!(unescape(&escaped), text);
        }

        #[test]
        fn an_escaped_json_string_is_printable_and_parses_to_the_text(text: Vec<u8>) {
            let quoted = format!("\"{}\"", json(&text));
            prop_assert!(quoted.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let parsed: String = serde_json::from_str(&quoted).unwrap();
            prop_assert_eq!(parsed, String::from_utf8_lossy(&text));
        }
    }

    fn unescape(text: &str) -> Vec<u8> {
        let mut pieces = text.split("\\x");
        let mut out = pieces.next().unwrap().as_bytes().to_vec();
        for piece in pieces {
            let (hex, rest) = piece.split_at(2);
            out.push(u8::from_str_radix(hex, 16).unwrap());
            out.extend_from_slice(rest.as_bytes());
        }
        out
    }
}
