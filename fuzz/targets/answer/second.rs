//! An answer that was taken, read a second time, with code that shares nothing with the first. What is out of place panics.

use std::ops::Range;

use evenkeel::http::Version;

use super::{Head, Told};

/// A line's name and value.
type Line<'b> = (&'b str, &'b [u8]);

/// What must be behind a head.
#[derive(Debug, Default, PartialEq)]
struct Behind {
    body: Vec<u8>,
    is_whole: bool,
    /// Its length, where nothing was left out.
    length: usize,
    /// So many bytes of it have not come.
    expected: u64,
    ends_connection: bool,
}

/// Panics unless what was told of these bytes is what stands there.
pub(super) fn agrees(bytes: &[u8], told: &Told, answers_head: bool) {
    let mut start = 0;
    for head in &told.heads {
        assert_eq!(head.place.start, start);
        start = head.place.end;
        let lines = agreed_lines(&bytes[head.place.clone()], head);
        if head.status.as_u16() < 200 && head.status != 101 {
            continue;
        }
        let is_out_of_place = |fault: &String| fault.contains("InvalidChunk");
        if told.fault.as_ref().is_some_and(is_out_of_place) {
            assert_eq!(values(&lines, "transfer-encoding").len(), 1);
            continue;
        }
        let behind = behind(head, &lines, answers_head, &bytes[start..]);
        assert_eq!(told.body, behind.body);
        assert_eq!(told.is_whole(), behind.is_whole);
        assert_eq!(told.fault.is_none(), behind.is_whole);
        assert_eq!(told.end, start + behind.length);
        assert_eq!(told.expected, behind.expected);
        assert_eq!(
            told.keeps.is_some(),
            behind.is_whole && keeps(head, &lines, &behind)
        );
    }
}

/// The lines of a head, which are those that were told.
fn agreed_lines<'b>(bytes: &'b [u8], head: &Head) -> Vec<Line<'b>> {
    let mut at = 0;
    let first = next_line(bytes, &mut at).expect("a first line");
    let version = match head.version {
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    };
    let begin = format!("{version} {}", head.status.as_str());
    let reason = first
        .strip_prefix(begin.as_bytes())
        .expect("version and status");
    assert!(reason.is_empty() || (reason[0] == b' ' && is_text(reason)));
    let mut lines = Vec::new();
    loop {
        match next_line(bytes, &mut at).expect("an empty line") {
            [] => break,
            text => lines.push(line(text)),
        }
    }
    assert_eq!((at, lines.len()), (bytes.len(), head.headers.len()));
    for name in head.headers.keys() {
        let told: Vec<_> = head.headers.get_all(name).iter().collect();
        assert_eq!(told, values(&lines, name.as_str()));
    }
    lines
}

fn line(line: &[u8]) -> Line<'_> {
    let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    assert!(
        !name.is_empty() && name.iter().all(is_of_token),
        "a name that is no token"
    );
    assert!(is_text(value), "a value with a control byte");
    (std::str::from_utf8(name).expect("a token"), trimmed(value))
}

fn values<'b>(lines: &[Line<'b>], wanted: &str) -> Vec<&'b [u8]> {
    let named = lines
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
    named.map(|(_, value)| *value).collect()
}

/// What stands behind a head with these lines, of the bytes that have come.
fn behind(head: &Head, lines: &[Line<'_>], answers_head: bool, bytes: &[u8]) -> Behind {
    let (lengths, codings) = (
        values(lines, "content-length"),
        values(lines, "transfer-encoding"),
    );
    let status = head.status.as_u16();
    assert!(
        status < 200 || lengths.is_empty() || codings.is_empty(),
        "two ends"
    );
    if status < 200 || answers_head || matches!(status, 204 | 304) {
        return Behind {
            is_whole: true,
            ..Behind::default()
        };
    }
    if let [coding] = codings[..] {
        assert!(coding.eq_ignore_ascii_case(b"chunked") && head.version == Version::HTTP_11);
        return chunks(bytes);
    }
    assert!(codings.is_empty(), "two codings");
    let Some(length) = lengths.first() else {
        return Behind {
            body: bytes.to_vec(),
            is_whole: true,
            length: bytes.len(),
            expected: 0,
            ends_connection: true,
        };
    };
    assert!(lengths.iter().all(|other| other == length), "two lengths");
    assert!(!length.is_empty() && length.iter().all(u8::is_ascii_digit));
    let length: u64 = String::from_utf8_lossy(length).parse().expect("a length");
    let here = usize::try_from(length).map_or(bytes.len(), |length| length.min(bytes.len()));
    let left = length - here as u64;
    Behind {
        body: bytes[..here].to_vec(),
        is_whole: left == 0,
        length: here,
        expected: left,
        ends_connection: false,
    }
}

/// Chunks, up to the last one or as far as they have come.
fn chunks(bytes: &[u8]) -> Behind {
    let mut behind = Behind {
        length: bytes.len(),
        ..Behind::default()
    };
    let mut at = 0;
    while let Some(size) = next_line(bytes, &mut at) {
        let digits = size
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let (digits, extension) = size.split_at(digits);
        let extension = trimmed(extension);
        assert!(extension.is_empty() || (extension[0] == b';' && is_text(extension)));
        let size = u64::from_str_radix(&String::from_utf8_lossy(digits), 16).expect("a size");
        if size == 0 {
            while let Some(text) = next_line(bytes, &mut at) {
                if text.is_empty() {
                    return Behind {
                        is_whole: true,
                        length: at,
                        ..behind
                    };
                }
                line(text);
            }
            break;
        }
        let left = bytes.len() - at;
        let here = usize::try_from(size).map_or(left, |size| size.min(left));
        let data = at..at + here;
        behind.body.extend(&bytes[data.clone()]);
        if !is_followed_by_line_end(bytes, data) {
            break;
        }
        at += here + 2;
    }
    behind
}

/// Whether a line ends behind this data; where anything has come behind it, nothing else may.
fn is_followed_by_line_end(bytes: &[u8], data: Range<usize>) -> bool {
    let rest = &bytes[data.end..];
    assert!(
        b"\r\n".starts_with(&rest[..rest.len().min(2)]),
        "a chunk without its end"
    );
    rest.len() >= 2
}

/// The next line, without its CRLF; none while it is not whole.
fn next_line<'b>(bytes: &'b [u8], at: &mut usize) -> Option<&'b [u8]> {
    let rest = &bytes[*at..];
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    *at += end + 1;
    let line = rest[..end]
        .strip_suffix(b"\r")
        .expect("CRLF at the end of a line");
    assert!(is_text(line), "a control byte in a line");
    Some(line)
}

/// Whether the connection may be used again.
fn keeps(head: &Head, lines: &[Line<'_>], behind: &Behind) -> bool {
    let connection = values(lines, "connection")
        .join(&b","[..])
        .to_ascii_lowercase();
    let has = |wanted: &[u8]| {
        connection
            .split(|byte| *byte == b',')
            .any(|word| trimmed(word) == wanted)
    };
    let is_old = head.version == Version::HTTP_10;
    !behind.ends_connection && !has(b"close") && (!is_old || has(b"keep-alive"))
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes
        .iter()
        .position(|byte| !is_space(byte))
        .unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|byte| !is_space(byte))
        .map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// Whether there is no control byte in it but tabs.
fn is_text(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
    !bytes.iter().any(is_control)
}
