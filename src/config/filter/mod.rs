//! `filters`: what a request passes on its way to the backend, and its answer on the way back.
//!
//! Each element is a mapping with one key, the filter's name; what stands under it is the filter's own, and has its file
//! here. A name that is none of these is looked up among those that the program has registered (see `vocabulary`).

mod basic_auth;
mod body_limit;
mod compress;
mod cors;
mod headers;
mod ip_access;
mod media_range;
mod origin;
mod password;
mod rate_limit;
mod rewrite;
mod text;
mod users;

pub use basic_auth::BasicAuth;
pub use body_limit::BodyLimit;
pub use compress::{Algorithm, Compress};
pub use cors::{Allowed, Cors, HeaderText};
pub use headers::{HeaderChanges, RequestHeaders, ResponseHeaders};
pub use ip_access::IpAccess;
pub use media_range::MediaRange;
pub use origin::Origin;
pub use password::PasswordHash;
pub use rate_limit::{LimitKey, Rate, RateLimit, Unit};
pub use rewrite::{Expression, Piece, Rewrite};
pub(super) use text::on_request;
pub use text::{PathText, RequestText, ResponseText};
pub use users::Users;

use super::read::Read;
use super::reader::Reader;
use super::schema::Section;
use super::tree::Tree;
use super::vocabulary::{Own, advice};
use serde_json::Value;

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Changes the request's headers.
    RequestHeaders(RequestHeaders),
    /// Changes the answer's headers.
    ResponseHeaders(ResponseHeaders),
    /// Changes the path.
    Rewrite(Rewrite),
    /// Refuses large bodies.
    BodyLimit(BodyLimit),
    /// Refuses clients by their address.
    IpAccess(IpAccess),
    /// Tells browsers what other origins may do.
    Cors(Cors),
    /// Compresses answers.
    Compress(Compress),
    /// Refuses clients that send too many requests.
    RateLimit(RateLimit),
    /// Refuses clients without a name and a password.
    BasicAuth(BasicAuth),
    /// One that the program has registered.
    Own(Own),
}

/// A filter that is always there.
struct BuiltIn {
    name: &'static str,
    about: &'static str,
    read: fn(&Tree, &mut Reader<'_>) -> Option<Filter>,
    schema: fn() -> Value,
}

const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "request_headers",
        about: "Changes the headers that the backend is sent.",
        read: |block, reader| RequestHeaders::read(block, reader).map(Filter::RequestHeaders),
        schema: RequestHeaders::schema,
    },
    BuiltIn {
        name: "response_headers",
        about: "Changes the headers that the client is sent.",
        read: |block, reader| ResponseHeaders::read(block, reader).map(Filter::ResponseHeaders),
        schema: ResponseHeaders::schema,
    },
    BuiltIn {
        name: "rewrite",
        about: "Changes the path that the backend is sent; the query stays.",
        read: |block, reader| Rewrite::read(block, reader).map(Filter::Rewrite),
        schema: Rewrite::schema,
    },
    BuiltIn {
        name: "body_limit",
        about: "The largest body of a request; a larger one is answered 413.",
        read: |block, reader| BodyLimit::read(block, reader).map(Filter::BodyLimit),
        schema: <BodyLimit as Read>::schema,
    },
    BuiltIn {
        name: "ip_access",
        about: "Which clients are let in, by address; others are answered 403.",
        read: |block, reader| IpAccess::read(block, reader).map(Filter::IpAccess),
        schema: IpAccess::schema,
    },
    BuiltIn {
        name: "cors",
        about: "Tells browsers which other origins' scripts may use this one, and answers their preflight requests.",
        read: |block, reader| Cors::read(block, reader).map(Filter::Cors),
        schema: Cors::schema,
    },
    BuiltIn {
        name: "compress",
        about: "Compresses answers on their way to clients that can decode them.",
        read: |block, reader| Compress::read(block, reader).map(Filter::Compress),
        schema: Compress::schema,
    },
    BuiltIn {
        name: "rate_limit",
        about: "How many requests a client may send; others are answered 429.",
        read: |block, reader| RateLimit::read(block, reader).map(Filter::RateLimit),
        schema: RateLimit::schema,
    },
    BuiltIn {
        name: "basic_auth",
        about: "Lets in clients with a name and a password; others are answered 401.",
        read: |block, reader| BasicAuth::read(block, reader).map(Filter::BasicAuth),
        schema: BasicAuth::schema,
    },
];

const EXAMPLE: &str = "{ body_limit: 10MiB }";

impl Filter {
    /// Whether a filter of this name is always there.
    pub(crate) fn is_built_in(name: &str) -> bool {
        BUILT_IN.iter().any(|filter| filter.name == name)
    }
}

impl Read for Filter {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let entries = reader.entries(tree, EXAMPLE)?;
        let [(name, key, block)] = entries.as_slice() else {
            let message = match entries.len() {
                0 => "one key is needed here, the name of a filter",
                _ => "one element of the list is one filter; begin each with a dash",
            };
            reader.fault(tree, format!("{message}; write for example `{EXAMPLE}`"));
            return None;
        };
        reader.under(name, |reader| {
            if let Some(filter) = BUILT_IN.iter().find(|filter| filter.name == name) {
                return (filter.read)(block, reader);
            }
            let own = &reader.vocabulary().filters;
            if let Some(own) = own.read(name, block, reader) {
                return own.map(Filter::Own);
            }
            let known = BUILT_IN.iter().map(|filter| filter.name);
            let known = known.map(|name| -> &str { name }).chain(own.names());
            let advice = advice(name, known);
            reader.fault(key, format!("no filter is called {name:?}; {advice}"));
            None
        })
    }

    fn schema() -> Value {
        let mut section = Section::new("One filter: its name, and what it needs to know.");
        for filter in BUILT_IN {
            section.key(filter.name, filter.about, (filter.schema)(), None, false);
        }
        let mut schema = section.finish();
        schema["minProperties"] = 1.into();
        schema["maxProperties"] = 1.into();
        schema
    }

    fn example() -> String {
        EXAMPLE.to_owned()
    }
}
