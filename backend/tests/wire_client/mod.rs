//! A client that sends exactly the bytes it is given: a polite one would sort, fold and correct them. Every
//! wait has a deadline, so a test that would hang fails.
#![allow(dead_code, reason = "each test binary uses its own part of it")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes);
        self.answer()
    }

    pub(crate) fn answer(&mut self) -> Answer {
        loop {
            if let Some((answer, length)) = parse(&self.unread) {
                self.unread.drain(..length);
                return answer;
            }
            let mut piece = [0; 4096];
            let read = self.stream.read(&mut piece).unwrap();
            assert_ne!(read, 0, "closed in the middle of an answer: {self:?}");
            self.unread.extend_from_slice(&piece[..read]);
        }
    }

    /// Waits for the other side to close; false when bytes come instead.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => panic!("neither closed nor answered: {error}"),
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.unread))
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        Some(value)
    }
}

/// One request on a connection of its own.
pub(crate) fn get(address: SocketAddr, target: &str) -> Answer {
    Client::connect(address).ask(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"))
}

/// A listener whose backlog is full does not answer at all; that is no refusal.
pub(crate) fn refuses(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, PAUSE)
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

pub(crate) fn wait_until(what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_in_time(holds), "waited in vain until {what}");
}

pub(crate) fn holds_in_time(mut holds: impl FnMut() -> bool) -> bool {
    let mut left = DEADLINE;
    while !holds() {
        left = left.saturating_sub(PAUSE);
        if left.is_zero() {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}

fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).unwrap() else {
        return None;
    };
    let mut answer = Answer {
        status: response.code.unwrap(),
        headers: response
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8(header.value.to_vec()).unwrap();
                (header.name.to_owned(), value)
            })
            .collect(),
        body: Vec::new(),
    };
    let length = answer
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    answer.body = bytes.get(head..head + length)?.to_vec();
    Some((answer, head + length))
}
