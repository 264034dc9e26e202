//! `routes`: which requests go where.

use super::collection::{Entries, OneOrMany};
use super::filter::Filter;
use super::forwarded::Overrides;
use super::header::WrittenHeader;
use super::host::HostPattern;
use super::json::{Json, JsonPart};
use super::pattern::{HeaderPattern, PathPattern, QueryPattern, ValuePattern};
use super::reader::Reader;
use super::redirect::Redirect;
use super::section::section;
use super::split::{Split, WrittenSplit};
use super::spot::{Entry, Spot};
use super::text::Name;
use crate::semantics::forwarded;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, StatusCode};

/// One route: what it matches, and what becomes of the request.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name, when it was given one.
    pub name: Option<String>,
    /// Its name, or its place in the file: `routes[3]`.
    pub label: String,
    /// Which requests it takes.
    pub matches: Match,
    /// Decides between routes with equally specific hosts; higher wins.
    pub priority: i32,
    /// The forwarded headers: the top level's, with this route's changes.
    pub forwarded: forwarded::Policy,
    /// What its requests pass, in order, after those of all routes and of the listener.
    pub filters: Vec<Filter>,
    /// What becomes of the request.
    pub action: Action,
}

/// Which requests a route takes: all parts must match; an empty part matches any request.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// One of these hosts.
    pub hosts: Vec<HostPattern>,
    /// The path.
    pub path: Option<PathPattern>,
    /// One of these methods.
    pub methods: Vec<Method>,
    /// All of these headers.
    pub headers: Vec<HeaderPattern>,
    /// All of these query arguments.
    pub query: Vec<QueryPattern>,
    /// One of these listeners, by name.
    pub listeners: Vec<String>,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Action {
    /// It goes to this upstream, an index into `Config::upstreams`.
    Upstream(usize),
    /// It goes to one of several upstreams.
    Split(Split),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// It is answered here.
    Respond(Respond),
}

/// A fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Respond {
    /// The status.
    pub status: StatusCode,
    /// Headers in file order: name, the case as written, value.
    pub headers: Vec<(HeaderName, String, HeaderValue)>,
    /// The body.
    pub body: Body,
}

/// The body of a fixed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The same for every request.
    Fixed(Bytes),
    /// JSON with variables in it.
    Json(Json),
}

section! {
    /// Which requests go where. The most specific route wins, wherever it stands. Exactly one of `upstream`, `split`,
    /// `redirect` and `respond` stands in it.
    pub(super) struct RouteEntry {
        /// Send the request to this upstream.
        pub(super) upstream: Entry<Name>,
        /// Its name in logs; its place in the file by default, such as `routes[3]`.
        pub(super) name: Option<Spot<Name>>,
        /// Which requests it takes; any by default.
        pub(super) matches as "match": Entry<MatchEntry>,
        /// Decides between routes with equally specific hosts; higher wins.
        pub(super) priority: i32 [-1_000_000..=1_000_000] = 0,
        /// Forwarded headers that are other than at the top level.
        pub(super) forwarded: Spot<Overrides>,
        /// What its requests pass, in order.
        pub(super) filters: Vec<Spot<Filter>>,
        /// Share the requests among these upstreams: `[{ upstream: stable, weight: 95 }, { upstream: canary, weight: 5 }]`.
        pub(super) split: Entry<WrittenSplit>,
        /// Send the client elsewhere.
        pub(super) redirect: Entry<Redirect>,
        /// Answer the request here.
        pub(super) respond: Entry<RespondEntry>,
    }
}

section! {
    /// Which requests a route takes: all that stands here must match.
    pub(super) struct MatchEntry {
        /// The host, or a list of them: `www.example.com`, or `*.example.com` for one or more labels before it.
        pub(super) host: Option<OneOrMany<HostPattern>>,
        /// The path: `/api/` is a prefix on segment borders; `{ exact: /x }`; `{ regex: '^/v[0-9]+/' }`.
        pub(super) path: Option<PathPattern>,
        /// The method, or a list of them.
        pub(super) method: Option<OneOrMany<Method>>,
        /// Headers, each with its text, `{ regex: … }`, or `{ present: true }`.
        pub(super) headers: Entries<HeaderName, ValuePattern>,
        /// Query arguments, each with its text, `{ regex: … }`, or `{ present: true }`.
        pub(super) query: Entries<String, ValuePattern>,
        /// The listener's name, or a list of them.
        pub(super) listener: Option<OneOrMany<Spot<Name>>>,
    }
}

impl MatchEntry {
    pub(super) fn build(self) -> Match {
        let headers = self
            .headers
            .complete()
            .map(|(name, value)| HeaderPattern { name, value });
        let query = self
            .query
            .complete()
            .map(|(name, value)| QueryPattern { name, value });
        Match {
            hosts: self.host.map_or_else(Vec::new, |hosts| hosts.0),
            path: self.path,
            methods: self.method.map_or_else(Vec::new, |methods| methods.0),
            headers: headers.collect(),
            query: query.collect(),
            listeners: self.listener.map_or_else(Vec::new, |names| {
                names.0.into_iter().map(|name| name.value.0).collect()
            }),
        }
    }
}

section! {
    /// A fixed answer.
    pub(super) struct RespondEntry {
        /// The status.
        pub(super) status: StatusCode = StatusCode::OK,
        /// Headers, each with its text, or a list of texts for several of one name.
        pub(super) headers: Entries<WrittenHeader, OneOrMany<HeaderValue>>,
        /// The body, as text.
        pub(super) body: Option<Spot<String>>,
        /// The body, as JSON: any value of YAML, in whose texts variables of the request may stand. `Content-Type` is
        /// then `application/json`, unless `headers` has another.
        pub(super) json: Option<Spot<Json>>,
    }
}

impl Body {
    fn of(json: Json) -> Self {
        match json.0.as_slice() {
            [JsonPart::Plain(text)] => Body::Fixed(text.clone().into()),
            _ => Body::Json(json),
        }
    }
}

impl RespondEntry {
    pub(super) fn build(self, reader: &mut Reader<'_>) -> Respond {
        let bodiless = matches!(
            self.status,
            StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
        );
        let text = self.body.as_ref().filter(|body| !body.value.is_empty());
        let text = text.and_then(|body| body.place.as_ref());
        let json = self.json.as_ref().and_then(|json| json.place.as_ref());
        if bodiless && let Some(place) = text.or(json) {
            let status = self.status.as_u16();
            reader.fault_at(
                place,
                format!(
                    "an answer with status {status} has no body (RFC 9110 §6.4.1); \
remove it, or choose another status"
                ),
            );
        }
        if let (Some(_), Some(place)) = (&self.body, json) {
            reader.fault_at(
                place,
                "`body` stands here already; an answer has one body, keep one of the two",
            );
        }
        let lines = |(header, values): (WrittenHeader, OneOrMany<HeaderValue>)| {
            values
                .0
                .into_iter()
                .map(move |value| (header.name.clone(), header.written.clone(), value))
        };
        let mut headers: Vec<_> = self.headers.complete().flat_map(lines).collect();
        if json.is_some() && !headers.iter().any(|(name, ..)| *name == CONTENT_TYPE) {
            let kind = HeaderValue::from_static("application/json");
            headers.push((CONTENT_TYPE, "Content-Type".to_owned(), kind));
        }
        let text = self.body.map(|body| body.value).unwrap_or_default();
        Respond {
            status: self.status,
            headers,
            body: match self.json {
                Some(json) => Body::of(json.value),
                None => Body::Fixed(text.into()),
            },
        }
    }
}
