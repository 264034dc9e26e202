//! What is measured, as a table. The first matters most.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// HTTP/1, wrk and h2load.
    Http1,
    /// HTTP/1, and each request on a connection of its own.
    NewConnections,
    /// HTTP/2 over TLS, 100 requests at a time on each connection.
    Http2,
    /// A TLS handshake for each request: full ones, or resumed ones.
    Handshakes { resumed: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backends {
    Fast,
    /// Answers after 50 ms.
    Slow,
    /// Spoken to in HTTP/2.
    Http2,
}

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) path: &'static str,
    pub(crate) load: Load,
    pub(crate) tls: bool,
    pub(crate) backends: Backends,
    pub(crate) connections: usize,
    /// More connections, which have had an answer and wait.
    pub(crate) idle: usize,
    /// The fixed rate, if it is not to be half of what the slowest can do.
    pub(crate) rate: Option<f64>,
    /// Sends 1 MiB with each request.
    pub(crate) upload: bool,
    /// Measured with two workers as well, unless ONLY says what is.
    pub(crate) with_two: bool,
}

const PLAIN: Scenario = Scenario {
    name: "small",
    title: "Small answers, connections kept",
    path: "/small",
    load: Load::Http1,
    tls: false,
    backends: Backends::Fast,
    connections: 64,
    idle: 0,
    rate: None,
    upload: false,
    with_two: true,
};

pub(crate) const SCENARIOS: [Scenario; 12] = [
    PLAIN,
    Scenario {
        name: "equal",
        title: "Small answers, connections kept, at 10,000 requests/s",
        rate: Some(10_000.0),
        with_two: false,
        ..PLAIN
    },
    Scenario {
        name: "tls",
        title: "Small answers over TLS, connections kept",
        tls: true,
        ..PLAIN
    },
    Scenario {
        name: "h2",
        title: "HTTP/2 over TLS, 100 streams on each of 4 connections, to HTTP/1 backends",
        load: Load::Http2,
        tls: true,
        connections: 4,
        ..PLAIN
    },
    Scenario {
        name: "h2-h2",
        title: "HTTP/2 over TLS, 100 streams on each of 4 connections, to HTTP/2 backends",
        load: Load::Http2,
        tls: true,
        backends: Backends::Http2,
        connections: 4,
        with_two: false,
        ..PLAIN
    },
    Scenario {
        name: "large",
        title: "Answers of 100 KiB",
        path: "/large",
        with_two: false,
        ..PLAIN
    },
    Scenario {
        name: "upload",
        title: "Uploads of 1 MiB",
        path: "/upload",
        connections: 16,
        upload: true,
        with_two: false,
        ..PLAIN
    },
    Scenario {
        name: "new",
        title: "A new connection for each request",
        load: Load::NewConnections,
        with_two: false,
        ..PLAIN
    },
    Scenario {
        name: "handshake",
        title: "A full TLS handshake for each request",
        load: Load::Handshakes { resumed: false },
        tls: true,
        connections: 8,
        with_two: false,
        ..PLAIN
    },
    Scenario {
        name: "resumed",
        title: "A resumed TLS handshake for each request",
        load: Load::Handshakes { resumed: true },
        tls: true,
        connections: 8,
        with_two: false,
        ..PLAIN
    },
    Scenario {
        name: "idle",
        title: "Small answers beside 1,000 idle connections",
        idle: 1000,
        with_two: false,
        ..PLAIN
    },
    Scenario {
        name: "slow",
        title: "Backends that take 50 ms, 1,000 connections with a request each",
        backends: Backends::Slow,
        connections: 1000,
        with_two: false,
        ..PLAIN
    },
];
