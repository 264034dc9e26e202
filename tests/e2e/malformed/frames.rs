//! Frames of HTTP/2, made and read without a library: one that knows the rules would not send what breaks them.

use std::io::{self, Read};

use super::cases;
use crate::support::frames::{CONTINUATION, Frame, PREFACE, line};

pub(super) use crate::support::frames::{
    DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS, frame,
};

/// Nothing is kept between heads: `SETTINGS_HEADER_TABLE_SIZE` of zero.
const NO_TABLE: [u8; 6] = [0, 1, 0, 0, 0, 0];

/// The largest payload that every peer takes.
const LARGEST: usize = 16 * 1024;

/// What a client says first.
pub(super) fn client_preface() -> Vec<u8> {
    [PREFACE, &settings()].concat()
}

pub(super) fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, &NO_TABLE)
}

/// Reads what a client says first.
pub(super) fn read_client_preface(stream: &mut impl Read) -> io::Result<()> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface)
}

pub(super) fn read(stream: &mut impl Read) -> io::Result<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let [a, b, c, kind, flags, stream_id @ ..] = head;
    let length = u32::from_be_bytes([0, a, b, c]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload)?;
    Ok(Frame {
        kind,
        flags,
        stream: u32::from_be_bytes(stream_id),
        payload,
    })
}

/// The frames of a message whose parts are written as in `streams.txt`.
pub(super) fn message(stream: u32, parts: &str) -> Vec<u8> {
    const STANDARD: &str =
        ":method => GET ;; :scheme => http ;; :authority => a.test ;; :path => /x";
    let parts = match parts.strip_prefix('$') {
        Some(rest) => format!("{STANDARD}{rest}"),
        None => parts.to_owned(),
    };
    let (mut fields, mut data, mut trailer) = (Vec::new(), Vec::new(), Vec::new());
    for part in repeated(&parts).split(" ;; ") {
        let (name, value) = part.split_once(" =>").expect("a name and a value");
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "DATA" => data.push(cases::bytes(value)),
            "TRAILER" => {
                let (name, value) = value.split_once(" => ").expect("a field");
                trailer.extend(line(cases::bytes(name), cases::bytes(value)));
            }
            _ => fields.extend(line(cases::bytes(name), cases::bytes(value))),
        }
    }
    let mut frames = head(stream, &fields, data.is_empty());
    for (index, piece) in data.iter().enumerate() {
        let is_last = index + 1 == data.len() && trailer.is_empty();
        frames.extend(frame(DATA, u8::from(is_last), stream, piece));
    }
    if !trailer.is_empty() {
        frames.extend(head(stream, &trailer, true));
    }
    frames
}

/// Repetitions of whole fields, before they are told apart.
fn repeated(parts: &str) -> String {
    match (parts.split_once('{'), parts.rsplit_once('}')) {
        (Some((before, _)), Some((inner, after))) if inner.contains(";;") => {
            let bytes = cases::bytes(&format!("{}}}", &inner[before.len()..]));
            format!("{before}{}{after}", String::from_utf8(bytes).unwrap())
        }
        _ => parts.to_owned(),
    }
}

fn head(stream: u32, block: &[u8], is_last: bool) -> Vec<u8> {
    let pieces: Vec<_> = block.chunks(LARGEST).collect();
    let mut frames = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let kind = if index == 0 { HEADERS } else { CONTINUATION };
        let ends = if index + 1 == pieces.len() {
            END_HEADERS
        } else {
            0
        };
        let last = if index == 0 && is_last { END_STREAM } else { 0 };
        frames.extend(frame(kind, ends | last, stream, piece));
    }
    frames
}

/// The status at the start of a head that was made without a table.
pub(super) fn status(block: &[u8]) -> u16 {
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    let block = match block {
        // A table of another size.
        [0x20..=0x3f, rest @ ..] => rest,
        other => other,
    };
    match block {
        [index @ 0x88..=0x8e, ..] => INDEXED[usize::from(index - 0x88)],
        [0x08 | 0x48 | 0x18, length, value @ ..] => {
            let value = &value[..usize::from(length & 0x7f)];
            match length & 0x80 {
                0 => String::from_utf8(value.to_vec()).unwrap().parse().unwrap(),
                _ => digits(value),
            }
        }
        other => panic!("no status: {other:?}"),
    }
}

/// Three digits in Huffman's code (RFC 7541 appendix B).
fn digits(bytes: &[u8]) -> u16 {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let take = |count: usize| {
            bits[at..at + count]
                .iter()
                .fold(0, |all, bit| all << 1 | u16::from(*bit))
        };
        let (digit, length) = match take(5) {
            short @ 0..=2 => (short, 5),
            _ => (take(6) - 0b01_1001 + 3, 6),
        };
        at += length;
        number = number * 10 + digit;
    }
    number
}

#[test]
fn a_status_is_read_in_each_way_to_write_it() {
    assert_eq!(status(&[0x88]), 200);
    assert_eq!(status(&[0x20, 0x8c, 0x5f]), 400);
    assert_eq!(status(&[0x08, 3, b'4', b'3', b'1']), 431);
    // 431: 011010 011001 00001 and ones.
    assert_eq!(
        status(&[0x48, 0x83, 0b0110_1001, 0b1001_0000, 0b1111_1111]),
        431
    );
}
