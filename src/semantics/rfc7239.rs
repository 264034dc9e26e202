//! The grammar of the `Forwarded` header: elements, pairs, quoted strings.
//!
//! Elements are cut **from the right**. The last element is the one that the nearest proxy wrote; what a client made
//! up stands left of it. Read from the left, one unclosed quote of the client would swallow everything that honest
//! proxies added; read from the right it spoils only itself. On well-formed lines both directions give the same
//! elements. Source: RFC 7239 §4, with tokens and quoted strings from RFC 9110 §5.6. A value keeps its backslashes:
//! no address needs one.

/// One element: what one proxy said about one hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The value of `for`, without quotes; none when the proxy did not say.
    pub node: Option<&'a [u8]>,
}

/// The elements of one header line, last first, trimmed, empty ones included. No allocation; linear in the line.
pub fn elements_from_right(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let border = last_border(line);
        rest = border.and_then(|border| line.get(..border));
        let start = border.map_or(0, |border| border + 1);
        line.get(start..).map(<[u8]>::trim_ascii)
    })
}

impl<'a> Element<'a> {
    /// Reads `for=…;host=…;proto=…` in any order and case, with spaces allowed around `;`.
    ///
    /// None when the grammar is broken or `for` stands there twice (RFC 7239 §4 allows each parameter once).
    pub fn parse(element: &'a [u8]) -> Option<Self> {
        let mut parsed = Element { node: None };
        let mut rest = element.trim_ascii();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(b";") {
                rest = after.trim_ascii_start();
                continue;
            }
            let (name, value, after) = take_pair(rest)?;
            if name.eq_ignore_ascii_case(b"for") && parsed.node.replace(value).is_some() {
                return None;
            }
            rest = after.trim_ascii_start();
            if !(rest.is_empty() || rest.starts_with(b";")) {
                return None;
            }
        }
        Some(parsed)
    }
}

/// Whether a line is a list of elements as the grammar wants it, so that another can be put behind it and be read.
pub fn is_well_formed(line: &[u8]) -> bool {
    elements_from_right(line).all(|element| Element::parse(element).is_some())
}

/// Whether a value may stand without quotes (RFC 9110 §5.6.2).
pub fn is_token(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().copied().all(is_token_byte)
}

/// The place of the last comma outside quotes.
fn last_border(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for (place, byte) in line.iter().enumerate().rev() {
        match byte {
            b'"' if !is_escaped(line, place) => quoted = !quoted,
            b',' if !quoted => return Some(place),
            _ => {}
        }
    }
    None
}

fn is_escaped(line: &[u8], place: usize) -> bool {
    let before = line.get(..place).unwrap_or_default();
    let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\');
    backslashes.count() % 2 == 1
}

/// Name, value and what follows.
fn take_pair(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, after) = take_token(text)?;
    let after = after.strip_prefix(b"=")?;
    let (value, after) = match after.strip_prefix(b"\"") {
        Some(quoted) => take_until_quote(quoted)?,
        None => take_token(after)?,
    };
    Some((name, value, after))
}

fn take_token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| !is_token_byte(*byte));
    let (token, after) = text.split_at_checked(end.unwrap_or(text.len()))?;
    (!token.is_empty()).then_some((token, after))
}

fn take_until_quote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut escaped = false;
    let end = text.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })?;
    let (value, after) = text.split_at_checked(end)?;
    Some((value, after.strip_prefix(b"\"")?))
}

/// Whether a token may have this byte (RFC 9110 §5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
