//! The words that a program of one's own adds to the file: filters and policies.
//!
//! The file is checked before anything runs, so a registered name brings the function that makes its part from its
//! block, and that function is called while the file is read: what it refuses is a fault of the file like any other,
//! with line and column. What it makes is kept as it is, its type unknown here, for the room that registered it.
//!
//! A part is made anew for every reading of the file, also for `evenkeel -t`: making one has no effect on anything
//! else.

use super::block::{Block, Failed};
use super::diagnostic::{closest, text_of_panic};
use super::reader::Reader;
use super::tree::Tree;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The names that a program has registered, and what makes their parts.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    pub(super) filters: Words,
    pub(super) policies: Words,
}

/// Why a block is refused, and of which key in it that is said.
///
/// Made from whatever can be displayed, so that `?` and `"…".into()` work in a function that makes a part.
pub struct Refusal {
    message: String,
    key: Option<String>,
}

impl Refusal {
    /// Refuses the value of one key of the block.
    pub fn of(key: &str, message: impl fmt::Display) -> Self {
        Refusal {
            message: message.to_string(),
            key: Some(key.to_owned()),
        }
    }
}

impl<T: fmt::Display> From<T> for Refusal {
    fn from(message: T) -> Self {
        Refusal {
            message: message.to_string(),
            key: None,
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

/// A part that a program made of its block.
#[derive(Clone)]
pub struct Own {
    /// The name it is registered under.
    pub name: String,
    /// The block as it was written: two parts are equal when these are.
    written: serde_json::Value,
    part: Arc<dyn Any + Send + Sync>,
}

impl Own {
    /// The part itself, as whoever registered it knows it.
    pub(crate) fn part<T: Any>(&self) -> Option<&T> {
        self.part.downcast_ref()
    }
}

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.written == other.written
    }
}

impl Eq for Own {}

impl fmt::Debug for Own {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Own").field(&self.name).finish()
    }
}

impl Vocabulary {
    /// Adds a filter.
    pub(crate) fn add_filter<C: DeserializeOwned, T: Any + Send + Sync>(
        &mut self,
        name: &str,
        from_config: impl Fn(C) -> Result<T, Refusal> + Send + Sync + 'static,
    ) {
        self.filters.add(name, from_config);
    }

    /// Adds a policy.
    pub(crate) fn add_policy<C: DeserializeOwned, T: Any + Send + Sync>(
        &mut self,
        name: &str,
        from_config: impl Fn(C) -> Result<T, Refusal> + Send + Sync + 'static,
    ) {
        self.policies.add(name, from_config);
    }
}

/// Names of one kind of part.
#[derive(Clone, Default)]
pub(super) struct Words(Vec<(String, Make)>);

type Make = Arc<dyn Fn(&Tree, &mut Reader<'_>) -> Option<Arc<dyn Any + Send + Sync>> + Send + Sync>;

impl Words {
    fn add<C: DeserializeOwned, T: Any + Send + Sync>(
        &mut self,
        name: &str,
        from_config: impl Fn(C) -> Result<T, Refusal> + Send + Sync + 'static,
    ) {
        let make: Make = Arc::new(move |tree, reader| {
            let part = make(tree, reader, &from_config)?;
            Some(Arc::new(part))
        });
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), make));
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Reads the block of the part that is registered under `name`, if one is.
    pub(super) fn read(
        &self,
        name: &str,
        block: &Tree,
        reader: &mut Reader<'_>,
    ) -> Option<Option<Own>> {
        let (_, make) = self.0.iter().find(|(known, _)| known == name)?;
        Some(make(block, reader).map(|part| Own {
            name: name.to_owned(),
            written: block.plain(),
            part,
        }))
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.names()).finish()
    }
}

fn make<C: DeserializeOwned, T>(
    tree: &Tree,
    reader: &mut Reader<'_>,
    from_config: &dyn Fn(C) -> Result<T, Refusal>,
) -> Option<T> {
    let faults = reader.count();
    let settings = match C::deserialize(Block::new(tree, reader)) {
        Ok(settings) if reader.count() == faults => settings,
        Ok(_) => return None,
        Err(failed) => {
            note(failed, tree, reader);
            return None;
        }
    };
    match catch_unwind(AssertUnwindSafe(|| from_config(settings))) {
        Ok(Ok(part)) => Some(part),
        Ok(Err(refusal)) => {
            refuse(refusal, tree, reader);
            None
        }
        Err(panic) => {
            let message = format!(
                "the code behind this name panicked: {}; mend it, or choose other values",
                text_of_panic(&*panic)
            );
            reader.fault(tree, message);
            None
        }
    }
}

fn note(failed: Failed, tree: &Tree, reader: &mut Reader<'_>) {
    let place = failed.place.unwrap_or_else(|| reader.place(tree));
    if let Some(message) = failed.message {
        reader.fault_at(&place, message);
    }
}

fn refuse(refusal: Refusal, tree: &Tree, reader: &mut Reader<'_>) {
    let value = refusal.key.as_deref().and_then(|key| tree.value_of(key));
    match (refusal.key, value) {
        (Some(key), Some(value)) => {
            reader.under(&key, |reader| reader.fault(value, refusal.message));
        }
        _ => reader.fault(tree, refusal.message),
    }
}

/// What to say of a name that is not known: the one that was probably meant, or all there are.
pub(super) fn advice<'w>(name: &str, known: impl Iterator<Item = &'w str>) -> String {
    let known: Vec<_> = known.collect();
    match closest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None if known.is_empty() => "a program of your own can add it".to_owned(),
        None => format!(
            "the names here are {}; a program of your own can add others",
            known.join(", ")
        ),
    }
}
