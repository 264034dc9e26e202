use super::*;
use http::header;
use proptest::prelude::*;

use crate::semantics::hop_by_hop;

/// What a client would make of the parts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    interim: usize,
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    is_whole: bool,
    /// What was left unread.
    rest: Vec<u8>,
    keeps: bool,
}

/// Reads an answer whose bytes come cut like this.
fn read(bytes: &[u8], cuts: &[usize]) -> Result<Told> {
    let mut reader = AnswerReader::new(false, Form::Spelled);
    let mut unread = BytesMut::new();
    let mut told = Told::default();
    let mut sizes = cuts.iter().cycle();
    let mut at = 0;
    while at < bytes.len() {
        let size = *sizes.next().unwrap_or(&bytes.len());
        let end = bytes.len().min(at + size.max(1));
        unread.extend_from_slice(&bytes[at..end]);
        at = end;
        while let Some(part) = reader.next(&mut unread)? {
            tell(&mut told, part);
        }
    }
    if !reader.is_whole()
        && let Some(part) = reader.end()?
    {
        tell(&mut told, part);
    }
    told.is_whole = reader.is_whole();
    told.keeps = reader.keeps().is_some();
    told.rest = unread.to_vec();
    Ok(told)
}

fn tell(told: &mut Told, part: Part) {
    match part {
        Part::Interim(_) => told.interim += 1,
        Part::Head { head, .. } => {
            told.status = head.status.as_u16();
            let lines = head.headers.iter();
            let lines = lines.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
            told.headers = lines.collect();
        }
        Part::Body { piece, .. } => told.body.extend(piece),
        Part::Trailers(_) | Part::End => {}
    }
}

fn whole(bytes: &[u8]) -> Result<Told> {
    read(bytes, &[])
}

#[test]
fn interim_answers_come_before_the_answer() {
    let told = whole(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n\
          HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    )
    .unwrap();
    assert_eq!((told.interim, told.status), (2, 200));
    assert_eq!((&*told.body, told.is_whole), (&b"hi"[..], true));
}

#[test]
fn what_is_behind_the_answer_is_left() {
    let told = whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n").unwrap();
    assert_eq!(told.rest, b"HTTP/1.1 200 OK\r\n");
    let told = whole(b"HTTP/1.1 101 Switching Protocols\r\n\r\nwelcome").unwrap();
    assert_eq!((told.status, &*told.rest), (101, &b"welcome"[..]));
}

#[test]
fn a_connection_is_kept_as_the_backend_says() {
    for (head, kept) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", true),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: foo, Close\r\n",
            false,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n", false),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n",
            true,
        ),
        ("HTTP/1.1 200 OK\r\n", false),
    ] {
        let told = whole(format!("{head}\r\n").as_bytes()).unwrap();
        assert_eq!(told.keeps, kept, "{head}");
    }
    let mut reader = AnswerReader::new(false, Form::Spelled);
    let head = "HTTP/1.1 204 No Content\r\nKeep-Alive: max=9, timeout=5\r\n\r\n";
    reader.next(&mut BytesMut::from(head)).unwrap();
    let limit = Some(Duration::from_secs(5));
    assert_eq!(reader.keeps(), Some(Keeps { limit }));
}

#[test]
fn an_answer_that_breaks_off_says_where() {
    for (bytes, place) in [
        ("", "before its answer"),
        ("HTTP/1.1 200", "12 bytes into a head"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
            "with 3 bytes of the body to come",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
            "before the last chunk",
        ),
    ] {
        let error = whole(bytes.as_bytes()).unwrap_err().to_string();
        assert!(error.ends_with(place), "{error}");
    }
}

/// The lines that a client gets of a head that is read in this form: without those that end at this hop, and in any order those that
/// frame it.
fn lines_passed_on(bytes: &[u8], form: Form) -> (u16, Option<String>, Vec<String>) {
    let mut reader = AnswerReader::new(false, form);
    let part = reader.next(&mut BytesMut::from(bytes)).unwrap();
    let Some(Part::Head {
        mut head, passed, ..
    }) = part
    else {
        panic!("no head in {bytes:?}");
    };
    let is_passed = passed.is_some();
    if let Some(mut passed) = passed {
        passed.remove("x-request-id");
        passed.add("X-Request-Id", "ours");
        passed.go_with(&mut head).unwrap();
    } else {
        let kept = [header::TRANSFER_ENCODING];
        for name in hop_by_hop::to_remove(&head.headers, &kept) {
            head.remove_header(&name);
        }
        head.remove_header(&header::DATE);
        head.insert_header("X-Request-Id", "ours").unwrap();
    }
    let phrase = head.get_reason_phrase().map(str::to_owned);
    let mut phrase = phrase.iter().flat_map(|phrase| phrase.split("\r\n"));
    let reason = phrase.next().map(str::to_owned);
    let mut lines: Vec<String> = phrase.map(str::to_owned).collect();
    assert_eq!(lines.is_empty(), !is_passed);
    let read = head.case_header_iter();
    lines.extend(read.map(|(name, value)| {
        let name = std::str::from_utf8(name.as_slice()).unwrap();
        format!("{name}: {}", value.to_str().unwrap())
    }));
    lines.sort();
    (head.status.as_u16(), reason, lines)
}

proptest! {
    #[test]
    fn lines_that_are_not_read_are_the_same_to_a_client(
        status in prop::sample::select(vec!["200 OK", "200 Fine", "404 Not Found", "503 ", "204"]),
        lines in prop::collection::vec(prop::sample::select(vec![
            "Server: they", "server:  them ", "X-Empty:", "Date: today", "Connection: close", "connection: Keep-Alive",
            "Connection: x-empty, close", "Keep-Alive: timeout=5", "Proxy-Connection: a", "TE: b", "Trailer: c", "Upgrade: h2c",
            "X-Request-Id: theirs", "x-request-ID: e", "X-Request-Id-Too: f", "X-Request: g", "Set-Cookie: a=b: c", "Content-Type: d",
        ]), 0..9),
        framing in prop::sample::select(vec!["Content-Length: 3", "content-length:3", "Transfer-Encoding: chunked", "Framed: no"]),
        place in any::<prop::sample::Index>(),
    ) {
        let mut lines = lines;
        lines.insert(place.index(lines.len() + 1), framing);
        let head = format!("HTTP/1.1 {status}\r\n{}\r\n\r\n", lines.join("\r\n"));
        let spelled = lines_passed_on(head.as_bytes(), Form::Spelled);
        prop_assert_eq!(lines_passed_on(head.as_bytes(), Form::Framing), spelled);
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_were_cut(
        length in prop::option::of(0_usize..60),
        chunks in prop::collection::vec(1_usize..30, 0..4),
        behind in prop::collection::vec(any::<u8>(), 0..10),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let mut bytes = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n".to_vec();
        if let Some(length) = length {
            bytes.extend(format!("Content-Length: {length}\r\n\r\n").bytes());
            bytes.extend(std::iter::repeat_n(b'a', length));
        } else {
            bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in &chunks {
                bytes.extend(format!("{chunk:x};e=f\r\n").bytes());
                bytes.extend(std::iter::repeat_n(b'b', *chunk));
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\nT: u\r\n\r\n");
        }
        bytes.extend(&behind);
        let told = read(&bytes, &cuts).unwrap();
        prop_assert_eq!(&told, &whole(&bytes).unwrap());
        prop_assert!(told.is_whole);
        prop_assert_eq!(told.rest, behind);
        prop_assert_eq!(told.body.len(), length.unwrap_or(chunks.iter().sum()));
    }

    #[test]
    fn no_bytes_make_it_panic_and_cuts_do_not_change_what_it_says(
        bytes in prop::collection::vec(prop::sample::select(&b"HTTP/1.0 2\r\n:;a5\0Content-Length"[..]), 0..80),
        cuts in prop::collection::vec(1_usize..9, 1..9),
    ) {
        let mut answer = b"HTTP/1.1 200 OK\r\n".to_vec();
        answer.extend(bytes);
        let (one, other) = (whole(&answer), read(&answer, &cuts));
        prop_assert_eq!(one.is_ok(), other.is_ok());
        if let (Ok(one), Ok(other)) = (one, other) {
            prop_assert_eq!(one, other);
        }
    }
}
