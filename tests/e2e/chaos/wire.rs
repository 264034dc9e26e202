//! HTTP/1 as both ends here speak it: a head, then a body of known length or in chunks, and nothing is taken for whole that is not.

use std::io::{self, ErrorKind};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

pub(super) struct Wire {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {
    /// Lets the end be a reset.
    fn end_hard(&self);
}

impl Stream for TcpStream {
    fn end_hard(&self) {
        let _ = SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

impl Stream for UnixStream {
    fn end_hard(&self) {}
}

/// A head, and what it says.
pub(super) struct Head(pub(super) String);

impl Head {
    /// The second word of the first line: a target, or a status.
    pub(super) fn second_word(&self) -> &str {
        self.0.split(' ').nth(1).unwrap_or_default()
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines().filter_map(|line| line.split_once(':'));
        let line = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        line.map(|(_, value)| value.trim())
    }

    pub(super) fn says_close(&self) -> bool {
        self.value("connection").is_some_and(|word| word == "close")
    }
}

impl Wire {
    pub(super) fn over(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            unread: Vec::new(),
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// It will go away from one moment to the next.
    pub(super) fn ends_hard(&self) {
        self.stream.end_hard();
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.unread.reserve(16 * 1024);
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Whether the other side has said nothing yet.
    pub(super) fn is_silent(&self) -> bool {
        self.unread.is_empty()
    }

    pub(super) async fn head(&mut self) -> io::Result<Head> {
        let length = self.find(b"\r\n\r\n").await?;
        let head = self.take(length).await?;
        Ok(Head(String::from_utf8_lossy(&head).into_owned()))
    }

    /// The body behind this head, whole; without length and chunks there is none.
    pub(super) async fn body(&mut self, head: &Head) -> io::Result<Vec<u8>> {
        let length = head.value("content-length").map(str::parse);
        match (head.value("transfer-encoding"), length) {
            (Some("chunked"), _) => self.chunks().await,
            (None, Some(Ok(length))) => self.take(length).await,
            (None, None) => Ok(Vec::new()),
            _ => Err(io::Error::other(format!("no framing: {}", head.0))),
        }
    }

    pub(super) async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < length {
            self.fill().await?;
        }
        let rest = self.unread.split_off(length);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    /// Whatever comes next.
    pub(super) async fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.unread.is_empty() {
            self.fill().await?;
        }
        Ok(std::mem::take(&mut self.unread))
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let length = self.find(b"\r\n").await?;
            let line = self.take(length).await?;
            let line = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(line.trim_end(), 16);
            let size = size.map_err(|error| io::Error::other(format!("{line:?}: {error}")))?;
            let mut chunk = self.take(size + 2).await?;
            if chunk.split_off(size) != b"\r\n" {
                return Err(io::Error::other("no end of a chunk"));
            }
            body.append(&mut chunk);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// How far it is to behind these bytes.
    async fn find(&mut self, wanted: &[u8]) -> io::Result<usize> {
        let mut from = 0;
        loop {
            let windows = self.unread[from..].windows(wanted.len());
            if let Some(at) = windows.into_iter().position(|window| window == wanted) {
                return Ok(from + at + wanted.len());
            }
            from = (self.unread.len() + 1).saturating_sub(wanted.len());
            self.fill().await?;
        }
    }
}

/// The body as it goes behind a head, and the line of the head that says how.
pub(super) fn framed(body: &[u8], is_chunked: bool) -> (String, Vec<u8>) {
    const CHUNK: usize = 10_000;
    if !is_chunked {
        return (format!("Content-Length: {}\r\n", body.len()), body.to_vec());
    }
    let mut bytes = Vec::with_capacity(body.len() + 64);
    for chunk in body.chunks(CHUNK) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    ("Transfer-Encoding: chunked\r\n".to_owned(), bytes)
}
