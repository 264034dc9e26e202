//! `cors`: which other origins' scripts may use this one.

use super::origin::{Origin, WrittenOrigin};
use crate::config::collection::AtLeastOne;
use crate::config::duration::{DAY, format};
use crate::config::read::{Read, Show, Word};
use crate::config::reader::Reader;
use crate::config::section::section;
use crate::config::spot::Spot;
use crate::config::tree::Tree;
use http::{HeaderName, Method};
use serde_json::json;
use std::time::Duration;

/// What browsers are told about the scripts of other origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Whose scripts may read answers.
    pub origins: Allowed<Origin>,
    /// What they may ask with.
    pub methods: Allowed<Method>,
    /// The headers that they may set, as written.
    pub headers: Allowed<HeaderText>,
    /// The headers of answers that they may read, as written.
    pub exposed: Allowed<HeaderText>,
    /// Whether cookies and the like go with their requests.
    pub credentials: bool,
    /// How long a browser may remember this, in whole seconds.
    pub max_age: Option<Duration>,
}

/// What is listed, or everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed<T> {
    /// Everything: `*`.
    Any,
    /// These.
    These(Vec<T>),
}

/// The name of a header, as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderText(pub String);

section! {
    /// Tells browsers which other origins' scripts may use this one (the CORS protocol of the Fetch standard), and
    /// answers what they ask beforehand. What backends say about it is taken out.
    struct Entry {
        /// Origins whose scripts may read answers: `https://app.example.com`, `https://*.example.com` for one or more
        /// labels before it, `"null"` for documents without one, or `"*"` for all.
        allow_origins: AtLeastOne<Spot<WrittenOrigin>>,
        /// Methods that scripts may use, or `"*"` for all.
        allow_methods: Allowed<Method> = Allowed::These(vec![Method::GET, Method::HEAD, Method::POST]),
        /// Headers that scripts may set, besides those that they always may, or `"*"` for all.
        allow_headers: Allowed<HeaderText>,
        /// Headers of answers that scripts may read, besides those that they always may, or `"*"` for all.
        expose_headers: Spot<Allowed<HeaderText>>,
        /// Whether cookies, client certificates and `Authorization` go with the requests.
        allow_credentials: Spot<bool> = Spot::default_value(false),
        /// How long a browser may remember what it was told beforehand, in whole seconds; 5 s in browsers when it is not
        /// said.
        max_age: Option<Spot<Duration>> [Duration::ZERO..=DAY],
    }
}

impl Read for Cors {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let faults = reader.count();
        let entry = Entry::read(tree, reader)?;
        if reader.count() > faults {
            return None;
        }
        let origins = entry.allow_origins.0.into_iter();
        let origins = origins.map(|Spot { place, value }| Spot {
            place,
            value: value.0.0,
        });
        let cors = Cors {
            origins: allowed(origins.collect(), reader)?,
            methods: entry.allow_methods,
            headers: entry.allow_headers,
            exposed: entry.expose_headers.value.clone(),
            credentials: entry.allow_credentials.value,
            max_age: entry.max_age.as_ref().map(|age| age.value),
        };
        if cors.credentials && cors.origins == Allowed::Any {
            note(
                &entry.allow_credentials,
                "browsers refuse this together with the origin `*`, with which every site could act as its visitors; \
list the origins in `allow_origins`, or remove this"
                    .to_owned(),
                reader,
            );
        }
        if cors.credentials && cors.exposed == Allowed::Any {
            note(
                &entry.expose_headers,
                "with `allow_credentials` browsers take `*` for the name of a header; list the headers"
                    .to_owned(),
                reader,
            );
        }
        if let Some(age) = &entry.max_age
            && age.value.subsec_nanos() > 0
        {
            let seconds = format(Duration::from_secs(age.value.as_secs() + 1));
            let message =
                format!("browsers count whole seconds here; write for example `{seconds}`");
            note(age, message, reader);
        }
        Some(cors)
    }

    fn schema() -> serde_json::Value {
        Entry::schema()
    }

    fn example() -> String {
        format!("{{ allow_origins: [{}] }}", Origin::EXAMPLE)
    }
}

fn note<T>(spot: &Spot<T>, message: String, reader: &mut Reader<'_>) {
    if let Some(place) = &spot.place {
        reader.fault_at(place, message);
    }
}

impl<T: Word> Read for Allowed<T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let list: Vec<Spot<OrAny<T>>> = Vec::read(tree, reader)?;
        let list = list.into_iter().map(|Spot { place, value }| Spot {
            place,
            value: value.0,
        });
        allowed(list.collect(), reader)
    }

    fn absent() -> Option<Self> {
        Some(Allowed::These(Vec::new()))
    }

    fn schema() -> serde_json::Value {
        Vec::<OrAny<T>>::schema()
    }

    fn example() -> String {
        format!("[{}]", T::EXAMPLE)
    }
}

/// The list, in which `*` stands alone if at all.
fn allowed<T>(list: Vec<Spot<Option<T>>>, reader: &mut Reader<'_>) -> Option<Allowed<T>> {
    let is_alone = list.len() == 1;
    let mut these = Vec::with_capacity(list.len());
    for Spot { place, value } in list {
        match value {
            Some(one) => these.push(one),
            None if is_alone => return Some(Allowed::Any),
            None => {
                reader.fault_at(
                    &place?,
                    "`*` allows all of them; remove the others, or remove it",
                );
                return None;
            }
        }
    }
    Some(Allowed::These(these))
}

impl Show for Allowed<Method> {
    fn show(&self) -> serde_json::Value {
        match self {
            Allowed::Any => json!(["*"]),
            Allowed::These(methods) => methods.iter().map(Method::as_str).collect(),
        }
    }
}

/// One element of a list, or `*`.
#[derive(Clone, Debug)]
pub(super) struct OrAny<T>(pub(super) Option<T>);

impl<T: Word> Word for OrAny<T> {
    const EXAMPLE: &'static str = T::EXAMPLE;
    const QUOTED: bool = T::QUOTED;

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(OrAny(None)),
            text => T::parse(text).map(|one| OrAny(Some(one))),
        }
    }

    fn schema() -> serde_json::Value {
        T::schema()
    }
}

impl Word for HeaderText {
    const EXAMPLE: &'static str = "Content-Type";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        HeaderName::parse(text).map(|_| HeaderText(text.to_owned()))
    }
}
