//! A backend that reads as strictly as RFC 9112 lets it, with code that shares nothing with Evenkeel's.
//!
//! Every byte is kept. A message is taken only if it can be read in one way: a token, one space, a target, one space, `HTTP/1.1`; lines that end
//! with CRLF; names that are tokens, values without controls; one `Host`; a decimal `Content-Length` or `chunked`, never both.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// What a connection had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Request(Taken),
    /// It broke off within a request.
    Part(String),
    /// It cannot be read in one way.
    Violation(String, String),
}

pub(super) struct StrictBackend {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl StrictBackend {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let backend = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
        };
        let seen = Arc::clone(&backend.seen);
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let seen = Arc::clone(&seen);
                thread::spawn(move || serve(socket, &seen));
            }
        });
        backend
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was seen so far, in order.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut socket: TcpStream, seen: &Mutex<Vec<Seen>>) {
    let mut unread = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        match message(&unread) {
            Ok(Some((taken, length))) => {
                unread.drain(..length);
                let body = format!("{} {}", taken.method, taken.target);
                seen.lock().unwrap().push(Seen::Request(taken));
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                if socket.write_all(answer.as_bytes()).is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(why) => {
                let bytes = String::from_utf8_lossy(&unread).into_owned();
                let violation = Seen::Violation(why.to_owned(), bytes);
                return seen.lock().unwrap().push(violation);
            }
        }
        match socket.read(&mut piece) {
            Ok(read) if read > 0 => unread.extend_from_slice(&piece[..read]),
            _ if unread.is_empty() => return,
            _ => {
                let part = String::from_utf8_lossy(&unread).into_owned();
                return seen.lock().unwrap().push(Seen::Part(part));
            }
        }
    }
}

pub(super) type Read1<T> = Result<Option<T>, &'static str>;

/// The message at the start of `bytes` and its length; none while it is not whole.
pub(super) fn message(bytes: &[u8]) -> Read1<(Taken, usize)> {
    let mut at = 0;
    let Some(line) = line(bytes, &mut at)? else {
        return Ok(None);
    };
    let words: Vec<_> = line.split(|byte| *byte == b' ').collect();
    let [method, target, b"HTTP/1.1"] = words[..] else {
        return Err("a request line of other than three words");
    };
    if !is_token(method) {
        return Err("a method that is no token");
    }
    let is_asterisk = target == b"*" && method == b"OPTIONS";
    if !(target.starts_with(b"/") || is_asterisk)
        || target
            .iter()
            .any(|byte| *byte <= b' ' || *byte == 0x7f || *byte == b'#')
    {
        return Err("a target in another form than that of an origin");
    }
    let Some(fields) = fields(bytes, &mut at)? else {
        return Ok(None);
    };
    if fields.iter().filter(|(name, _)| name == "host").count() != 1 {
        return Err("other than one Host");
    }
    let Some(body) = body(bytes, &mut at, &fields)? else {
        return Ok(None);
    };
    let taken = Taken {
        method: text(method),
        target: text(target),
        fields,
        body,
    };
    Ok(Some((taken, at)))
}

/// An answer that was read.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Bytes that stand behind it.
    pub(super) more: usize,
}

/// The answer at the start of `bytes`, behind interim ones; none while it is not whole.
pub(super) fn answer(bytes: &[u8]) -> Read1<Answered> {
    let mut at = 0;
    loop {
        let Some(line) = line(bytes, &mut at)? else {
            return Ok(None);
        };
        let line = text(line);
        let mut words = line.splitn(3, ' ');
        let (Some("HTTP/1.1"), Some(code), Some(_)) = (words.next(), words.next(), words.next())
        else {
            return Err("a status line of other than three words");
        };
        let status: u16 = code.parse().map_err(|_| "a status that is no number")?;
        if code.len() != 3 || !(100..1000).contains(&status) || line.contains(|c: char| c < ' ') {
            return Err("a status that is none");
        }
        let Some(fields) = fields(bytes, &mut at)? else {
            return Ok(None);
        };
        if matches!(status, 102..=199) {
            continue;
        }
        let body = match status {
            204 | 304 => Some(Vec::new()),
            _ => body(bytes, &mut at, &fields)?,
        };
        return Ok(body.map(|body| Answered {
            status,
            fields,
            body,
            more: bytes.len() - at,
        }));
    }
}

fn fields(bytes: &[u8], at: &mut usize) -> Read1<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let Some(line) = line(bytes, at)? else {
            return Ok(None);
        };
        if line.is_empty() {
            return Ok(Some(fields));
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Err("a line without a colon");
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !is_token(name) {
            return Err("a name that is no token");
        }
        if value
            .iter()
            .any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f)
        {
            return Err("a value with a control byte");
        }
        fields.push((text(name).to_lowercase(), text(value).trim().to_owned()));
    }
}

fn body(bytes: &[u8], at: &mut usize, fields: &[(String, String)]) -> Read1<Vec<u8>> {
    let values = |wanted: &str| -> Vec<_> {
        let named = fields.iter().filter(|(name, _)| name == wanted);
        named.map(|(_, value)| value.as_str()).collect()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Some(Vec::new())),
        ([length], []) => {
            if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err("a length that is no number");
            }
            let length: usize = length.parse().map_err(|_| "a length that is too long")?;
            let end = *at + length;
            let body = bytes.get(*at..end).map(<[u8]>::to_vec);
            *at = end;
            Ok(body)
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => chunks(bytes, at),
        ([], _) => Err("another coding than chunked"),
        _ => Err("two lengths, or one beside a coding"),
    }
}

fn chunks(bytes: &[u8], at: &mut usize) -> Read1<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Some(size) = line(bytes, at)? else {
            return Ok(None);
        };
        if size.is_empty() || size.len() > 8 || !size.iter().all(u8::is_ascii_hexdigit) {
            return Err("a chunk's size that is none");
        }
        let size = usize::from_str_radix(&text(size), 16).map_err(|_| "a size")?;
        if size == 0 {
            return Ok(fields(bytes, at)?.map(|_| body));
        }
        let Some(chunk) = bytes.get(*at..*at + size + 2) else {
            return Ok(None);
        };
        let Some(data) = chunk.strip_suffix(b"\r\n") else {
            return Err("a chunk without its end");
        };
        body.extend_from_slice(data);
        *at += size + 2;
    }
}

/// The next line, without its CRLF; a bare CR or LF in it is a fault as soon as it is seen.
fn line<'b>(bytes: &'b [u8], at: &mut usize) -> Read1<&'b [u8]> {
    let rest = &bytes[*at..];
    let Some(end) = rest
        .iter()
        .position(|byte| *byte == b'\r' || *byte == b'\n')
    else {
        return Ok(None);
    };
    match rest[end..] {
        [b'\r', b'\n', ..] => {
            *at += end + 2;
            Ok(Some(&rest[..end]))
        }
        [b'\r'] => Ok(None),
        _ => Err("a bare CR or LF"),
    }
}

fn is_token(bytes: &[u8]) -> bool {
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_of_token)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn only_what_can_be_read_in_one_way_is_taken() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\n";
    for (message, is_taken) in [
        (format!("{head}Content-Length: 2\r\n\r\nhi"), true),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
            true,
        ),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nhi!\n0\r\n\r\n"),
            false,
        ),
        (
            format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n"),
            false,
        ),
        (
            format!("{head}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"),
            false,
        ),
        (format!("{head}Host: b\r\n\r\n"), false),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n".to_owned(), false),
        (
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            false,
        ),
    ] {
        let read = super::strict::message(message.as_bytes());
        assert_eq!(
            read.is_ok_and(|read| read.is_some()),
            is_taken,
            "{message:?}"
        );
    }
}
