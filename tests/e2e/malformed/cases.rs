//! The cases, read from their files.
//!
//! One line each: `name | outcome | bytes`. In the bytes `\r`, `\n`, `\t`, `\0`, `\\` and `\xNN` stand for one byte, and `{100*text}` for a text
//! so many times. Lines that begin with `#` are comments.

use std::collections::BTreeSet;
use std::fs;

/// One case.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) outcome: String,
    pub(super) bytes: Vec<u8>,
}

/// Those of a file in this folder, at least so many.
pub(super) fn read(file: &str, at_least: usize) -> Vec<Case> {
    let lines = lines(file, at_least).into_iter();
    lines
        .map(|(name, outcome, text)| Case {
            name,
            outcome,
            bytes: bytes(&text),
        })
        .collect()
}

/// The same as they are written: name, outcome, and the rest of the line.
pub(super) fn lines(file: &str, at_least: usize) -> Vec<(String, String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/malformed");
    let text = fs::read_to_string(format!("{folder}/{file}")).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let cases: Vec<_> = lines
        .filter(|line| !line.starts_with('#'))
        .map(cells)
        .collect();
    let names: BTreeSet<_> = cases.iter().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    assert!(cases.len() >= at_least, "only {} cases", cases.len());
    cases
}

fn cells(line: &str) -> (String, String, String) {
    let cells: Vec<_> = line.splitn(3, " | ").map(str::to_owned).collect();
    let [name, outcome, rest] = cells
        .try_into()
        .unwrap_or_else(|_| panic!("not three cells: {line}"));
    (name, outcome, rest)
}

/// What a text of escapes stands for.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\\' => rest = escaped(rest, &mut bytes),
            '{' => {
                let (inner, after) = rest.split_once('}').expect("a brace that ends");
                let (count, repeated) = inner.split_once('*').expect("a count");
                let count: usize = count.parse().expect("a count");
                bytes.extend(self::bytes(repeated).repeat(count));
                rest = after;
            }
            other => bytes.extend(other.to_string().bytes()),
        }
    }
    bytes
}

fn escaped<'t>(text: &'t str, bytes: &mut Vec<u8>) -> &'t str {
    let (letter, rest) = text.split_at(1);
    let (byte, rest) = match letter {
        "r" => (b'\r', rest),
        "n" => (b'\n', rest),
        "t" => (b'\t', rest),
        "0" => (0, rest),
        "x" => {
            let (digits, rest) = rest.split_at(2);
            (u8::from_str_radix(digits, 16).expect("two digits"), rest)
        }
        other => (other.as_bytes()[0], rest),
    };
    bytes.push(byte);
    rest
}

#[test]
fn escapes_stand_for_bytes() {
    assert_eq!(
        bytes("a\\r\\n\\x00\\0\\\\{3*x\\t}"),
        b"a\r\n\0\0\\x\tx\tx\t"
    );
}
