//! `request_headers` and `response_headers`: header lines that are set, added and removed.

use super::text::{RequestText, ResponseText};
use crate::config::WrittenHeader;
use crate::config::collection::{Entries, OneOrMany};
use crate::config::read::{Read, Word};
use crate::config::reader::Reader;
use crate::config::section::section;
use crate::config::spot::Spot;
use crate::config::tree::Tree;
use crate::semantics::headers::FIELDS;
use http::header::HOST;

/// Changes of the request's headers.
pub type RequestHeaders = HeaderChanges<RequestText>;

/// Changes of the answer's headers.
pub type ResponseHeaders = HeaderChanges<ResponseText>;

/// Changes of headers, in the order in which they are made: remove, set, add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderChanges<T> {
    /// All lines of these names go.
    pub remove: Vec<WrittenHeader>,
    /// Each becomes the one line of its name.
    pub set: Vec<(WrittenHeader, T)>,
    /// Each becomes one more line of its name.
    pub add: Vec<(WrittenHeader, T)>,
}

section! {
    /// Changes the headers that the backend is sent: first removes, then sets, then adds.
    struct RequestEntry {
        /// Headers with their values, texts with variables: the only line of its name. An empty value removes the header.
        set: Entries<SetHeader, RequestText>,
        /// Headers with a value, or a list of values: one more line each. An empty value adds none.
        add: Entries<AddedHeader, OneOrMany<RequestText>>,
        /// Names of headers of which no line is left.
        remove: Vec<Spot<WrittenHeader>>,
    }
}

section! {
    /// Changes the headers that the client is sent: first removes, then sets, then adds.
    struct ResponseEntry {
        /// Headers with their values, texts with variables: the only line of its name. An empty value removes the header.
        set: Entries<WrittenHeader, ResponseText>,
        /// Headers with a value, or a list of values: one more line each. An empty value adds none.
        add: Entries<WrittenHeader, OneOrMany<ResponseText>>,
        /// Names of headers of which no line is left.
        remove: Vec<Spot<WrittenHeader>>,
    }
}

impl Read for RequestHeaders {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let entry = RequestEntry::read(tree, reader)?;
        let set = entry.set.complete();
        let add = entry.add.complete();
        build(
            tree,
            entry.remove,
            set.map(|(name, value)| (name.0, value)).collect(),
            add.map(|(name, values)| (name.0, values)),
            reader,
        )
    }

    fn schema() -> serde_json::Value {
        RequestEntry::schema()
    }

    fn example() -> String {
        "{ set: { X-Version: \"2\" } }".to_owned()
    }
}

impl Read for ResponseHeaders {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let entry = ResponseEntry::read(tree, reader)?;
        let (set, add) = (entry.set.complete(), entry.add.complete());
        build(tree, entry.remove, set.collect(), add, reader)
    }

    fn schema() -> serde_json::Value {
        ResponseEntry::schema()
    }

    fn example() -> String {
        "{ remove: [Server] }".to_owned()
    }
}

fn build<T>(
    tree: &Tree,
    remove: Vec<Spot<WrittenHeader>>,
    set: Vec<(WrittenHeader, T)>,
    add: impl Iterator<Item = (WrittenHeader, OneOrMany<T>)>,
    reader: &mut Reader<'_>,
) -> Option<HeaderChanges<T>> {
    let lines = |(name, values): (WrittenHeader, OneOrMany<T>)| {
        let values = values.0.into_iter();
        values.map(move |value| (name.clone(), value))
    };
    let add: Vec<_> = add.flat_map(lines).collect();
    if remove.is_empty() && set.is_empty() && add.is_empty() {
        let place = reader.place(tree);
        if !reader.has_faults_below(&place.path) {
            reader.fault(
                tree,
                "nothing is changed here; write `set`, `add` or `remove`",
            );
        }
        return None;
    }
    for Spot { place, value } in &remove {
        if let (Some(place), true) = (place, set.iter().any(|(name, _)| name == value)) {
            let name = &value.written;
            reader.fault_at(
                place,
                format!("{name} is removed here and set as well; keep one of them"),
            );
        }
    }
    Some(HeaderChanges {
        remove: remove.into_iter().map(|name| name.value).collect(),
        set,
        add,
    })
}

/// A header of the request that is set: `Host` too.
#[derive(Clone, Debug, PartialEq)]
struct SetHeader(WrittenHeader);

impl Word for SetHeader {
    const EXAMPLE: &'static str = "X-Version";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case(HOST.as_str()) {
            return Ok(SetHeader(WrittenHeader {
                name: HOST,
                written: text.to_owned(),
            }));
        }
        WrittenHeader::parse(text).map(SetHeader)
    }
}

/// A header of the request that is added: none that is set after the filters.
#[derive(Clone, Debug, PartialEq)]
struct AddedHeader(WrittenHeader);

impl Word for AddedHeader {
    const EXAMPLE: &'static str = "X-Version";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let header = WrittenHeader::parse(text)?;
        if FIELDS.iter().any(|field| field.name == header.name) {
            return Err(format!(
                "{text:?} tells backends of the client, and is completed after the filters; \
`set` it to have the last word, or see `forwarded`"
            ));
        }
        Ok(AddedHeader(header))
    }
}
