//! A client that sends exactly the bytes it is given: a polite one would sort, fold and correct them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use super::{PAUSE, patience};

/// Shorter than anything that a test waits for.
const MOMENT: Duration = Duration::from_millis(1);

pub(crate) struct Client {
    stream: Box<dyn Stream>,
    /// What is below the stream.
    socket: TcpStream,
    pub(super) unread: Vec<u8>,
}

pub(super) trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) version: String,
    pub(crate) status: u16,
    /// Names and values as sent, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Without its framing.
    pub(crate) body: Vec<u8>,
    /// False when the connection ended before the body did.
    pub(crate) is_complete: bool,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    /// One whose own end has this address.
    pub(crate) fn connect_from(own: IpAddr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(own, 0).into()).unwrap();
        socket.connect(&address.into()).unwrap();
        let socket = patient(socket.into()).unwrap();
        Self::over(socket.try_clone().unwrap(), socket)
    }

    /// One on a Unix socket, which to the standard library is a socket like any other.
    pub(crate) fn connect_unix(path: &Path) -> Self {
        let socket = OwnedFd::from(UnixStream::connect(path).unwrap());
        let socket = TcpStream::from(socket);
        socket.set_read_timeout(Some(patience())).unwrap();
        socket.set_write_timeout(Some(patience())).unwrap();
        Self::over(socket.try_clone().unwrap(), socket)
    }

    pub(crate) fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let socket = open(address)?;
        Ok(Self::over(socket.try_clone()?, socket))
    }

    /// A client that speaks over `stream`, which stands on this socket.
    pub(super) fn over(stream: impl Stream + 'static, socket: TcpStream) -> Self {
        Self {
            stream: Box::new(stream),
            socket,
            unread: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self.stream.flush().unwrap();
    }

    /// Sends as much as the other side takes.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
        let _ = self.stream.flush();
    }

    /// Sends these bytes again and again, a moment apart, until the other side answers or has gone.
    pub(crate) fn drip(&mut self, bytes: &[u8]) {
        self.socket.set_read_timeout(Some(PAUSE)).unwrap();
        let mut piece = [0; 4096];
        let mut left = patience();
        while !left.is_zero() {
            left = left.saturating_sub(PAUSE);
            let is_gone = self.stream.write_all(bytes).is_err();
            match self.stream.read(&mut piece) {
                Ok(read) => self.unread.extend_from_slice(&piece[..read]),
                Err(error) if !is_gone && is_timeout(&error) => continue,
                Err(_) => {}
            }
            break;
        }
        self.socket.set_read_timeout(Some(patience())).unwrap();
    }

    /// Sends these bytes, if the other side is still there, and gives it a millisecond to say something.
    pub(crate) fn drip_once(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
        self.socket.set_read_timeout(Some(MOMENT)).unwrap();
        let _ = self.socket.peek(&mut [0]);
        self.socket.set_read_timeout(Some(patience())).unwrap();
    }

    /// Sends these bytes; whether the other side was still there.
    pub(crate) fn has_sent(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Its own end of the connection.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Says that nothing more will come.
    pub(crate) fn finish(&self) {
        self.socket.shutdown(Shutdown::Write).unwrap();
    }

    /// Another one on the same connection, in the clear, which only sends.
    pub(crate) fn another_hand(&self) -> Self {
        let socket = self.socket.try_clone().unwrap();
        Self::over(socket.try_clone().unwrap(), socket)
    }

    /// Goes away from one moment to the next.
    pub(crate) fn reset(self) {
        SockRef::from(&self.socket)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    pub(crate) fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes);
        self.answer()
    }

    /// The next answer, to any method but HEAD.
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer().unwrap()
    }

    /// The next answer, if it has begun to come.
    pub(crate) fn answer_if_begun(&mut self) -> Option<Answer> {
        self.socket.set_nonblocking(true).unwrap();
        let has_begun = self.socket.peek(&mut [0]).is_ok_and(|bytes| bytes > 0);
        self.socket.set_nonblocking(false).unwrap();
        has_begun.then(|| self.answer())
    }

    /// The next answer to a HEAD request, which has a head only.
    pub(crate) fn answer_without_body(&mut self) -> Answer {
        self.try_answer_without_body().unwrap()
    }

    pub(crate) fn try_answer_without_body(&mut self) -> io::Result<Answer> {
        self.read_head()
    }

    pub(crate) fn try_answer(&mut self) -> io::Result<Answer> {
        let mut answer = self.read_head()?;
        if matches!(answer.status, 100..200 | 204 | 304) {
            return Ok(answer);
        }
        let is_chunked = answer
            .header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let length = answer
            .header("content-length")
            .map(|length| length.parse().unwrap());
        answer.is_complete = match length {
            _ if is_chunked => self.read_chunks(&mut answer.body)?,
            Some(length) => self.read_body(length, &mut answer.body)?,
            None => self.read_to_end(&mut answer.body)?,
        };
        Ok(answer)
    }

    /// Waits until these bytes have come, and leaves them where they are.
    pub(crate) fn wait_for(&mut self, bytes: &[u8]) {
        self.wait_until(|unread| find(unread, bytes).is_some());
    }

    /// The same, where the other side may close before.
    pub(crate) fn try_wait_for(&mut self, bytes: &[u8]) -> io::Result<()> {
        while find(&self.unread, bytes).is_none() {
            if !self.read_more()? {
                let got = String::from_utf8_lossy(&self.unread);
                let complaint = format!("closed after {got:?}");
                return Err(io::Error::new(ErrorKind::UnexpectedEof, complaint));
            }
        }
        Ok(())
    }

    /// Waits until what has come is enough, and leaves it where it is.
    pub(crate) fn wait_until(&mut self, is_enough: impl Fn(&[u8]) -> bool) {
        while !is_enough(&self.unread) {
            let more = self.read_more().unwrap();
            assert!(
                more,
                "closed after {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        }
    }

    /// Waits for the other side to close; false when bytes come instead.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.read_more() {
            Ok(more) => !more,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => panic!("neither closed nor answered: {error}"),
        }
    }

    /// Reads to the end of the connection; whether that was no reset.
    pub(crate) fn ends_in_order(&mut self) -> bool {
        self.read_to_end(&mut Vec::new()).unwrap()
    }

    fn read_head(&mut self) -> io::Result<Answer> {
        let length = loop {
            if let Some(at) = find(&self.unread, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.read_more()? {
                let got = String::from_utf8_lossy(&self.unread);
                let complaint = format!("closed before the end of a head: {got:?}");
                return Err(io::Error::new(ErrorKind::UnexpectedEof, complaint));
            }
        };
        Ok(parse(&self.take(length)))
    }

    fn read_body(&mut self, length: usize, body: &mut Vec<u8>) -> io::Result<bool> {
        while self.unread.len() < length {
            if !self.read_on()? {
                body.append(&mut self.unread);
                return Ok(false);
            }
        }
        body.extend(self.take(length));
        Ok(true)
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let line = loop {
                if let Some(at) = find(&self.unread, b"\r\n") {
                    break self.take(at + 2);
                }
                if !self.read_on()? {
                    return Ok(false);
                }
            };
            let size = String::from_utf8(line).unwrap();
            let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
            let mut chunk = Vec::new();
            let is_whole = self.read_body(size + 2, &mut chunk)?;
            chunk.truncate(size);
            body.append(&mut chunk);
            if !is_whole || size == 0 {
                return Ok(is_whole);
            }
        }
    }

    /// A body without framing is complete when the connection ends in order.
    fn read_to_end(&mut self, body: &mut Vec<u8>) -> io::Result<bool> {
        let ended = loop {
            match self.read_more() {
                Ok(true) => {}
                Ok(false) => break true,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break false,
                Err(error) => return Err(error),
            }
        };
        body.append(&mut self.unread);
        Ok(ended)
    }

    /// Like [`Self::read_more`]; in the middle of a body a reset is an end like any other.
    fn read_on(&mut self) -> io::Result<bool> {
        match self.read_more() {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            other => other,
        }
    }

    pub(super) fn read_more(&mut self) -> io::Result<bool> {
        let mut piece = [0; 4096];
        let read = self.stream.read(&mut piece)?;
        self.unread.extend_from_slice(&piece[..read]);
        Ok(read > 0)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.unread.drain(..length).collect()
    }
}

impl Answer {
    /// The value of the first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.values(name).first().copied()
    }

    /// The values of all headers of this name.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Which hello service has answered.
    pub(crate) fn hostname(&self) -> String {
        self.json()["hostname"].as_str().unwrap().to_owned()
    }

    /// The headers that a hello service got, from its answer to `/headers`.
    pub(crate) fn received(&self) -> Vec<(String, String)> {
        serde_json::from_value(self.json()["headers"].clone()).unwrap()
    }
}

/// A connection on which nothing is waited for without end.
pub(super) fn open(address: SocketAddr) -> io::Result<TcpStream> {
    patient(TcpStream::connect(address)?)
}

fn patient(socket: TcpStream) -> io::Result<TcpStream> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(patience()))?;
    socket.set_write_timeout(Some(patience()))?;
    Ok(socket)
}

/// The values of all headers of this name, in any case.
pub(crate) fn values<'a>(headers: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    headers
        .iter()
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
        .collect()
}

/// One GET on a connection of its own.
pub(crate) fn get(address: SocketAddr, target: &str) -> Answer {
    get_with(address, target, "")
}

/// One GET with more header lines, each ended with CRLF.
pub(crate) fn get_with(address: SocketAddr, target: &str, headers: &str) -> Answer {
    ask(
        address,
        format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{headers}\r\n"),
    )
}

/// One request, byte for byte, on a connection of its own.
pub(crate) fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    Client::connect(address).ask(request)
}

/// Whether nobody listens at `address`.
pub(crate) fn refuses(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// The names and values of a head's lines, without its first.
pub(crate) fn header_lines(head: &str) -> Vec<(String, String)> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

fn parse(head: &[u8]) -> Answer {
    let head = String::from_utf8(head.to_vec()).unwrap();
    let status_line = head.lines().next().unwrap();
    let mut words = status_line.split(' ');
    Answer {
        version: words.next().unwrap().to_owned(),
        status: words.next().unwrap().parse().unwrap(),
        headers: header_lines(&head),
        body: Vec::new(),
        is_complete: true,
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
