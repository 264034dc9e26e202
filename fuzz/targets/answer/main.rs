//! A backend's answer: however its bytes are cut, and however much of its head is read, the same is made of them; and a second
//! reading, which shares no code with the first, finds in what was taken the same lines, the same body and the same end. That reading takes
//! nothing that two readers could read differently.
//!
//! The first byte is a letter: its place in the alphabet is the size of the pieces, and a capital one is for an answer to `HEAD`.
#![no_main]

mod second;

use std::ops::Range;

use evenkeel::bytes::BytesMut;
use evenkeel::http::{HeaderMap, StatusCode, Version};
use evenkeel::upstream::carrier::Part;
use evenkeel::upstream::http1::{AnswerReader, Form, Keeps};
use libfuzzer_sys::fuzz_target;

/// What an answer came to.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    /// The parts in their order, pieces that follow each other as one: `I`nterim, `H`ead, `B`ody, `E`nd.
    order: String,
    heads: Vec<Head>,
    body: Vec<u8>,
    /// What was wrong.
    fault: Option<String>,
    /// Where the first byte is that was not taken, unless one was out of place: what was taken before that one is seen may be less.
    end: usize,
    /// So many bytes are known to come.
    expected: u64,
    keeps: Option<Keeps>,
}

#[derive(Clone, Debug, PartialEq)]
struct Head {
    /// Where it was.
    place: Range<usize>,
    version: Version,
    status: StatusCode,
    headers: HeaderMap,
}

fuzz_target!(|bytes: &[u8]| {
    let Some((letter, bytes)) = bytes.split_first() else {
        return;
    };
    let answers_head = letter & 0x20 == 0;
    let whole = read(bytes, bytes.len(), answers_head, Form::Spelled);
    for (size, form) in [
        (usize::from(letter & 0x1f), Form::Spelled),
        (1, Form::Lowercase),
    ] {
        assert_eq!(read(bytes, size, answers_head, form), whole);
    }
    let framing = read(bytes, 1, answers_head, Form::Framing);
    assert_eq!(framing.without_lines(), whole.clone().without_lines());
    second::agrees(bytes, &whole, answers_head);
});

/// Reads an answer that comes in pieces of this size.
fn read(bytes: &[u8], size: usize, answers_head: bool, form: Form) -> Told {
    let mut told = Told::default();
    let mut reader = AnswerReader::new(answers_head, form);
    let mut unread = BytesMut::new();
    let mut come = 0;
    for piece in bytes.chunks(size.max(1)) {
        unread.extend_from_slice(piece);
        come += piece.len();
        loop {
            match reader.next(&mut unread) {
                Ok(Some(part)) => told.note(part, come - unread.len()),
                Ok(None) => break,
                Err(error) => {
                    told.fault = Some(in_short(&error.to_string()));
                    assert!(!reader.is_whole() && reader.keeps().is_none());
                    return told;
                }
            }
        }
        assert!(reader.is_whole() || !told.order.contains('H') || unread.is_empty());
    }
    told.end = come - unread.len();
    told.expected = reader.expected();
    match reader.end() {
        Ok(part) => part.into_iter().for_each(|part| told.note(part, come)),
        Err(error) => told.fault = Some(in_short(&error.to_string())),
    }
    assert_eq!(reader.is_whole(), told.is_whole());
    // What is behind the answer is nobody's.
    assert_eq!(unread, bytes[told.end..]);
    told.keeps = reader.keeps();
    told
}

impl Told {
    fn is_whole(&self) -> bool {
        self.order.ends_with('E')
    }

    fn without_lines(mut self) -> Self {
        for head in &mut self.heads {
            head.headers.clear();
        }
        self
    }

    /// Notes a part, behind which so many bytes were taken.
    fn note(&mut self, part: Part, end: usize) {
        assert!(!self.is_whole(), "a part behind the last one");
        let start = self.heads.last().map_or(0, |head| head.place.end);
        let letters = match part {
            Part::Interim(head) => {
                self.note_head(start..end, head.version, head.status, &head.headers);
                "I"
            }
            Part::Head { head, is_all, .. } => {
                self.note_head(start..end, head.version, head.status, &head.headers);
                if is_all { "HE" } else { "H" }
            }
            Part::Body { piece, is_last } => {
                assert!(!piece.is_empty());
                self.body.extend(piece);
                match (self.order.ends_with('B'), is_last) {
                    (true, true) => "E",
                    (true, false) => "",
                    (false, true) => "BE",
                    (false, false) => "B",
                }
            }
            Part::Trailers(_) => panic!("over HTTP/1 they do not cross"),
            Part::End => "E",
        };
        self.order.push_str(letters);
    }

    fn note_head(
        &mut self,
        place: Range<usize>,
        version: Version,
        status: StatusCode,
        headers: &HeaderMap,
    ) {
        assert!(!self.order.contains('H'), "a head behind the head");
        self.heads.push(Head {
            place,
            version,
            status,
            headers: headers.clone(),
        });
    }
}

/// What is wrong, without the bytes that are shown of it: these are as many as had come.
fn in_short(fault: &str) -> String {
    let what = fault.split(": \"").next();
    what.unwrap_or_default().to_owned()
}
