//! The request that is asked about.
//!
//! It is written as one would with `curl`: `GET http://host/path`, and header lines. What comes of it is the head of an HTTP/1.1 request,
//! byte for byte, since that is what the proxy begins with.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::runtime::{Listener, Snapshot};
use crate::semantics::end::{End, UNIX};

/// Where a client's connection comes from when nothing is said.
const CLIENT: End = End::Socket(SocketAddr::new(
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    CLIENT_PORT,
));
const CLIENT_PORT: u16 = 50_000;

/// A request as it would come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The head, with the empty line that ends it.
    pub head: Vec<u8>,
    /// The other end of the connection.
    pub peer: End,
    /// The port of the listener: the one that the URL names, or else that of its scheme.
    pub port: Option<u16>,
    /// Whether the URL's scheme asks for TLS; none where there is no URL.
    pub is_tls: Option<bool>,
}

/// What is asked cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear(String);

impl fmt::Display for Unclear {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unclear {}

impl Question {
    /// Reads `GET http://host/path?x=1`, header lines `Name: value`, and the address that the connection comes from.
    ///
    /// The method may be left out. A path alone is a URL too when there is a header line with the `Host`.
    ///
    /// # Errors
    /// One of them cannot be understood; the error says what to write.
    pub fn read(request: &str, headers: &[String], from: Option<&str>) -> Result<Self, Unclear> {
        let words: Vec<&str> = request.split_whitespace().collect();
        let (method, url) = match words.as_slice() {
            [url] => ("GET", *url),
            [method, url] => (*method, *url),
            _ => return Err(unclear(format!("{request:?} is no request; {WRITE}"))),
        };
        let Url {
            scheme,
            authority,
            target,
        } = split(url)?;
        let lines = headers.iter().map(|line| header(line));
        let lines: Vec<(&str, &str)> = lines.collect::<Result<_, _>>()?;
        let has_host = lines.iter().any(|(name, _)| is_host(name));
        if authority.is_none() && !has_host {
            return Err(unclear(format!("{url:?} names no host; {WRITE}")));
        }
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if let Some(authority) = authority.filter(|_| !has_host) {
            head += &format!("Host: {authority}\r\n");
        }
        for (name, value) in lines {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        Ok(Self {
            head: head.into_bytes(),
            peer: from.map_or(Ok(CLIENT), peer)?,
            port: authority.and_then(port_of).or(scheme.map(Scheme::port)),
            is_tls: scheme.map(|scheme| scheme == Scheme::Https),
        })
    }

    /// The listener that the request comes in on: the one with its port, or else the first of its scheme, or else the first.
    pub fn listener<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Listener> {
        let speaks =
            |listener: &&Listener| self.is_tls.is_none_or(|is_tls| listener.is_tls == is_tls);
        let has_port = |listener: &&Listener| {
            listener
                .address
                .port()
                .is_some_and(|port| Some(port) == self.port)
        };
        let listeners = || snapshot.listeners.iter();
        let with_port = listeners().find(|listener| has_port(listener) && speaks(listener));
        with_port
            .or_else(|| listeners().find(has_port))
            .or_else(|| listeners().find(speaks))
            .or_else(|| listeners().next())
    }
}

/// What a URL says.
struct Url<'u> {
    scheme: Option<Scheme>,
    authority: Option<&'u str>,
    target: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

const WRITE: &str = "write for example 'GET http://example.com/path?x=1'";

fn split(url: &str) -> Result<Url<'_>, Unclear> {
    if url.starts_with('/') || url == "*" {
        return Ok(Url {
            scheme: None,
            authority: None,
            target: url.to_owned(),
        });
    }
    let (scheme, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (Scheme::Http, rest),
        (None, Some(rest)) => (Scheme::Https, rest),
        (None, None) => return Err(unclear(format!("{url:?} is no URL; {WRITE}"))),
    };
    // What a client keeps to itself.
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let target = match target.starts_with('/') {
        true => target.to_owned(),
        false => format!("/{target}"),
    };
    Ok(Url {
        scheme: Some(scheme),
        authority: Some(authority),
        target,
    })
}

fn header(line: &str) -> Result<(&str, &str), Unclear> {
    let parts = line.split_once(':');
    let (name, value) = parts
        .ok_or_else(|| unclear(format!("{line:?} is no header; write it as 'Name: value'")))?;
    if line.contains(['\r', '\n']) {
        return Err(unclear(format!("{line:?} is more than one line")));
    }
    Ok((name, value.trim()))
}

fn is_host(name: &str) -> bool {
    name.eq_ignore_ascii_case("host")
}

fn port_of(authority: &str) -> Option<u16> {
    let (_, port) = authority.rsplit_once(':')?;
    port.parse().ok()
}

fn peer(text: &str) -> Result<End, Unclear> {
    if text == UNIX {
        return Ok(End::Unix);
    }
    let address = text.parse::<IpAddr>();
    let address = address.map(|address| SocketAddr::new(address, CLIENT_PORT));
    let address = address.or_else(|_| text.parse());
    address.map(End::Socket).map_err(|_| {
        unclear(format!(
            "--from {text:?} is no address; write for example 192.0.2.1, 192.0.2.1:50000, [2001:db8::1]:50000 or {UNIX}"
        ))
    })
}

fn unclear(message: String) -> Unclear {
    Unclear(message)
}
