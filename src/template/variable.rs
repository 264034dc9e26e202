//! The variables: one table, which the parser, the suggestions and the documentation all read.
//!
//! The names are nginx's, because that is what operators know by heart. A name is either fixed
//! (`$host`) or a family that carries an argument in its name (`$http_user_agent`); what the
//! argument means is decided here, once, so that rendering never looks at text again.

use http::HeaderName;

/// One thing that a template can stand in for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "the meaning of each stands in TABLE, where users read it too"
)]
pub enum Variable {
    Host,
    RequestHeader(HeaderName),
    Cookie(Box<str>),
    Argument(Box<str>),
    Arguments,
    Path,
    RequestTarget,
    RequestMethod,
    Scheme,
    ServerPort,
    ServerProtocol,
    ClientAddress,
    ClientPort,
    PeerAddress,
    ForwardedFor,
    RequestId,
    Hostname,
    Listener,
    Route,
    Upstream,
    UpstreamAddress,
    UpstreamStatus,
    UpstreamConnectTime,
    UpstreamHeaderTime,
    UpstreamResponseTime,
    Attempts,
    Status,
    BytesSent,
    BodyBytesSent,
    RequestLength,
    RequestTime,
    Milliseconds,
    TimeIso8601,
    TimeLocal,
    Error,
    TlsProtocol,
    TlsCipher,
    TlsServerName,
    TlsClientSubject,
    TlsClientVerify,
    SentHeader(HeaderName),
    UpstreamHeader(HeaderName),
    PathGroup(Box<str>),
}

/// One line of [`TABLE`].
#[derive(Debug)]
pub struct Entry {
    /// The name without `$`; for a family the part before its argument, such as `http_`.
    pub name: &'static str,
    /// What it stands for, in one line for the documentation.
    pub meaning: &'static str,
    /// How the variable is made, and what the rest of its name is.
    pub kind: Kind,
}

/// What follows the name of a table entry.
#[derive(Debug)]
pub enum Kind {
    /// Nothing.
    Fixed(Variable),
    /// The name of a header, with `_` for `-`.
    Header(fn(HeaderName) -> Variable),
    /// The name of a cookie, of a query argument or of a group, as it is.
    Name(fn(Box<str>) -> Variable),
}

/// Every variable there is, in the order in which the documentation lists them.
#[rustfmt::skip] // One variable, one line.
pub static TABLE: [Entry; 43] = [
    fixed("host", Variable::Host, "host of the request, lower case, without port"),
    header("http_", Variable::RequestHeader, "a header of the request, `_` for `-`; several are joined with `, `"),
    name("cookie_", Variable::Cookie, "a cookie of the request; case is ignored"),
    name("arg_", Variable::Argument, "an argument of the query, as sent; the first of several; case is ignored"),
    fixed("args", Variable::Arguments, "the query as sent, without `?`"),
    fixed("uri", Variable::Path, "the path, percent-decoded per segment, without the query"),
    fixed("request_uri", Variable::RequestTarget, "the request target as sent, with the query"),
    fixed("request_method", Variable::RequestMethod, "`GET`, `POST`, …"),
    fixed("scheme", Variable::Scheme, "`http` or `https`"),
    fixed("server_port", Variable::ServerPort, "port of the listener"),
    fixed("server_protocol", Variable::ServerProtocol, "`HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`"),
    fixed("remote_addr", Variable::ClientAddress, "address of the client, found behind `trusted_proxies`"),
    fixed("remote_port", Variable::ClientPort, "port of the client, where it is known"),
    fixed("realip_remote_addr", Variable::PeerAddress, "address of the peer of the connection"),
    fixed("proxy_add_x_forwarded_for", Variable::ForwardedFor, "X-Forwarded-For as received, with the peer appended"),
    fixed("request_id", Variable::RequestId, "id of the request, kept from a trusted peer or made here"),
    fixed("hostname", Variable::Hostname, "name of this machine"),
    fixed("listener", Variable::Listener, "name of the listener"),
    fixed("route", Variable::Route, "name of the route, or `routes[3]`"),
    fixed("upstream", Variable::Upstream, "name of the upstream"),
    fixed("upstream_addr", Variable::UpstreamAddress, "backend of each attempt, joined with `, `"),
    fixed("upstream_status", Variable::UpstreamStatus, "status of each attempt's answer"),
    fixed("upstream_connect_time", Variable::UpstreamConnectTime, "seconds to connect, per attempt"),
    fixed("upstream_header_time", Variable::UpstreamHeaderTime, "seconds to the answer's header, per attempt"),
    fixed("upstream_response_time", Variable::UpstreamResponseTime, "seconds to the answer's end, per attempt"),
    fixed("attempts", Variable::Attempts, "how many backends were tried"),
    fixed("status", Variable::Status, "status that the client was sent"),
    fixed("bytes_sent", Variable::BytesSent, "bytes sent to the client"),
    fixed("body_bytes_sent", Variable::BodyBytesSent, "the same without the header"),
    fixed("request_length", Variable::RequestLength, "bytes of the request: line, headers and body"),
    fixed("request_time", Variable::RequestTime, "seconds from the request's first byte to the end"),
    fixed("msec", Variable::Milliseconds, "Unix time of the end, in seconds with milliseconds"),
    fixed("time_iso8601", Variable::TimeIso8601, "time of the end, `2026-11-22T20:13:11+00:00` (UTC)"),
    fixed("time_local", Variable::TimeLocal, "time of the end, `22/Nov/2026:20:13:11 +0000` (UTC)"),
    fixed("error", Variable::Error, "what went wrong, by its RFC 9209 name"),
    fixed("ssl_protocol", Variable::TlsProtocol, "`TLSv1.2` or `TLSv1.3`; empty in the clear, as all of `$ssl_`"),
    fixed("ssl_cipher", Variable::TlsCipher, "the cipher suite, such as `TLS_AES_128_GCM_SHA256`"),
    fixed("ssl_server_name", Variable::TlsServerName, "the name that the client asked for in the handshake (SNI)"),
    fixed("ssl_client_s_dn", Variable::TlsClientSubject, "subject of the client's certificate, `CN=client,O=Example`"),
    fixed("ssl_client_verify", Variable::TlsClientVerify, "`SUCCESS` for a client with a certificate, `NONE` for one without"),
    header("sent_http_", Variable::SentHeader, "a header of the response as sent"),
    header("upstream_http_", Variable::UpstreamHeader, "a header of the last backend's answer"),
    name("path_", Variable::PathGroup, "what a named group of the route's path regex has matched, decoded as in `$uri`"),
];

const fn fixed(name: &'static str, variable: Variable, meaning: &'static str) -> Entry {
    Entry {
        name,
        meaning,
        kind: Kind::Fixed(variable),
    }
}

const fn header(
    name: &'static str,
    make: fn(HeaderName) -> Variable,
    meaning: &'static str,
) -> Entry {
    Entry {
        name,
        meaning,
        kind: Kind::Header(make),
    }
}

const fn name(name: &'static str, make: fn(Box<str>) -> Variable, meaning: &'static str) -> Entry {
    Entry {
        name,
        meaning,
        kind: Kind::Name(make),
    }
}

/// Why a name is no variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Nothing has this name; the nearest one, if any is near.
    Name { suggestion: Option<&'static str> },
    /// It is a family's name without its argument.
    Argument,
}

impl Variable {
    /// Finds the variable called `name` (without `$`).
    pub(super) fn find(name: &str) -> Result<Variable, Unknown> {
        let fixed = TABLE.iter().find_map(|entry| match &entry.kind {
            Kind::Fixed(variable) if entry.name == name => Some(variable.clone()),
            _ => None,
        });
        match fixed {
            Some(variable) => Ok(variable),
            None => find_in_families(name),
        }
    }
}

fn find_in_families(name: &str) -> Result<Variable, Unknown> {
    let unknown = || Unknown::Name {
        suggestion: nearest(name),
    };
    let (entry, argument) = TABLE
        .iter()
        .filter(|entry| !matches!(entry.kind, Kind::Fixed(_)))
        .find_map(|entry| Some((entry, name.strip_prefix(entry.name)?)))
        .ok_or_else(unknown)?;
    if argument.is_empty() {
        return Err(Unknown::Argument);
    }
    match entry.kind {
        Kind::Header(make) => HeaderName::try_from(argument.replace('_', "-"))
            .map(make)
            .map_err(|_| unknown()),
        Kind::Name(make) => Ok(make(argument.into())),
        Kind::Fixed(_) => Err(unknown()),
    }
}

/// The fixed name that is closest by edits, if it is closer than a guess.
fn nearest(name: &str) -> Option<&'static str> {
    let tolerated = (name.len() / 4).max(1);
    TABLE
        .iter()
        .filter(|entry| matches!(entry.kind, Kind::Fixed(_)))
        .map(|entry| (strsim::damerau_levenshtein(name, entry.name), entry.name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= tolerated)
        .map(|(_, name)| name)
}
