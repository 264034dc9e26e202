//! Frames by the letter of RFC 9113 and RFC 7541: `conformance.txt` has a line for each case.
//!
//! A step is a frame, `KIND stream flags payload`, with `n*` before it for several (heads then have streams of their own); a payload is made
//! of hexadecimal digits, `n*` of them, texts in quotes, and the heads below. `RAW` is sent in the place of a preface. `HEAD`, `BODY` and
//! `WAIT` wait for a head, for a piece of a body, and for the end of a stream, or of the connection where it is 0. Behind the steps goes a PING.
//!
//! | outcome | what it says |
//! |---|---|
//! | `goaway CODE`, `reset STREAM CODE` | the connection or the stream is ended for this reason |
//! | `closed` | the connection is closed |
//! | `pong` | nothing is ended, and the PING is answered |
//! | `answer STREAM` | answered with status 200 |
//! | `data STREAM LENGTH` | the next piece of the body is so long |
//! | `no data` | there is none before the PING is answered |
//! | `settings`, `ack`, `echo BYTES` | this is what the proxy begins with, says to settings, says to a PING |
//! | `A or B` | the RFC leaves the choice |
//! | `A instead B` | the RFC wants B |

use std::fmt::Write as _;
use std::fs;

use crate::support::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, PREFACE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
};
use crate::support::{Backend, Client, Proxy};

const KINDS: [(&str, u8); 10] = [
    ("DATA", DATA),
    ("HEADERS", HEADERS),
    ("PRIORITY", 2),
    ("RST_STREAM", RST_STREAM),
    ("SETTINGS", SETTINGS),
    ("PUSH_PROMISE", 5),
    ("PING", PING),
    ("GOAWAY", GOAWAY),
    ("WINDOW_UPDATE", WINDOW_UPDATE),
    ("CONTINUATION", CONTINUATION),
];

const FLAGS: [(&str, u8); 6] = [
    ("-", 0),
    ("es", END_STREAM),
    ("ack", ACK),
    ("eh", END_HEADERS),
    ("pad", 8),
    ("pri", 0x20),
];

/// Those that are answered at once, and those that wait for a backend that never answers.
const HEADS: [(&str, &str); 3] = [
    ("$get", "82 86 84 01 06 \"a.test\""),
    ("$hang", "82 86 04 05 \"/hang\" 01 06 \"a.test\""),
    ("$hangpost", "83 86 04 05 \"/hang\" 01 06 \"a.test\""),
];

const CODES: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// How many cases there are at least: a file that was not read has none.
const AT_LEAST: usize = 140;

/// What the PING behind the steps says.
const LAST: &[u8] = b"the last";

/// The connection is over.
const CLOSED: &str = "closed";

#[test]
fn frames_are_taken_and_refused_by_the_letter_of_the_rfc() {
    let backend = Backend::hanging();
    let proxy = Proxy::start(&format!(
        "listeners:\n  - address: 127.0.0.1:0\nupstreams: {{ hang: {{ backends: [{}] }} }}\n\
         routes:\n  - {{ match: {{ path: /hang }}, upstream: hang }}\n  - respond: {{ status: 200, body: fine }}\n",
        backend.address()
    ));
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/e2e/http2/conformance.txt"
    );
    let text = fs::read_to_string(file).unwrap();
    let is_case = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let cases: Vec<_> = text.lines().filter(is_case).collect();
    assert!(cases.len() >= AT_LEAST, "only {} cases", cases.len());
    let mut wrong = String::new();
    for case in cases {
        let cells: Vec<_> = case.splitn(4, " | ").collect();
        let [section, name, outcome, steps] = cells[..] else {
            panic!("not four cells: {case}");
        };
        let wanted = outcome.split(" instead ").next().unwrap_or_default();
        let mut exchange = Exchange::with(&proxy);
        steps.split(" ; ").for_each(|step| exchange.take(step));
        exchange.client.try_send(&frame(PING, 0, 0, LAST));
        let has_come = |exchange: &Exchange| wanted.split(" or ").any(|one| exchange.has(one));
        if !exchange.until(has_come) {
            let seen = exchange.seen.join(", ");
            let _ = writeln!(wrong, "{section} {name}: not {outcome}, but {seen}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// One connection.
struct Exchange {
    client: Client,
    has_begun: bool,
    /// What has come, in the words of the outcomes, and from where on it comes behind the last step that waited.
    seen: Vec<String>,
    since: usize,
}

impl Exchange {
    fn with(proxy: &Proxy) -> Self {
        Self {
            client: Client::connect(proxy.address()),
            has_begun: false,
            seen: vec![],
            since: 0,
        }
    }

    fn take(&mut self, step: &str) {
        let (kind, rest) = step.split_once(' ').unwrap_or((step, ""));
        if !std::mem::replace(&mut self.has_begun, true) && kind != "RAW" {
            self.client.send(PREFACE);
            self.client.send(frame(SETTINGS, 0, 0, &[]));
        }
        let wanted = match kind {
            "-" => return,
            "RAW" => return self.client.send(payload(rest)),
            "HEAD" => format!("answer {rest}"),
            "BODY" => format!("data {rest}"),
            "WAIT" if rest == "0" => "goaway".to_owned(),
            "WAIT" => format!("end {rest}"),
            _ => return self.client.try_send(&frames(kind, rest)),
        };
        let has_come = |exchange: &Self| exchange.seen.iter().any(|one| one.starts_with(&wanted));
        assert!(self.until(has_come), "{step}: {:?}", self.seen);
        self.since = self.seen.len();
    }

    /// Whether it comes to that before the connection is over.
    fn until(&mut self, has_come: impl Fn(&Self) -> bool) -> bool {
        while !has_come(self) {
            if self.seen.iter().any(|seen| seen == CLOSED) {
                return false;
            }
            match self.client.frame() {
                Ok(Some(frame)) => self.note(&frame),
                Ok(None) => self.seen.push(CLOSED.to_owned()),
                Err(error) if is_late(&error) => return false,
                Err(_) => self.seen.push(CLOSED.to_owned()),
            }
        }
        true
    }

    fn note(&mut self, frame: &Frame) {
        let stream = frame.stream;
        let code = |frame: &Frame| CODES[frame.code() as usize];
        self.seen.push(match (frame.kind, frame.flags & ACK) {
            (GOAWAY, _) => format!("goaway {}", code(frame)),
            (RST_STREAM, _) => format!("reset {stream} {}", code(frame)),
            (SETTINGS, 0) => "settings".to_owned(),
            (SETTINGS, _) => "ack".to_owned(),
            (PING, ACK) if frame.payload == LAST => "pong".to_owned(),
            (PING, ACK) => format!("echo {}", hexadecimal(&frame.payload)),
            (HEADERS, _) if is_200(&frame.payload) => format!("answer {stream}"),
            (DATA, _) if !frame.payload.is_empty() => {
                format!("data {stream} {}", frame.payload.len())
            }
            _ => format!("kind {}", frame.kind),
        });
        if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
            self.seen.push(format!("end {stream}"));
        }
    }

    fn has(&self, wanted: &str) -> bool {
        let behind = &self.seen[self.since..];
        let has = |word: &str| self.seen.iter().any(|seen| seen.starts_with(word));
        let data = behind.iter().find(|seen| seen.starts_with("data"));
        match wanted {
            "pong" => has("pong") && !["goaway", "reset", CLOSED].into_iter().any(has),
            "no data" => has("pong") && data.is_none(),
            "settings" => self.seen.first().is_some_and(|first| first == wanted),
            // One acknowledges the preface.
            "ack" => self.seen.iter().filter(|seen| *seen == wanted).count() == 2,
            _ if wanted.starts_with("data") => data.is_some_and(|data| data == wanted),
            _ => self.seen.iter().any(|seen| seen == wanted),
        }
    }
}

fn is_late(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}

/// The first field, behind a change of the table's size, is the entry of the static table for `:status: 200`.
fn is_200(block: &[u8]) -> bool {
    matches!(block, [0x88, ..] | [0x20..=0x3f, 0x88, ..])
}

/// The frames of a step.
fn frames(kind: &str, rest: &str) -> Vec<u8> {
    let (count, kind) = kind.split_once('*').unwrap_or(("1", kind));
    let known = KINDS.iter().find(|(word, _)| *word == kind);
    let kind = known.map_or_else(|| byte(kind), |(_, kind)| *kind);
    let mut words = rest.splitn(3, ' ');
    let stream = words.next().expect("a stream");
    let stream = match stream.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16).unwrap(),
        None => stream.parse().unwrap(),
    };
    let flags = words.next().expect("flags").split(',');
    let flag = |word| FLAGS.iter().find(|(known, _)| *known == word);
    let flags = flags.map(|word| flag(word).map_or_else(|| byte(word), |(_, flag)| *flag));
    let flags = flags.fold(0, |all, flag| all | flag);
    let payload = payload(words.next().unwrap_or_default());
    let apart = if kind == HEADERS { 2 } else { 0 };
    let nth = |n: u32| frame(kind, flags, stream + apart * n, &payload);
    (0..count.parse().unwrap()).flat_map(nth).collect()
}

/// `x` and two digits.
fn byte(word: &str) -> u8 {
    let digits = word.strip_prefix('x');
    let digits = digits.unwrap_or_else(|| panic!("what is {word}?"));
    u8::from_str_radix(digits, 16).unwrap()
}

fn payload(text: &str) -> Vec<u8> {
    let mut bytes = vec![];
    for word in text.split_whitespace() {
        if let Some((_, head)) = HEADS.iter().find(|(name, _)| *name == word) {
            bytes.extend(payload(head));
        } else if let Some(text) = word.strip_prefix('"') {
            bytes.extend(text.strip_suffix('"').expect("a quote").bytes());
        } else {
            let (count, digits) = word.split_once('*').unwrap_or(("1", word));
            bytes.extend(octets(digits).repeat(count.parse().unwrap()));
        }
    }
    bytes
}

fn octets(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "half a byte: {digits}");
    let places = (0..digits.len()).step_by(2);
    places
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
