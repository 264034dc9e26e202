use super::{Ahead, Tape};
use crate::wire::Head;
use proptest::prelude::*;

/// A request on the wire, and what hyper would say of its body.
#[derive(Clone, Debug)]
struct Sent {
    head: Vec<u8>,
    body: Vec<u8>,
    body_length: Option<u64>,
}

fn sized(number: usize, body: &[u8]) -> Sent {
    let length = body.len();
    Sent {
        head: format!("POST /{number} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n").into_bytes(),
        body: body.to_vec(),
        body_length: Some(length as u64),
    }
}

fn chunked(number: usize, chunks: &[Vec<u8>], trailer: bool) -> Sent {
    let mut body = Vec::new();
    for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
        body.extend_from_slice(format!("{:X};note=\"x\"\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(if trailer {
        b"0\r\nChecksum: 1\n2\r\nSecond: 3\r\n\r\n"
    } else {
        b"0\r\n\r\n"
    });
    Sent {
        head: format!("PUT /{number} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes(),
        body,
        body_length: None,
    }
}

/// Bodies are made of what could be mistaken for the structure around them.
fn confusing_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"GET /wrong HTTP/1.1\r\n\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn requests() -> impl Strategy<Value = Vec<Sent>> {
    let body = prop_oneof![
        confusing_bytes().prop_map(|body| (true, vec![body], false)),
        (
            prop::collection::vec(confusing_bytes(), 0..4),
            any::<bool>()
        )
            .prop_map(|(chunks, trailer)| (false, chunks, trailer)),
    ];
    prop::collection::vec(body, 1..6).prop_map(|bodies| {
        let number = |(number, (is_sized, body, trailer)): (usize, (bool, Vec<Vec<u8>>, bool))| {
            if is_sized {
                sized(number, &body.concat())
            } else {
                chunked(number, &body, trailer)
            }
        };
        bodies.into_iter().enumerate().map(number).collect()
    })
}

/// Takes heads as hyper does: the next one as soon as it is complete.
fn take_what_is_there(tape: &mut Tape, sent: &[Sent], taken: &mut Vec<Vec<u8>>) {
    while let Some(next) = sent.get(taken.len()) {
        match tape.take_head(next.body_length) {
            Some(Head(head)) => taken.push(head.to_vec()),
            None => return,
        }
    }
}

proptest! {
    #[test]
    fn heads_are_found_however_the_bytes_were_cut(sent in requests(), cuts in prop::collection::vec(1usize..70, 1..30)) {
        let wire: Vec<u8> = sent.iter().flat_map(|sent| [sent.head.as_slice(), &sent.body].concat()).collect();
        let (mut tape, mut taken, mut rest) = (Tape::default(), Vec::new(), wire.as_slice());
        let mut cuts = cuts.iter().cycle();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cuts.next().copied().unwrap_or(1).min(rest.len()));
            tape.record(piece);
            take_what_is_there(&mut tape, &sent, &mut taken);
            rest = after;
        }
        let heads: Vec<Vec<u8>> = sent.iter().map(|sent| sent.head.clone()).collect();
        prop_assert_eq!(taken, heads);
        prop_assert!(tape.bytes.is_empty());
    }
}

#[test]
fn a_large_body_is_not_kept() {
    let mut tape = Tape::default();
    tape.record(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
    assert!(tape.take_head(Some(1_000_000)).is_some());
    for _ in 0..1000 {
        tape.record(&[b'x'; 1000]);
        assert!(tape.bytes.is_empty());
    }
    tape.record(b"GET /next HTTP/1.1\r\n\r\n");
    assert!(tape.take_head(Some(0)).is_some());
}

#[test]
fn a_tape_that_lost_its_place_gives_no_head() {
    let mut tape = Tape::default();
    tape.record(b"PUT / HTTP/1.1\r\n\r\n");
    assert!(tape.take_head(None).is_some());
    tape.record(b"zz\r\nGET / HTTP/1.1\r\n\r\n");
    assert!(matches!(tape.ahead, Ahead::Lost));
    assert!(tape.take_head(Some(0)).is_none());
    tape.record(&[b'x'; 1000]);
    assert!(tape.bytes.is_empty());
}
