//! The heads of messages, as filters see and change them.
//!
//! A request is copied by the first change and not before: the log and the variables go on telling what the client
//! sent. An answer is changed in place.

use super::link::About;
use super::{Attached, Name, RequestBody, ResponseBody, order};
use crate::semantics::headers::FIELDS;
use crate::semantics::vary;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use pingora_http::{RequestHeader, ResponseHeader};
use std::sync::Arc;

/// The head of a request.
#[derive(Debug)]
pub struct RequestHead<'a> {
    sent: &'a RequestHeader,
    edited: Option<Box<RequestHeader>>,
    touched: Touched,
    /// Not yet known whose.
    new_bodies: Vec<Box<dyn RequestBody>>,
    bodies: Vec<Attached<dyn RequestBody>>,
}

/// The headers of a request that filters have set or removed: theirs is the last word on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched(Vec<HeaderName>);

impl Touched {
    /// Whether a filter has set or removed this header.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }

    fn note(&mut self, name: &HeaderName) {
        if !self.contains(name) {
            self.0.push(name.clone());
        }
    }
}

impl<'a> RequestHead<'a> {
    /// The head as the client sent it.
    pub fn new(sent: &'a RequestHeader) -> Self {
        RequestHead {
            sent,
            edited: None,
            touched: Touched::default(),
            new_bodies: Vec::new(),
            bodies: Vec::new(),
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.now().method
    }

    /// The path, percent-encoded as it will be sent, without the query.
    pub fn path(&self) -> &str {
        self.now().uri.path()
    }

    /// What follows the first `?`, without it.
    pub fn query(&self) -> Option<&str> {
        self.now().uri.query()
    }

    /// The request target as it will be sent.
    pub fn target(&self) -> &[u8] {
        self.now().raw_path()
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.now().headers
    }

    /// The first value of a header, when it is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// Makes this the one line of its name.
    pub fn set(&mut self, name: &Name, value: HeaderValue) {
        self.touched.note(name.as_header());
        // It can only fail for a name that is no header's.
        let _ = self.edit().insert_header(name.written(), value);
    }

    /// Adds a line, after those of its name that are there. A request has one `Host`, so that is set instead.
    ///
    /// Headers that tell of the client (`X-Forwarded-For` and the like) are completed after the filters, unless one
    /// has *set* or removed them: an added line alone must not vouch for what the client claims.
    pub fn add(&mut self, name: &Name, value: HeaderValue) {
        if name.is_host() {
            return self.set(name, value);
        }
        if !FIELDS.iter().any(|field| field.name == *name.as_header()) {
            self.touched.note(name.as_header());
        }
        let _ = self.edit().append_header(name.written(), value);
    }

    /// Removes all lines of this name. `Host` stays, since HTTP/1.1 needs one.
    pub fn remove(&mut self, name: &Name) {
        if name.is_host() {
            return;
        }
        self.touched.note(name.as_header());
        if self.headers().contains_key(name.as_header()) {
            order::remove(self.edit(), name.as_header());
        }
    }

    /// Replaces the path, byte for byte; the query stays. False, and nothing is changed, when it is none: it begins
    /// with `/`, and holds no space, control character, `?` or `#`.
    pub fn set_path(&mut self, path: &str) -> bool {
        if !path.starts_with('/') || path.bytes().any(ends_a_path) {
            return false;
        }
        if path == self.path() && self.target().starts_with(b"/") {
            return true;
        }
        let mut target = path.as_bytes().to_vec();
        let sent = self.target();
        if let Some(query) = sent.iter().position(|byte| *byte == b'?') {
            target.extend_from_slice(sent.get(query..).unwrap_or_default());
        }
        self.edit().set_raw_path(&target).is_ok()
    }

    /// Has the request's body watched.
    pub fn watch_body(&mut self, body: Box<dyn RequestBody>) {
        self.new_bodies.push(body);
    }

    /// How many filters watch the request's body.
    pub fn watchers(&self) -> usize {
        self.bodies.len()
    }

    /// What was handed over since the last call belongs to this filter.
    pub(super) fn attach(&mut self, about: &Arc<About>) {
        let new = self.new_bodies.drain(..);
        self.bodies
            .extend(new.map(|body| Attached::new(about, body)));
    }

    /// The head as it is now.
    pub fn now(&self) -> &RequestHeader {
        self.edited.as_deref().unwrap_or(self.sent)
    }

    /// What the filters made of it: the changed head if they changed it, the headers that they had the last word on,
    /// and who is to watch the body.
    pub fn into_parts(
        self,
    ) -> (
        Option<Box<RequestHeader>>,
        Touched,
        Vec<Attached<dyn RequestBody>>,
    ) {
        (self.edited, self.touched, self.bodies)
    }

    fn edit(&mut self) -> &mut RequestHeader {
        let sent = self.sent;
        self.edited.get_or_insert_with(|| Box::new(sent.clone()))
    }
}

fn ends_a_path(byte: u8) -> bool {
    byte.is_ascii_control() || matches!(byte, b' ' | b'?' | b'#')
}

/// The head of an answer.
#[derive(Debug)]
pub struct ResponseHead<'a> {
    head: &'a mut ResponseHeader,
    /// Not yet known whose.
    new_bodies: Vec<Box<dyn ResponseBody>>,
    bodies: Vec<Attached<dyn ResponseBody>>,
}

impl<'a> ResponseHead<'a> {
    /// The head as the backend sent it, or as it was made here.
    pub fn new(head: &'a mut ResponseHeader) -> Self {
        ResponseHead {
            head,
            new_bodies: Vec::new(),
            bodies: Vec::new(),
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The first value of a header, when it is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers().get(name)?.to_str().ok()
    }

    /// Makes this the one line of its name.
    pub fn set(&mut self, name: &Name, value: HeaderValue) {
        // It can only fail for a name that is no header's.
        let _ = self.head.insert_header(name.written(), value);
    }

    /// Adds a line, after those of its name that are there.
    pub fn add(&mut self, name: &Name, value: HeaderValue) {
        let _ = self.head.append_header(name.written(), value);
    }

    /// Removes all lines of this name.
    pub fn remove(&mut self, name: &Name) {
        order::remove(self.head, name.as_header());
    }

    /// Says that this header of the request has a say in the answer, so that caches keep such answers apart: adds it to
    /// `Vary`.
    pub fn vary_on(&mut self, name: &Name) {
        let lines = self.headers().get_all(header::VARY).into_iter();
        let merged = vary::with(lines.map(HeaderValue::as_bytes), name.as_written());
        if let Some(Ok(value)) = merged.map(|line| HeaderValue::from_bytes(&line)) {
            let _ = self.head.insert_header("Vary", value);
        }
    }

    /// The length of the body, when the head tells it.
    pub fn content_length(&self) -> Option<u64> {
        self.header(&header::CONTENT_LENGTH)?.parse().ok()
    }

    /// Has the body changed on its way. Its length is then not known before its end, and no longer told.
    pub fn transform_body(&mut self, body: Box<dyn ResponseBody>) {
        order::remove(self.head, &header::CONTENT_LENGTH);
        self.new_bodies.push(body);
    }

    /// What was handed over since the last call belongs to this filter.
    pub(super) fn attach(&mut self, about: &Arc<About>) {
        let new = self.new_bodies.drain(..);
        self.bodies
            .extend(new.map(|body| Attached::new(about, body)));
    }

    /// Who is to change the body, in the order of the filters that have asked for it.
    pub fn into_bodies(self) -> Vec<Attached<dyn ResponseBody>> {
        self.bodies
    }
}
