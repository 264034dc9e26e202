//! `request_headers` and `response_headers`: header lines that are set, added and removed.
//!
//! Values are made of what a client has sent, so they are brought into the form of a header's value (RFC 9110 §5.5):
//! control characters, which would be the end of the line, are percent-encoded, and space at the ends is cut. A value
//! that turns out empty is no line, as in nginx: what is set to nothing is removed, also when the client had sent it.

use crate::config::{self, WrittenHeader};
use crate::filter::{Facts, Filter, Name, RequestHead, ResponseHead, Verdict};
use crate::template::{Template, Values, Variable};
use http::HeaderValue;

/// The filter `request_headers`.
#[derive(Debug)]
pub(in crate::filter) struct RequestHeaders(Changes);

/// The filter `response_headers`.
#[derive(Debug)]
pub(in crate::filter) struct ResponseHeaders {
    changes: Changes,
    reads_upstream_headers: bool,
}

impl RequestHeaders {
    pub(in crate::filter) fn new(written: &config::RequestHeaders) -> Self {
        RequestHeaders(Changes::new(written, |text| &text.0))
    }
}

impl ResponseHeaders {
    pub(in crate::filter) fn new(written: &config::ResponseHeaders) -> Self {
        let texts = written.set.iter().chain(&written.add);
        let mut variables = texts.flat_map(|(_, text)| text.0.variables());
        let is_read = |variable: &Variable| matches!(variable, Variable::UpstreamHeader(_));
        ResponseHeaders {
            reads_upstream_headers: variables.any(is_read),
            changes: Changes::new(written, |text| &text.0),
        }
    }
}

impl Filter for RequestHeaders {
    fn request(&self, request: &mut RequestHead<'_>, facts: &Facts<'_>) -> Verdict {
        self.0.make(request, facts);
        Verdict::Pass
    }

    fn reads_upstream_headers(&self) -> bool {
        false
    }
}

impl Filter for ResponseHeaders {
    fn response(&self, response: &mut ResponseHead<'_>, facts: &Facts<'_>) {
        self.changes.make(response, facts);
    }

    fn reads_upstream_headers(&self) -> bool {
        self.reads_upstream_headers
    }
}

#[derive(Debug)]
struct Changes {
    remove: Box<[Name]>,
    set: Box<[(Name, Text)]>,
    add: Box<[(Name, Text)]>,
}

/// What the two kinds of head have in common.
trait Lines {
    fn set(&mut self, name: &Name, value: HeaderValue);
    fn add(&mut self, name: &Name, value: HeaderValue);
    fn remove(&mut self, name: &Name);
}

impl Changes {
    fn new<T>(written: &config::HeaderChanges<T>, template: impl Fn(&T) -> &Template) -> Self {
        let lines = |lines: &[(WrittenHeader, T)]| {
            let lines = lines.iter();
            lines
                .map(|(name, text)| (Name::from(name), Text::new(template(text))))
                .collect()
        };
        Changes {
            remove: written.remove.iter().map(Name::from).collect(),
            set: lines(&written.set),
            add: lines(&written.add),
        }
    }

    fn make(&self, head: &mut impl Lines, facts: &Facts<'_>) {
        for name in &self.remove {
            head.remove(name);
        }
        for (name, text) in &self.set {
            match text.value(facts) {
                Some(value) => head.set(name, value),
                None => head.remove(name),
            }
        }
        for (name, text) in &self.add {
            if let Some(value) = text.value(facts) {
                head.add(name, value);
            }
        }
    }
}

/// A value: made once where there is no variable in it.
#[derive(Debug)]
enum Text {
    Fixed(Option<HeaderValue>),
    Made(Template),
}

impl Text {
    fn new(template: &Template) -> Self {
        if template.variables().next().is_some() {
            return Text::Made(template.clone());
        }
        let mut text = Vec::new();
        template.render(&Nothing, &mut text);
        Text::Fixed(value(&text))
    }

    fn value(&self, facts: &Facts<'_>) -> Option<HeaderValue> {
        match self {
            Text::Fixed(value) => value.clone(),
            Text::Made(template) => {
                let mut text = Vec::with_capacity(64);
                facts.render(template, &mut text);
                value(&text)
            }
        }
    }
}

struct Nothing;

impl Values for Nothing {
    fn append(&self, _: &Variable, _: &mut Vec<u8>) {}
}

fn value(text: &[u8]) -> Option<HeaderValue> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return None;
    }
    HeaderValue::from_bytes(text)
        .or_else(|_| HeaderValue::from_bytes(&without_control(text)))
        .ok()
}

fn without_control(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for byte in text {
        if byte.is_ascii_control() && *byte != b'\t' {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out
}

impl Lines for RequestHead<'_> {
    fn set(&mut self, name: &Name, value: HeaderValue) {
        RequestHead::set(self, name, value);
    }

    fn add(&mut self, name: &Name, value: HeaderValue) {
        RequestHead::add(self, name, value);
    }

    fn remove(&mut self, name: &Name) {
        RequestHead::remove(self, name);
    }
}

impl Lines for ResponseHead<'_> {
    fn set(&mut self, name: &Name, value: HeaderValue) {
        ResponseHead::set(self, name, value);
    }

    fn add(&mut self, name: &Name, value: HeaderValue) {
        ResponseHead::add(self, name, value);
    }

    fn remove(&mut self, name: &Name) {
        ResponseHead::remove(self, name);
    }
}
