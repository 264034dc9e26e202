//! Paths as routes compare them.
//!
//! A route sees the path decoded once; the backend gets it as it was sent. Two escapes stay, because decoding them
//! would change what the path means (RFC 3986 §2.2, §2.4): `%2F` is no border between segments, and `%25` decoded
//! would turn `%2541` into the escape `%41`, so that two paths become one. Escapes that are none (`%zz`), and those
//! that give no UTF-8, stay too. So decoding well-formed escapes twice is the same as once, and a pattern of the
//! configuration can be put through the same function. Slashes are not merged and dot segments not resolved (§5.2.4):
//! [`has_dot_segments`] says that they are there.

use std::borrow::Cow;

/// The path with its escapes decoded, for comparison only. Kept escapes come out in upper case. Borrowed when there
/// is no `%`.
pub fn decode_for_matching(raw: &str) -> Cow<'_, str> {
    if !raw.contains('%') {
        return Cow::Borrowed(raw);
    }
    let decoded = decode_bytes(raw.as_bytes());
    match String::from_utf8(decoded) {
        Ok(text) => Cow::Owned(text),
        Err(error) => Cow::Owned(escape_what_is_not_text(error.as_bytes())),
    }
}

/// Whether the path lies under the prefix, on segment borders: `/api/` and `/api` both take `/api`, `/api/` and
/// `/api/x`, not `/apix`.
pub fn prefix_matches(prefix: &str, path: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The raw path without the prefix, byte for byte as it was; none when it does not lie under it. The prefix is decoded
/// for matching, and has no slash at its end.
pub fn strip_prefix<'p>(raw: &'p str, prefix: &str) -> Option<&'p str> {
    let mut wanted = prefix.as_bytes();
    let mut rest = raw.as_bytes();
    while !wanted.is_empty() {
        let mut unit = Vec::with_capacity(3);
        rest = match take_escape(rest) {
            Some((byte, after)) => {
                push_decoded(byte, &mut unit);
                after
            }
            None => {
                let (first, after) = rest.split_first()?;
                unit.push(*first);
                after
            }
        };
        wanted = wanted.strip_prefix(unit.as_slice())?;
    }
    let rest = raw.get(raw.len() - rest.len()..)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Whether a segment is `.` or `..`, in any spelling (`%2e`), also behind a `%2F` that a backend may take for a
/// border. Raw or decoded path.
pub fn has_dot_segments(path: &str) -> bool {
    path.split('/')
        .flat_map(split_at_escaped_slash)
        .any(is_dots)
}

/// Appends a path, or a part of one, that was decoded for matching, in the form in which it may be sent: slashes and the
/// escapes that were kept stay as they are, and what else would be no path is encoded.
pub fn encode_path(decoded: &[u8], out: &mut Vec<u8>) {
    let mut rest = decoded;
    while let Some((first, after)) = rest.split_first() {
        if *first == b'/' || take_escape(rest).is_some() {
            out.push(*first);
        } else {
            encode_byte(*first, out);
        }
        rest = after;
    }
}

/// Appends text that was never part of a path as one segment, or a part of one.
pub fn encode_segment(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        encode_byte(*byte, out);
    }
}

/// What may stand in a segment stays (RFC 3986 §3.3, `pchar`).
fn encode_byte(byte: u8, out: &mut Vec<u8>) {
    if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
        out.push(byte);
    } else {
        out.push(b'%');
        out.extend([byte >> 4, byte & 15].map(|digit| b"0123456789ABCDEF"[usize::from(digit)]));
    }
}

fn decode_bytes(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, after)) = rest.split_first() {
        match take_escape(rest) {
            Some((byte, after_escape)) => {
                push_decoded(byte, &mut out);
                rest = after_escape;
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

/// The byte that a leading `%XX` stands for, and what follows.
fn take_escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (escape, after) = text.split_at_checked(3)?;
    let &[b'%', high, low] = escape else {
        return None;
    };
    Some((hex_value(high)? << 4 | hex_value(low)?, after))
}

fn hex_value(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

fn push_decoded(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'/' => out.extend_from_slice(b"%2F"),
        b'%' => out.extend_from_slice(b"%25"),
        _ => out.push(byte),
    }
}

fn escape_what_is_not_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push('%');
            text.extend(hex_digits(*byte));
        }
    }
    text
}

fn hex_digits(byte: u8) -> impl Iterator<Item = char> {
    [byte >> 4, byte & 15]
        .into_iter()
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .map(|digit| digit.to_ascii_uppercase())
}

fn split_at_escaped_slash(segment: &str) -> impl Iterator<Item = &str> {
    segment.split("%2F").flat_map(|part| part.split("%2f"))
}

fn is_dots(segment: &str) -> bool {
    let mut rest = segment.as_bytes();
    let mut dots = 0;
    while !rest.is_empty() {
        let after = rest.strip_prefix(b".").or_else(|| match take_escape(rest) {
            Some((b'.', after)) => Some(after),
            _ => None,
        });
        let Some(after) = after else { return false };
        rest = after;
        dots += 1;
    }
    dots == 1 || dots == 2
}

#[cfg(test)]
mod tests;
