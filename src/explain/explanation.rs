//! What was found, as it is printed for programs: the field names are those of the JSON.

use serde::Serialize;

/// The way of one request.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// The listener that the request comes in on.
    pub listener: String,
    /// The client: the peer, or who is behind it if it is trusted.
    pub client: Option<String>,
    /// The route that takes it; none is a 404.
    pub route: Option<String>,
    /// `upstream`, `split`, `redirect` or `respond`, as the route has it.
    pub action: Option<&'static str>,
    /// The status, where the answer is ours.
    pub status: Option<u16>,
    /// Why the answer is ours, in a few words.
    pub because: Option<String>,
    /// Where a redirect leads.
    pub location: Option<String>,
    /// The upstream that gets it.
    pub upstream: Option<String>,
    /// The backend that would be picked now.
    pub backend: Option<String>,
    /// The one that it would go to if that one failed.
    pub then: Option<String>,
    /// The request as the backend would get it.
    pub request: Option<Rewritten>,
    /// Every route, the most specific first.
    pub considered: Vec<Considered>,
    /// The filters that it passes, in order, to the one that answers.
    pub filters: Vec<FilterSeen>,
    /// How its upstream chooses.
    pub balance: Option<String>,
    /// Whether chance has a say in that: the next request may go elsewhere.
    pub by_chance: bool,
    /// What the cookie of `sticky` has to do with it.
    pub sticky: Option<Session>,
    /// The upstream's backends, in the order of the file.
    pub backends: Vec<BackendSeen>,
    /// What becomes of failed attempts.
    pub retry: Option<RetryPlan>,
    /// How long is waited for what.
    pub limits: Option<Limits>,
}

/// A request's head, as it goes over the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rewritten {
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// The version of HTTP. What stands here is written as in HTTP/1; over HTTP/2, `Host` is `:authority`, and nothing is chunked.
    pub version: &'static str,
    /// The header lines, in order, with the names in the case in which they are sent.
    pub headers: Vec<(String, String)>,
    /// The header of the PROXY protocol that the connection begins with, where there is one: its version, and the client that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<String>,
}

/// One route, asked whether it takes the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Considered {
    /// Its name, or its place in the file.
    pub route: String,
    /// Whether everything that it asks for holds.
    pub matched: bool,
    /// The first thing that does not hold, or why it wins or loses.
    pub why: String,
}

/// What one filter did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FilterSeen {
    /// Where it stands in the file.
    pub place: String,
    /// Its name.
    pub name: String,
    /// What it changed, line by line.
    pub changes: Vec<Change>,
    /// Whether it will look at the request's body.
    pub watches_body: bool,
    /// The status that it answered with, if it did.
    pub answered: Option<u16>,
    /// What kept it from its work.
    pub failed: Option<String>,
}

/// What a filter changed in the head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The request target.
    Target {
        /// What it was.
        from: String,
        /// What it is now.
        to: String,
    },
    /// A header line that is there now.
    Added {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A header line that is gone.
    Removed {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// What a session cookie has to do with the pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Session {
    /// The request has none of a backend that is there: the policy chooses, and the answer sets one.
    Begins,
    /// Its cookie chooses.
    Kept,
    /// Its cookie names a backend that cannot take it: the policy chooses.
    Lost,
}

/// One backend, as the policy sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BackendSeen {
    /// Where it is.
    pub address: String,
    /// What the operator wrote, where that is a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `up`, `down` or `unknown`.
    pub health: &'static str,
    /// `active`, `draining` or `disabled`.
    pub state: &'static str,
    /// Whether failed requests have put it behind the others.
    pub ejected: bool,
    /// Whether it is used only when no other can take a request.
    pub backup: bool,
    /// Its weight now.
    pub weight: f64,
    /// Requests that it has now.
    pub in_flight: u32,
    /// Whether it has as many as it may.
    pub full: bool,
    /// What the policy compares, if it compares anything; the lower the better.
    pub score: Option<f64>,
}

/// What becomes of failed attempts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RetryPlan {
    /// Attempts in all that reach a backend.
    pub attempts: u32,
    /// Those failures after which this request is tried again.
    pub on: Vec<&'static str>,
    /// Retries may be this share of the upstream's requests, in percent.
    pub budget_percent: u32,
    /// No attempt begins later than this after the first one, in milliseconds.
    pub deadline_ms: Option<u128>,
    /// Why nothing that a backend may have seen is sent again, if that is so.
    pub held_back: Option<String>,
}

/// How long is waited for what, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// For the connection.
    pub connect_ms: u128,
    /// For the first byte of the answer.
    pub response_ms: u128,
    /// Between two pieces of the answer.
    pub read_ms: u128,
    /// Between two pieces of the request that the backend takes.
    pub write_ms: u128,
    /// For a backend with room, where requests may wait for one.
    pub queue_ms: Option<u128>,
}
