//! `filters`: what a request passes on its way to the backend, and its answer on the way back.
//!
//! Each element is a mapping with one key, the filter's name; what stands under it is the filter's own. A name that is
//! none of these is looked up among those that the program has registered (see `vocabulary`).

use super::read::Read;
use super::reader::Reader;
use super::schema::Section;
use super::tree::Tree;
use super::vocabulary::{Own, advice};

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// One that the program has registered.
    Own(Own),
}

/// The names of the filters that are always there.
const BUILT_IN: &[&str] = &[];

const EXAMPLE: &str = "{ name: { key: value } }";

impl Filter {
    /// Whether a filter of this name is always there.
    pub(crate) fn is_built_in(name: &str) -> bool {
        BUILT_IN.contains(&name)
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
            let own = &reader.vocabulary().filters;
            if let Some(own) = own.read(name, block, reader) {
                return own.map(Filter::Own);
            }
            let known = BUILT_IN.iter().copied().chain(own.names());
            let advice = advice(name, known);
            reader.fault(key, format!("no filter is called {name:?}; {advice}"));
            None
        })
    }

    fn schema() -> serde_json::Value {
        let mut schema = Section::new("One filter: its name, and what it needs to know.").finish();
        schema["minProperties"] = 1.into();
        schema["maxProperties"] = 1.into();
        schema
    }

    fn example() -> String {
        EXAMPLE.to_owned()
    }
}
