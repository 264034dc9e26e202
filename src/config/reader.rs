//! The walk through the tree: knows the way so far, and keeps what was found wrong.
//!
//! It is handed from type to type (see `read`), so that a fault anywhere is noted with its path and the walk goes on.

use super::diagnostic::{Finding, Place, closest};
use super::environment::{self, Dollar};
use super::schema::{NOT_BUILT, SAID_ELSEWHERE};
use super::surroundings::{Surroundings, content};
use super::tree::{Tree, Value};
use super::vocabulary::Vocabulary;
use crate::template::{Template, Variable};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Walks the tree: knows the way so far, and keeps what was found wrong.
pub(super) struct Reader<'e> {
    surroundings: &'e Surroundings<'e>,
    path: String,
    findings: Vec<Finding>,
    /// Ordinals of the sections in which keys were refused.
    with_unknown_keys: Vec<usize>,
    /// Each `$path_NAME`: where it stands, and the name.
    path_groups: Vec<(Place, String)>,
}

impl<'e> Reader<'e> {
    pub(super) fn new(surroundings: &'e Surroundings<'e>) -> Self {
        Reader {
            surroundings,
            path: String::new(),
            findings: Vec::new(),
            with_unknown_keys: Vec::new(),
            path_groups: Vec::new(),
        }
    }

    /// The words that the program adds to the file.
    pub(super) fn vocabulary(&self) -> &'e Vocabulary {
        self.surroundings.vocabulary
    }

    /// Where the file is that a key names.
    pub(super) fn located(&self, path: &Path) -> PathBuf {
        self.surroundings.folder.join(path)
    }

    /// How much was found wrong so far.
    pub(super) fn count(&self) -> usize {
        self.findings.len()
    }

    /// What was found wrong.
    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Whether something below this place was found wrong; what was read there is then not what was meant.
    pub(super) fn has_faults_below(&self, path: &str) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.place.is_below(path))
    }

    /// Keeps which `$path_NAME` stand in a template: whether a route's path has such groups is seen when all is read.
    pub(super) fn note_path_groups(&mut self, place: &Place, template: &Template) {
        for variable in template.variables() {
            if let Variable::PathGroup(name) = variable {
                let noted = (place.clone(), name.to_string());
                if self.path_groups.last() != Some(&noted) {
                    self.path_groups.push(noted);
                }
            }
        }
    }

    /// What [`Reader::note_path_groups`] has kept.
    pub(super) fn take_path_groups(&mut self) -> Vec<(Place, String)> {
        std::mem::take(&mut self.path_groups)
    }

    /// Whether keys of the section at this place were refused; one of them may have been meant to be what is missing.
    pub(super) fn has_unknown_keys(&self, section: &Place) -> bool {
        self.with_unknown_keys.contains(&section.at)
    }

    /// The place of a value at the present path.
    pub(super) fn place(&self, tree: &Tree) -> Place {
        Place {
            at: tree.at,
            path: self.path.clone(),
        }
    }

    /// Notes that something is wrong with the value at the present path.
    pub(super) fn fault(&mut self, tree: &Tree, message: impl Into<String>) {
        let place = self.place(tree);
        self.fault_at(&place, message);
    }

    /// Notes that something is wrong elsewhere.
    pub(super) fn fault_at(&mut self, place: &Place, message: impl Into<String>) {
        self.findings.push(Finding {
            place: place.clone(),
            message: message.into(),
        });
    }

    /// Reads the value under a key, one step further down the path.
    pub(super) fn under<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        let step = match key {
            key if key.is_empty() || !key.chars().all(plain) => format!("[{key:?}]"),
            key if self.path.is_empty() => key.to_owned(),
            key => format!(".{key}"),
        };
        self.step(&step, read)
    }

    /// Reads an element of a list, one step further down the path.
    pub(super) fn element<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.step(&format!("[{index}]"), read)
    }

    fn step<T>(&mut self, step: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        self.path.push_str(step);
        let value = read(self);
        self.path.truncate(length);
        value
    }

    /// The text of a scalar, with environment values in place.
    pub(super) fn text<'t>(
        &mut self,
        tree: &'t Tree,
        dollar: Dollar,
        quoted: bool,
        example: &str,
    ) -> Option<Cow<'t, str>> {
        match &tree.value {
            Value::Text(text) => {
                environment::substitute(text, dollar, self.surroundings.environment)
                    .map_err(|message| self.fault(tree, message))
                    .ok()
            }
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) if quoted => {
                let found = tree.value.describe();
                self.fault(
                    tree,
                    format!("text is needed here, not {found}; put it in quotes"),
                );
                None
            }
            Value::Bool(value) => Some(Cow::Owned(value.to_string())),
            Value::Integer(number) => Some(Cow::Owned(number.to_string())),
            Value::Float(number) => Some(Cow::Owned(number.to_string())),
            Value::Null | Value::List(_) | Value::Mapping(_) => {
                self.wrong_kind(tree, "one value", example);
                None
            }
        }
    }

    /// The content of the file that is named at the present path.
    pub(super) fn file(&mut self, tree: &Tree, path: &Path) -> Option<Vec<u8>> {
        content(path, self.surroundings)
            .map_err(|message| self.fault(tree, message))
            .ok()
    }

    /// Notes that something else than this kind of value was wanted.
    pub(super) fn wrong_kind(&mut self, tree: &Tree, wanted: &str, example: &str) {
        let message = match &tree.value {
            Value::Null => format!("nothing stands here; write {wanted}, such as `{example}`"),
            found => format!(
                "{wanted} is needed here, not {}; write for example `{example}`",
                found.describe()
            ),
        };
        self.fault(tree, message);
    }

    /// The entries of a mapping whose keys are free text; unusable keys are noted and left out.
    pub(super) fn entries<'t>(
        &mut self,
        tree: &'t Tree,
        example: &str,
    ) -> Option<Vec<(Cow<'t, str>, &'t Tree, &'t Tree)>> {
        let Value::Mapping(mapping) = &tree.value else {
            self.wrong_kind(tree, "a mapping", example);
            return None;
        };
        let mut entries: Vec<(Cow<'t, str>, &Tree, &Tree)> = Vec::new();
        for (key, value) in mapping {
            let Some(text) = self.text(key, Dollar::Environment, true, "key") else {
                continue;
            };
            if entries.iter().any(|(earlier, ..)| *earlier == text) {
                self.under(&text, |reader| {
                    reader.fault(key, "this key is there twice; keep one of them");
                });
            } else {
                entries.push((text, key, value));
            }
        }
        Some(entries)
    }

    /// The entries of a mapping that takes only `known` keys; others are refused.
    pub(super) fn fields<'t>(
        &mut self,
        tree: &'t Tree,
        known: &[&'static str],
        example: &str,
    ) -> Option<Fields<'t>> {
        let entries = self.entries(tree, example)?;
        let mut fields = Fields {
            of: tree,
            found: Vec::new(),
            meant: Vec::new(),
            unknown: 0,
        };
        for (text, key, value) in entries {
            if let Some(name) = known.iter().find(|name| **name == text) {
                fields.found.push((*name, value));
            } else {
                fields.meant.extend(self.unknown_key(&text, key, known));
                fields.unknown += 1;
            }
        }
        if fields.has_unknown_keys() {
            self.with_unknown_keys.push(tree.at);
        }
        Some(fields)
    }

    /// Refuses the key; the known one that was probably meant, if any.
    fn unknown_key(
        &mut self,
        text: &str,
        key: &Tree,
        known: &[&'static str],
    ) -> Option<&'static str> {
        self.under(text, |reader| {
            let path = pattern(&reader.path);
            if let Some((_, where_else)) = SAID_ELSEWHERE.iter().find(|(key, _)| *key == path) {
                reader.fault(key, *where_else);
                return None;
            }
            if NOT_BUILT.contains(&path.as_str()) {
                reader.fault(key, "this key is not built yet in this version; remove it");
                return None;
            }
            let meant = closest(text, known.iter().copied());
            let advice = match meant {
                Some(meant) => format!("did you mean {meant:?}?"),
                None if known.is_empty() => "there are none here; write `{}`".to_owned(),
                None => format!("the keys here are {}", known.join(", ")),
            };
            reader.fault(key, format!("there is no key {text:?}; {advice}"));
            meant
        })
    }
}

/// The entries of a section.
pub(super) struct Fields<'t> {
    /// The section itself.
    pub(super) of: &'t Tree,
    /// The known keys that stand there, with their values.
    pub(super) found: Vec<(&'static str, &'t Tree)>,
    /// The known keys that were probably meant by unknown ones.
    meant: Vec<&'static str>,
    unknown: usize,
}

impl<'t> Fields<'t> {
    /// The value of a key.
    pub(super) fn value(&self, key: &str) -> Option<&'t Tree> {
        self.found
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| *value)
    }

    /// Whether keys were refused.
    pub(super) fn has_unknown_keys(&self) -> bool {
        self.unknown > 0
    }

    /// Whether to say that a key is missing: not when it is there under a misspelt name, which has been noted.
    pub(super) fn misses(&self, key: &str) -> bool {
        self.value(key).is_none() && !self.meant.contains(&key)
    }
}

/// A path with its indexes and names left out, as the schema's paths are: `routes[].match`, `upstreams.*.balance`.
fn pattern(path: &str) -> String {
    let mut pattern = String::new();
    for (index, step) in path.split('.').enumerate() {
        let step = match step.split_once('[') {
            Some(("upstreams", _)) => "upstreams.*".to_owned(),
            Some((name, _)) => format!("{name}[]"),
            None if index == 1 && pattern == "upstreams" => "*".to_owned(),
            None => step.to_owned(),
        };
        if index > 0 {
            pattern.push('.');
        }
        pattern.push_str(&step);
    }
    pattern
}
