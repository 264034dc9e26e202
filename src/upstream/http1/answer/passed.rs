//! Header lines of an answer that nobody here reads.
//!
//! Of most heads the proxy needs to know how the body is framed, and no more. To put the other lines into a map, with their names spelled as
//! they came, and to write them out of it again is work for nothing. They are text here, as HTTP/1 writes them, and stay it.

use pingora_core::Result;
use pingora_http::ResponseHeader;

use super::head::is_framing;
use crate::semantics::hop_by_hop;

/// Room for the lines that are put in on the way: the request id and a cookie, in bytes.
const ADDED: usize = 128;

/// What stands in front of each line.
const LINE: &str = "\r\n";

/// The reason phrase and, behind it, header lines in their order.
#[derive(Debug)]
pub struct Passed(String);

impl Passed {
    /// The lines of a head, without those that frame its body and those that go no further. None where it takes more to tell these: a
    /// `Connection` nominates lines, or a value is no UTF-8.
    pub(super) fn of(head: &httparse::Response<'_, '_>, length: usize) -> Option<Self> {
        let mut text = String::with_capacity(length + ADDED);
        text.push_str(head.reason.unwrap_or_default());
        for line in head.headers.iter() {
            if is_connection(line.name) && !hop_by_hop::nominates_nothing(line.value) {
                return None;
            }
            if is_passed(line.name) {
                push(&mut text, line.name, std::str::from_utf8(line.value).ok()?);
            }
        }
        Some(Self(text))
    }

    /// Puts a line at the end.
    pub fn add(&mut self, name: &str, value: &str) {
        push(&mut self.0, name, value);
    }

    /// Takes out all lines of this name.
    pub fn remove(&mut self, name: &str) {
        let mut from = 0;
        while let Some(length) = until_line(&self.0[from..]) {
            let start = from + length;
            let line = start + LINE.len();
            if is_named(&self.0.as_bytes()[line..], name) {
                let end = until_line(&self.0[line..]).map_or(self.0.len(), |length| line + length);
                self.0.replace_range(start..end, "");
                from = start;
            } else {
                from = line;
            }
        }
    }

    /// Has them written with `head`.
    ///
    /// Pingora writes an answer's reason phrase as it is, and its header lines behind that. So the phrase takes the lines along: to Pingora
    /// it has no meaning, and nobody here reads it.
    ///
    /// # Errors
    /// None.
    pub fn go_with(self, head: &mut ResponseHeader) -> Result<()> {
        head.set_reason_phrase(Some(&self.0))
    }
}

fn is_connection(name: &str) -> bool {
    name.eq_ignore_ascii_case("connection")
}

/// Whether a line goes to the client as it is; the time Pingora says.
fn is_passed(name: &str) -> bool {
    !is_framing(name) && !hop_by_hop::is_hop_by_hop_name(name) && !name.eq_ignore_ascii_case("date")
}

fn push(text: &mut String, name: &str, value: &str) {
    for part in [LINE, name, ": ", value] {
        text.push_str(part);
    }
}

/// How far it is to the next line.
fn until_line(text: &str) -> Option<usize> {
    memchr::memchr(b'\r', text.as_bytes())
}

fn is_named(line: &[u8], name: &str) -> bool {
    let (start, rest) = line.split_at(name.len().min(line.len()));
    rest.starts_with(b":") && start.eq_ignore_ascii_case(name.as_bytes())
}
