//! The text of each variable for a finished request.
//!
//! Formats are nginx's (`ngx_http_variables.c`, `ngx_http_upstream.c`, and the documentation of its
//! log module), so that what reads nginx's logs reads these: seconds with milliseconds, several
//! attempts joined with `, ` and an attempt without a value as `-`. Text that a client sent is
//! appended as it is; escaping is for whoever prints it. Names of cookies and query arguments are
//! compared without case, as nginx does.

#[cfg(test)]
mod tests;

use http::header::{COOKIE, HeaderName};
use http::{HeaderMap, Method, Version};

use super::record::{Attempt, Record, Tls};
use super::text::{
    append_common_log_time, append_end, append_integer, append_iso8601_time, append_seconds,
    append_unix_time,
};
use crate::template::{Values, Variable};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl Values for Record<'_> {
    fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
        use Variable as V;
        match variable {
            V::Host => append_text(self.host, out),
            V::RequestHeader(name) => append_header(Some(self.request_headers), name, out),
            V::Cookie(name) => append_found(cookie(self.request_headers, name), out),
            V::Argument(name) => append_found(argument(self.target, name), out),
            V::Arguments => append_found(query(self.target), out),
            V::Path => append_text(self.path, out),
            V::PathGroup(name) => append_text(self.path_group(name).unwrap_or_default(), out),
            V::RequestTarget => out.extend_from_slice(self.target),
            V::RequestMethod => append_text(self.method.map_or("", Method::as_str), out),
            V::Scheme => append_text(self.scheme(), out),
            V::ServerPort => append_number(self.server_port, out),
            V::ServerProtocol => append_text(self.version.map_or("", protocol), out),
            V::ClientAddress => append_end(self.client, out),
            V::ClientPort => append_number(self.client_port, out),
            V::PeerAddress => append_end(self.peer, out),
            V::ForwardedFor => self.append_forwarded_for(out),
            V::RequestId => append_text(self.request_id, out),
            V::Hostname => append_text(self.hostname, out),
            V::Listener => append_text(self.listener, out),
            V::Route => append_text(self.route.unwrap_or_default(), out),
            V::Upstream => append_text(self.upstream.unwrap_or_default(), out),
            V::UpstreamAddress => self.append_each(|a| Some(&*a.address), append_text, out),
            V::UpstreamStatus => self.append_each(|a| a.status, append_integer, out),
            V::UpstreamConnectTime => self.append_each(|a| a.connect_time, append_seconds, out),
            V::UpstreamHeaderTime => self.append_each(|a| a.header_time, append_seconds, out),
            V::UpstreamResponseTime => self.append_each(|a| a.response_time, append_seconds, out),
            V::Attempts => append_integer(self.attempts.len() as u64, out),
            V::Status => append_number(self.status, out),
            V::BytesSent => append_integer(self.bytes_sent, out),
            V::BodyBytesSent => append_integer(self.body_bytes_sent, out),
            V::RequestLength => append_integer(self.request_length, out),
            V::RequestTime => append_seconds(self.duration, out),
            V::Milliseconds => append_unix_time(self.ended(), out),
            V::TimeIso8601 => append_iso8601_time(self.ended(), out),
            V::TimeLocal => append_common_log_time(self.ended(), out),
            V::Error => append_text(self.error.unwrap_or_default(), out),
            V::TlsProtocol => append_text(self.tls.map_or("", |tls| tls.protocol), out),
            V::TlsCipher => append_text(self.tls.map_or("", |tls| &tls.cipher), out),
            V::TlsServerName => self.append_of_tls(|tls| tls.server_name.as_deref(), out),
            V::TlsClientSubject => self.append_of_tls(|tls| tls.client_subject.as_deref(), out),
            V::TlsClientVerify => self.append_of_tls(|tls| Some(verdict(tls)), out),
            V::SentHeader(name) => append_header(self.response_headers, name, out),
            V::UpstreamHeader(name) => append_header(self.upstream_headers, name, out),
        }
    }
}

impl<'a> Record<'a> {
    /// What this group has matched. The search is made for whoever asks, and for nobody else.
    fn path_group(&self, name: &str) -> Option<&'a str> {
        let groups = self.path_regex?.captures(self.path)?;
        groups.name(name).map(|group| group.as_str())
    }
}

impl Record<'_> {
    /// Appends one value per attempt: `a, -, b`.
    fn append_each<'a, T>(
        &'a self,
        value: impl Fn(&'a Attempt) -> Option<T>,
        append: impl Fn(T, &mut Vec<u8>),
        out: &mut Vec<u8>,
    ) {
        for (index, attempt) in self.attempts.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            match value(attempt) {
                Some(value) => append(value, out),
                None => out.push(b'-'),
            }
        }
    }

    fn append_of_tls(&self, value: impl Fn(&Tls) -> Option<&str>, out: &mut Vec<u8>) {
        append_text(self.tls.and_then(value).unwrap_or_default(), out);
    }

    fn append_forwarded_for(&self, out: &mut Vec<u8>) {
        let start = out.len();
        append_header(Some(self.request_headers), &X_FORWARDED_FOR, out);
        if out.len() > start {
            out.extend_from_slice(b", ");
        }
        append_end(self.peer, out);
    }
}

/// A certificate that is not believed ends the handshake, so nginx's `FAILED` is never seen.
fn verdict(tls: &Tls) -> &'static str {
    match tls.has_client_certificate {
        true => "SUCCESS",
        false => "NONE",
    }
}

fn append_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
}

fn append_found(text: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(text.unwrap_or_default());
}

fn append_number(number: Option<u16>, out: &mut Vec<u8>) {
    if let Some(number) = number {
        append_integer(number, out);
    }
}

/// Appends all values of a header, joined as nginx joins them.
fn append_header(headers: Option<&HeaderMap>, name: &HeaderName, out: &mut Vec<u8>) {
    let separator: &[u8] = if *name == COOKIE { b"; " } else { b", " };
    let values = headers
        .into_iter()
        .flat_map(|headers| headers.get_all(name));
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(value.as_bytes());
    }
}

fn query(target: &[u8]) -> Option<&[u8]> {
    target
        .iter()
        .position(|&byte| byte == b'?')
        .map(|mark| &target[mark + 1..])
}

fn argument<'a>(target: &'a [u8], name: &str) -> Option<&'a [u8]> {
    query(target)?
        .split(|&byte| byte == b'&')
        .find_map(|pair| value_of(pair, name))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers
        .get_all(COOKIE)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b';'))
        .find_map(|pair| value_of(pair.trim_ascii(), name))
}

fn value_of<'a>(pair: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (found, rest) = pair.split_at_checked(name.len())?;
    if found.eq_ignore_ascii_case(name.as_bytes()) {
        rest.strip_prefix(b"=")
    } else {
        None
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}
