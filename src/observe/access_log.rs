//! One line for each finished request.
//!
//! Three formats: `json`, one object per line, whose keys are the names of the variables and always
//! the same ones in the same order; `combined`, the format that nginx and Apache share and that
//! every log reader knows; and a template of the operator's own. A variable without a value is
//! `null` in JSON and `-` elsewhere, as nginx has it. A name says the same in every format, because
//! all three ask the same [`Record`].
//!
//! A line is built in a buffer that the thread keeps, and then copied into the [`Sink`]: nothing is
//! allocated once the buffer has grown to the size of the usual line.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{REFERER, USER_AGENT};

use super::escape::{count_not_plain, escape_for_json, escape_for_line};
use super::record::Record;
use super::sink::{Sink, SinkError};
use super::text::Short;
use crate::clock::Clock;
use crate::config;
use crate::config::LogFormat;
use crate::template::{Values, Variable};

/// A buffer that one enormous line has blown up is given back.
const KEPT_BUFFER: usize = 64 * 1024;

thread_local! {
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The access log of the process.
#[derive(Debug)]
pub struct AccessLog {
    current: ArcSwap<Lines>,
    clock: Arc<dyn Clock>,
}

/// What a line looks like, and where it goes.
#[derive(Debug)]
pub struct Lines {
    format: LogFormat,
    sink: Arc<Sink>,
}

impl AccessLog {
    /// Opens the log and starts its writer, which does not survive a fork: detach the process
    /// first.
    ///
    /// # Errors
    /// If the file cannot be opened for appending, or no thread can be started.
    pub fn open(log: &config::AccessLog, clock: Arc<dyn Clock>) -> Result<AccessLog, SinkError> {
        let lines = Lines {
            format: log.format.clone(),
            sink: Arc::new(Sink::open(&log.path, Arc::clone(&clock))?),
        };
        Ok(AccessLog {
            current: ArcSwap::from_pointee(lines),
            clock,
        })
    }

    /// Gets ready to write as `log` has it; nothing changes yet. Lines that go to the same place go on to the same sink.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn prepare(&self, log: &config::AccessLog) -> Result<Lines, SinkError> {
        let current = self.current.load();
        let sink = match *current.sink.destination() == log.path {
            true => Arc::clone(&current.sink),
            false => Arc::new(Sink::open(&log.path, Arc::clone(&self.clock))?),
        };
        Ok(Lines {
            format: log.format.clone(),
            sink,
        })
    }

    /// Writes like this from now on. A sink that is not used any more writes out what it has, which the caller waits for.
    pub fn follow(&self, lines: Lines) {
        self.current.store(Arc::new(lines));
    }

    /// Writes the line of a request. Never waits: a line that there is no room for is dropped and
    /// counted.
    pub fn write(&self, record: &Record<'_>) {
        let current = self.current.load();
        if current.sink.is_off() {
            return;
        }
        LINE.with_borrow_mut(|line| {
            line.clear();
            append_line(&current.format, record, line);
            current.sink.write(line);
            line.shrink_to(KEPT_BUFFER);
        });
    }

    /// Whether a line may need the headers of a backend's answer: keeping them costs a copy.
    pub fn reads_upstream_headers(&self) -> bool {
        self.reads(|variable| matches!(variable, Variable::UpstreamHeader(_)))
    }

    /// Whether a line may need any header of an answer.
    pub fn reads_answers(&self) -> bool {
        use Variable::{SentHeader, UpstreamHeader};
        self.reads(|variable| matches!(variable, SentHeader(_) | UpstreamHeader(_)))
    }

    fn reads(&self, wanted: fn(&Variable) -> bool) -> bool {
        match &self.current.load().format {
            LogFormat::Template(template) => template.variables().any(wanted),
            LogFormat::Json | LogFormat::Combined => false,
        }
    }

    /// Where the lines go: to reopen it, and to ask what it has dropped.
    pub fn sink(&self) -> Arc<Sink> {
        Arc::clone(&self.current.load().sink)
    }

    /// Takes no more lines and writes out what was accepted; see [`Sink::close`].
    pub fn close(&self, limit: Duration) -> bool {
        self.sink().close(limit)
    }
}

/// Appends the line of a request, without the line break at its end.
pub fn append_line(format: &LogFormat, record: &Record<'_>, out: &mut Vec<u8>) {
    match format {
        LogFormat::Json => append_json(record, out),
        LogFormat::Combined => append_combined(record, out),
        LogFormat::Template(template) => template.render(&Escaped(record), out),
    }
}

/// `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer"
/// "$http_user_agent"`; the user is always `-`.
fn append_combined(record: &Record<'_>, out: &mut Vec<u8>) {
    const LAYOUT: &[(&str, Variable)] = &[
        ("", Variable::ClientAddress),
        (" - - [", Variable::TimeLocal),
        ("] \"", Variable::RequestMethod),
        (" ", Variable::RequestTarget),
        (" ", Variable::ServerProtocol),
        ("\" ", Variable::Status),
        (" ", Variable::BodyBytesSent),
        (" \"", Variable::RequestHeader(REFERER)),
        ("\" \"", Variable::RequestHeader(USER_AGENT)),
    ];
    for (before, variable) in LAYOUT {
        out.extend_from_slice(before.as_bytes());
        Escaped(record).append(variable, out);
    }
    out.push(b'"');
}

/// A record whose every value is harmless in a line, and `-` where there is none.
struct Escaped<'a>(&'a Record<'a>);

impl Values for Escaped<'_> {
    fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
        let start = out.len();
        self.0.append(variable, out);
        if out.len() == start {
            out.push(b'-');
        } else {
            escape_for_line(out, start);
        }
    }
}

/// One key of a JSON line, and whose value it is.
struct Key {
    /// All that stands before the value: comma, key, colon, and the quote of a text.
    before: Short<31>,
    shape: Shape,
    variable: Variable,
}

/// How a value is written in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    /// The variable's text is a JSON number as it is.
    Number,
}

macro_rules! key {
    ($key:literal, Text, $variable:expr) => {
        key!(@ concat!(",\"", $key, "\":\""), Text, $variable)
    };
    ($key:literal, Number, $variable:expr) => {
        key!(@ concat!(",\"", $key, "\":"), Number, $variable)
    };
    (@ $before:expr, $shape:ident, $variable:expr) => {
        Key { before: Short::new($before), shape: Shape::$shape, variable: $variable }
    };
}

/// The keys of a JSON line, in order; a reader may count on both. New ones come at the end.
#[rustfmt::skip] // One key, one line.
static KEYS: [Key; 28] = [
    key!("time_iso8601", Text, Variable::TimeIso8601),
    key!("msec", Number, Variable::Milliseconds),
    key!("request_id", Text, Variable::RequestId),
    key!("listener", Text, Variable::Listener),
    key!("remote_addr", Text, Variable::ClientAddress),
    key!("remote_port", Number, Variable::ClientPort),
    key!("realip_remote_addr", Text, Variable::PeerAddress),
    key!("scheme", Text, Variable::Scheme),
    key!("request_method", Text, Variable::RequestMethod),
    key!("host", Text, Variable::Host),
    key!("request_uri", Text, Variable::RequestTarget),
    key!("server_protocol", Text, Variable::ServerProtocol),
    key!("http_referer", Text, Variable::RequestHeader(REFERER)),
    key!("http_user_agent", Text, Variable::RequestHeader(USER_AGENT)),
    key!("request_length", Number, Variable::RequestLength),
    key!("route", Text, Variable::Route),
    key!("upstream", Text, Variable::Upstream),
    key!("attempts", Number, Variable::Attempts),
    key!("upstream_addr", Text, Variable::UpstreamAddress),
    key!("upstream_status", Text, Variable::UpstreamStatus),
    key!("upstream_connect_time", Text, Variable::UpstreamConnectTime),
    key!("upstream_header_time", Text, Variable::UpstreamHeaderTime),
    key!("upstream_response_time", Text, Variable::UpstreamResponseTime),
    key!("status", Number, Variable::Status),
    key!("bytes_sent", Number, Variable::BytesSent),
    key!("body_bytes_sent", Number, Variable::BodyBytesSent),
    key!("request_time", Number, Variable::RequestTime),
    key!("error", Text, Variable::Error),
];

fn append_json(record: &Record<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    // Escaping is for the few lines that need it, and to see that a line does not is cheaper for all of it at once than value by value.
    let quotes = append_object(record, |_, _| (), out);
    if count_not_plain(&out[start..]) != quotes {
        out.truncate(start);
        append_object(record, escape_for_json, out);
    }
}

/// Appends the object, each of whose texts is given to `escape` with the place where it begins. Returns the number of quotes around keys
/// and values.
fn append_object(
    record: &Record<'_>,
    escape: impl Fn(&mut Vec<u8>, usize),
    out: &mut Vec<u8>,
) -> usize {
    let start = out.len();
    let mut quotes = 0;
    for key in &KEYS {
        key.before.append(out);
        quotes += 2;
        let value = out.len();
        let is_text = key.shape == Shape::Text;
        record.append(&key.variable, out);
        if out.len() == value {
            // Without the quote that stands before a text.
            out.truncate(value - usize::from(is_text));
            out.extend_from_slice(b"null");
        } else if is_text {
            escape(out, value);
            out.push(b'"');
            quotes += 2;
        }
    }
    // In the place of the first comma.
    out[start] = b'{';
    out.push(b'}');
    quotes
}
