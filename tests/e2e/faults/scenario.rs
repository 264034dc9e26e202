//! How one cause is provoked: which backends there are, how the upstream is configured, and what the client does.

use std::any::Any;
use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;

use rustls::ServerConfig;

use crate::support::{Answer, Authority, Backend, Client, Http2Backend, Proxy, ok};

/// Requests for targets with this end only prepare the fault: what the log says of them does not matter.
pub(super) const PREPARING: &str = "/preparing";

/// One cause, ready to be provoked as often as it takes to see every column.
pub(super) struct Scenario {
    /// The backends that fail, as the file has them.
    pub(super) backends: Vec<String>,
    /// Whether a fine backend stands behind them, where it is seen what is tried again.
    pub(super) has_backup: bool,
    /// How the fine backend speaks TLS, if it does.
    tls: Option<ServerConfig>,
    /// Whether it speaks HTTP/2.
    speaks_http2: bool,
    /// More keys of the upstream, a line each.
    pub(super) keys: Vec<String>,
    /// More keys of the listener.
    pub(super) listener: Option<String>,
    /// More keys of its `retry`.
    pub(super) retry: Option<String>,
    /// Whether the access log has a line of the request.
    pub(super) is_logged: bool,
    pub(super) client: Box<dyn Fn(&Visit<'_>) -> Seen + Send + Sync>,
    _kept: Vec<Box<dyn Any + Send + Sync>>,
}

/// A backend that has no fault.
pub(super) enum Fine {
    Http1(Backend),
    Http2(Http2Backend),
}

impl Fine {
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Http1(backend) => backend.address(),
            Self::Http2(backend) => backend.address(),
        }
    }

    /// How many requests came for this target.
    pub(super) fn asked_for(&self, target: &str) -> usize {
        match self {
            Self::Http1(backend) => backend.asked_for(target),
            Self::Http2(backend) => {
                let heads = backend.heads();
                let paths = heads.iter().filter_map(|head| head.uri().path_and_query());
                paths.filter(|path| path.as_str() == target).count()
            }
        }
    }
}

/// One request to one of the upstreams.
pub(super) struct Visit<'a> {
    pub(super) proxy: &'a Proxy,
    pub(super) method: &'static str,
    pub(super) target: &'a str,
}

/// What the client saw.
#[derive(Debug)]
pub(super) enum Seen {
    /// A whole answer.
    Whole(Answer),
    /// The end of the connection, before a whole answer was there.
    Cut,
    /// Nothing: it was gone.
    Gone,
}

impl Scenario {
    /// The backend at `address`, which is there as long as `kept` is.
    pub(super) fn at(address: impl Display, kept: impl Any + Send + Sync) -> Self {
        Self {
            backends: vec![address.to_string()],
            has_backup: true,
            tls: None,
            speaks_http2: false,
            keys: Vec::new(),
            listener: None,
            retry: None,
            is_logged: true,
            client: Box::new(ask),
            _kept: vec![Box::new(kept)],
        }
    }

    pub(super) fn of(backend: Backend) -> Self {
        Self::at(backend.address(), backend)
    }

    /// One more backend that fails.
    pub(super) fn and(mut self, backend: Backend) -> Self {
        self.backends.push(backend.address().to_string());
        self._kept.push(Box::new(backend));
        self
    }

    /// Its backends with this besides their address.
    pub(super) fn each_with(mut self, keys: &str) -> Self {
        for backend in &mut self.backends {
            *backend = format!("{{ address: \"{backend}\", {keys} }}");
        }
        self
    }

    pub(super) fn without_backup(mut self) -> Self {
        self.has_backup = false;
        self
    }

    pub(super) fn key(mut self, line: &str) -> Self {
        self.keys.push(line.to_owned());
        self
    }

    /// Its backends are spoken to over TLS, and known by `name` in a certificate of this authority.
    pub(super) fn over_tls(mut self, trusted: &Authority, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        fs::write(&file, trusted.pem()).unwrap();
        self.tls = Some(trusted.issue(&[name]).server());
        self._kept.push(Box::new(folder));
        let file = file.display();
        self.key(&format!("tls: {{ ca: \"{file}\", server_name: {name} }}"))
    }

    /// Its backends are spoken to over HTTP/2.
    pub(super) fn over_http2(mut self) -> Self {
        self.speaks_http2 = true;
        self.key("protocol: http2")
    }

    /// The backend that has no fault.
    pub(super) fn fine_backend(&self) -> Fine {
        match &self.tls {
            None if self.speaks_http2 => {
                Fine::Http2(Http2Backend::start(|mut incoming| async move {
                    incoming.answer("fine");
                }))
            }
            None => Fine::Http1(Backend::answering(|_| ok("fine"))),
            Some(config) => Fine::Http1(Backend::answering_tls(config.clone(), |_| ok("fine"))),
        }
    }

    pub(super) fn timeouts(self, timeouts: &str) -> Self {
        self.key(&format!("timeouts: {{ {timeouts} }}"))
    }

    /// The listener has this besides its address.
    pub(super) fn listener(mut self, line: &str) -> Self {
        self.listener = Some(line.to_owned());
        self
    }

    pub(super) fn retry(mut self, keys: &str) -> Self {
        self.retry = Some(keys.to_owned());
        self
    }

    /// The request is refused before there is anything that the access log could tell.
    pub(super) fn refused_early(mut self) -> Self {
        self.is_logged = false;
        self
    }

    pub(super) fn client(
        mut self,
        client: impl Fn(&Visit<'_>) -> Seen + Send + Sync + 'static,
    ) -> Self {
        self.client = Box::new(client);
        self
    }
}

impl<'a> Visit<'a> {
    /// The same, for another target.
    pub(super) fn to<'b>(&self, target: &'b str) -> Visit<'b>
    where
        'a: 'b,
    {
        Visit { target, ..*self }
    }

    pub(super) fn connect(&self) -> Client {
        Client::connect(self.proxy.address())
    }

    /// The head of a request with these header lines, and the empty line that ends it.
    pub(super) fn head(&self, lines: &str) -> String {
        let Self { method, target, .. } = self;
        format!("{method} {target} HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n")
    }
}

/// What a client does unless something else is said: it asks, and waits for the answer.
pub(super) fn ask(visit: &Visit<'_>) -> Seen {
    ask_with(visit, "hello")
}

/// The same, with this body.
pub(super) fn ask_with(visit: &Visit<'_>, body: &str) -> Seen {
    let mut client = visit.connect();
    let length = format!("Content-Length: {}\r\n", body.len());
    client.send(visit.head(&length) + body);
    see(&mut client)
}

pub(super) fn see(client: &mut Client) -> Seen {
    match client.try_answer() {
        Ok(answer) if answer.is_complete => Seen::Whole(answer),
        Ok(_) => Seen::Cut,
        Err(error) => match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => Seen::Cut,
            _ => panic!("neither answered nor cut: {error}"),
        },
    }
}
