//! A backend that does with each connection exactly what its script says, and remembers every request byte for
//! byte. A well-behaved server cannot break off in the middle of a head.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::client::{find, header_lines, values};
use super::{DEADLINE, PAUSE};

pub(crate) struct Backend {
    address: SocketAddr,
    requests: Requests,
    is_over: Arc<AtomicBool>,
}

type Requests = Arc<Mutex<Vec<Request>>>;

impl Backend {
    /// Runs `script` on a thread of its own for each connection.
    pub(crate) fn start(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let backend = Self {
            address: listener.local_addr().unwrap(),
            requests: Requests::default(),
            is_over: Arc::default(),
        };
        let (requests, is_over) = (Arc::clone(&backend.requests), Arc::clone(&backend.is_over));
        let script = Arc::new(script);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let (requests, is_over) = (Arc::clone(&requests), Arc::clone(&is_over));
                let mut conversation = Conversation::new(stream, requests, is_over);
                let script = Arc::clone(&script);
                thread::spawn(move || script(&mut conversation));
            }
        });
        backend
    }

    /// Answers every request with the bytes that `answer` makes of it, on connections that stay open.
    pub(crate) fn answering<T: AsRef<[u8]>>(
        answer: impl Fn(&Request) -> T + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |conversation| {
            while let Some(request) = conversation.request() {
                conversation.send(answer(&request));
            }
        })
    }

    /// Takes the request and says nothing until the proxy gives up.
    pub(crate) fn hanging() -> Self {
        Self::start(|conversation| while conversation.request().is_some() {})
    }

    /// Takes the request, says these bytes and closes.
    pub(crate) fn saying(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::start(move |conversation| {
            if conversation.request().is_some() {
                conversation.send(&bytes);
            }
        })
    }

    /// Takes the request, says these bytes and resets the connection.
    pub(crate) fn resetting_after(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::start(move |conversation| {
            if conversation.request().is_some() {
                conversation.send(&bytes);
                conversation.reset();
            }
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests that came so far, whole ones only.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// How many of them were for `target`.
    pub(crate) fn asked_for(&self, target: &str) -> usize {
        let requests = self.requests();
        requests
            .iter()
            .filter(|request| request.target() == target)
            .count()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

/// One connection from the proxy.
pub(crate) struct Conversation {
    stream: TcpStream,
    unread: Vec<u8>,
    requests: Requests,
    is_over: Arc<AtomicBool>,
}

impl Conversation {
    fn new(stream: TcpStream, requests: Requests, is_over: Arc<AtomicBool>) -> Self {
        // A proxy that forgets to close must not keep the test's threads.
        stream.set_read_timeout(Some(DEADLINE * 4)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            unread: Vec::new(),
            requests,
            is_over,
        }
    }

    /// The next request with its body; `None` when the proxy has closed.
    pub(crate) fn request(&mut self) -> Option<Request> {
        let head = loop {
            if let Some(at) = find(&self.unread, b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more()?;
        };
        let mut request = Request {
            head: String::from_utf8_lossy(&self.unread[..head]).into_owned(),
            body: Vec::new(),
        };
        let length = request.header("content-length");
        let length = length.map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < head + length {
            self.read_more()?;
        }
        request.body = self.unread.drain(..head + length).skip(head).collect();
        self.requests.lock().unwrap().push(request.clone());
        Some(request)
    }

    /// Waits for the head of a request and notes it, without its body.
    pub(crate) fn head(&mut self) {
        self.wait_for(b"\r\n\r\n");
        let head = String::from_utf8_lossy(&self.unread).into_owned();
        let body = Vec::new();
        self.requests.lock().unwrap().push(Request { head, body });
    }

    /// Reads nothing more, and leaves the connection open as long as the backend is there.
    pub(crate) fn idle(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(PAUSE);
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The proxy may have gone; the test sees that at its own end.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends these bytes again and again, a moment apart, until the proxy has gone.
    pub(crate) fn drip(&mut self, bytes: &str) {
        while self.stream.write_all(bytes.as_bytes()).is_ok() {
            thread::sleep(PAUSE);
        }
    }

    /// Waits until these bytes have come.
    pub(crate) fn wait_for(&mut self, bytes: &[u8]) {
        while find(&self.unread, bytes).is_none() && self.read_more().is_some() {}
    }

    /// Waits for the proxy to close; whatever it still sends is read and dropped.
    pub(crate) fn wait_for_close(&mut self) {
        while self.read_more().is_some() {}
    }

    /// Closes the connection in the way that a crashed machine's kernel does.
    pub(crate) fn reset(&mut self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    fn read_more(&mut self) -> Option<()> {
        let mut piece = [0; 4096];
        let read = self.stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        self.unread.extend_from_slice(&piece[..read]);
        Some(())
    }
}

/// A request as the backend got it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// With the empty line that ends it.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn method(&self) -> &str {
        self.word(0)
    }

    pub(crate) fn target(&self) -> &str {
        self.word(1)
    }

    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        header_lines(&self.head)
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        values(&self.headers(), name)
            .first()
            .map(|value| (*value).to_owned())
    }

    fn word(&self, index: usize) -> &str {
        self.head.split(' ').nth(index).unwrap_or_default()
    }
}

/// A complete answer with status 200.
pub(crate) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Where these are.
pub(crate) fn ports(backends: &[Backend]) -> Vec<SocketAddr> {
    backends.iter().map(Backend::address).collect()
}
