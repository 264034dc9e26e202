//! A backend that does with each connection exactly what its script says, and remembers every request byte for
//! byte. A well-behaved server cannot break off in the middle of a head.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::SockRef;

use super::client::{find, header_lines, values};
use super::tls::{self, Handshake, TlsStream};
use super::{DEADLINE, PAUSE};

pub(crate) struct Backend {
    address: SocketAddr,
    requests: Requests,
    handshakes: Handshakes,
    is_over: Arc<AtomicBool>,
}

type Requests = Arc<Mutex<Vec<Request>>>;
type Handshakes = Arc<Mutex<Vec<Handshake>>>;

impl Backend {
    /// Runs `script` on a thread of its own for each connection.
    pub(crate) fn start(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        Self::listen(None, script)
    }

    /// The same over TLS; the script begins when the handshake is done, and not at all when it fails.
    pub(crate) fn start_tls(
        config: ServerConfig,
        script: impl Fn(&mut Conversation) + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(Arc::new(config)), script)
    }

    fn listen(
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(&mut Conversation) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let backend = Self {
            address: listener.local_addr().unwrap(),
            requests: Requests::default(),
            handshakes: Handshakes::default(),
            is_over: Arc::default(),
        };
        let (requests, is_over) = (Arc::clone(&backend.requests), Arc::clone(&backend.is_over));
        let handshakes = Arc::clone(&backend.handshakes);
        let script = Arc::new(script);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                let (tls, script) = (tls.clone(), Arc::clone(&script));
                let (requests, handshakes) = (Arc::clone(&requests), Arc::clone(&handshakes));
                let is_over = Arc::clone(&is_over);
                thread::spawn(move || {
                    let begun = Conversation::begin(stream, tls.as_ref(), requests, &handshakes);
                    if let Some(mut conversation) = begun {
                        conversation.is_over = is_over;
                        script(&mut conversation);
                    }
                });
            }
        });
        backend
    }

    /// Answers every request with the bytes that `answer` makes of it, on connections that stay open.
    pub(crate) fn answering<T: AsRef<[u8]>>(
        answer: impl Fn(&Request) -> T + Send + Sync + 'static,
    ) -> Self {
        Self::listen(None, answer_each(answer))
    }

    /// The same over TLS.
    pub(crate) fn answering_tls<T: AsRef<[u8]>>(
        config: ServerConfig,
        answer: impl Fn(&Request) -> T + Send + Sync + 'static,
    ) -> Self {
        Self::start_tls(config, answer_each(answer))
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

    /// The handshakes that were completed so far, one for each connection over TLS.
    pub(crate) fn handshakes(&self) -> Vec<Handshake> {
        self.handshakes.lock().unwrap().clone()
    }

    /// How many of them were for `target`.
    pub(crate) fn asked_for(&self, target: &str) -> usize {
        asked_for(&self.requests, target)
    }

    /// [`Self::asked_for`], for the script of another backend.
    pub(crate) fn counter(&self, target: &'static str) -> impl Fn() -> usize + use<> {
        let requests = Arc::clone(&self.requests);
        move || asked_for(&requests, target)
    }
}

fn asked_for(requests: &Requests, target: &str) -> usize {
    let requests = requests.lock().unwrap();
    requests
        .iter()
        .filter(|request| request.target() == target)
        .count()
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

/// A script that answers every request.
fn answer_each<T: AsRef<[u8]>>(
    answer: impl Fn(&Request) -> T + Send + Sync + 'static,
) -> impl Fn(&mut Conversation) + Send + Sync + 'static {
    move |conversation| {
        while let Some(request) = conversation.request() {
            conversation.send(answer(&request));
        }
    }
}

/// One connection from the proxy.
pub(crate) struct Conversation {
    stream: Box<dyn Stream>,
    /// What is below the stream.
    socket: TcpStream,
    pub(super) unread: Vec<u8>,
    requests: Requests,
    is_over: Arc<AtomicBool>,
}

trait Stream: Read + Write {
    /// Says that nothing more will come.
    fn end(&mut self);
}

impl Stream for TcpStream {
    fn end(&mut self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Stream for TlsStream {
    fn end(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
    }
}

impl Conversation {
    /// `None` when TLS was wanted and did not come about.
    fn begin(
        socket: TcpStream,
        tls: Option<&Arc<ServerConfig>>,
        requests: Requests,
        handshakes: &Handshakes,
    ) -> Option<Self> {
        // A proxy that forgets to close must not keep the test's threads.
        socket.set_read_timeout(Some(DEADLINE * 4)).unwrap();
        socket.set_nodelay(true).unwrap();
        let below = socket.try_clone().unwrap();
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(socket),
            Some(config) => {
                let (stream, handshake) = tls::accept(config, socket)?;
                handshakes.lock().unwrap().push(handshake);
                Box::new(stream)
            }
        };
        Some(Self {
            stream,
            socket: below,
            is_over: Arc::default(),
            unread: Vec::new(),
            requests,
        })
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
        let _ = self.stream.flush();
    }

    /// Sends these bytes again and again, a moment apart, until the proxy has gone.
    pub(crate) fn drip(&mut self, bytes: impl AsRef<[u8]>) {
        while self.stream.write_all(bytes.as_ref()).is_ok() {
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

    /// Says that nothing more will come, in TLS's own way where it is spoken.
    pub(crate) fn end(&mut self) {
        self.stream.end();
    }

    /// Closes the connection in the way that a crashed machine's kernel does.
    pub(crate) fn reset(&mut self) {
        SockRef::from(&self.socket)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    pub(super) fn read_more(&mut self) -> Option<()> {
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
