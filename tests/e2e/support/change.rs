//! Another file than the test has written: how `keys` finds out that a test sees what a key does.
//!
//! A test that `keys` runs gets its program with one key left out of the file, or with another value of it, and must then
//! fail. The key is changed wherever it stands, and nothing else is. In an ordinary run nothing here does anything.

use std::io::Write;
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use evenkeel::config;
use serde_yaml::{Mapping, Value};

/// The variable that says what is changed: a path of the schema, ` | `, and how.
pub(crate) const CHANGE: &str = "E2E_CHANGE";

/// The variable that names the file in which is written what became of it.
pub(crate) const NOTE: &str = "E2E_CHANGE_NOTE";

/// What is noted: the program got another file, …
pub(crate) const CHANGED: &str = "changed";
/// … or one that means the same, …
pub(crate) const SAME: &str = "same";
/// … or would have refused it, and why.
pub(crate) const REFUSED: &str = "refused: ";

/// A test that sees the change often waits in vain.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait for what must come, in a run with a change.
pub(super) fn patience() -> Option<Duration> {
    env::var_os(CHANGE).map(|_| PATIENCE)
}

/// Changes the file at `path`, if this run is for that. What it names must be there.
pub(super) fn apply_to(path: &Path) {
    let Ok(row) = env::var(CHANGE) else {
        return;
    };
    let (key, how) = row.split_once(" | ").expect("a path and a change");
    let change = Change::parse(key, how);
    let text = fs::read_to_string(path).unwrap();
    let mut file: Value = serde_yaml::from_str(&text).unwrap();
    let before = meaning(path).unwrap_or_else(|faults| end_with(REFUSED, &faults));
    write(path, &file);
    assert_eq!(meaning(path).as_ref(), Ok(&before), "written anew");
    if change.apply(&mut file) == 0 {
        fs::write(path, text).unwrap();
        return;
    }
    write(path, &file);
    match meaning(path) {
        Err(faults) => end_with(REFUSED, &faults),
        // Another file of the same test may be one that it changes, or may have been.
        Ok(after) if after == before => note_first(SAME),
        Ok(_) => note(CHANGED),
    }
}

fn write(path: &Path, file: &Value) {
    fs::write(path, serde_yaml::to_string(file).unwrap()).unwrap();
}

/// The file as the program understands it, or why it does not.
fn meaning(path: &Path) -> Result<String, String> {
    match config::load(path) {
        Ok(config) => Ok(format!("{:?}", config.into_inner())),
        Err(faults) => Err(faults.to_string()),
    }
}

fn note(text: &str) {
    let mut note = fs::File::create(env::var_os(NOTE).unwrap()).unwrap();
    note.write_all(text.as_bytes()).unwrap();
}

fn note_first(text: &str) {
    if fs::exists(env::var_os(NOTE).unwrap()).is_ok_and(|is_there| !is_there) {
        note(text);
    }
}

/// By panicking, so that what the test has started ends as well.
fn end_with(what: &str, reason: &str) -> ! {
    let text = format!("{what}{reason}");
    note(&text);
    panic!("{text}");
}

/// What is done to one key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    places: Vec<Vec<Step>>,
    /// Only where this word is the value, or among the values.
    word: Option<String>,
    how: How,
}

#[derive(Clone, Debug, PartialEq)]
enum How {
    /// It is left out.
    Without,
    /// It gets this value.
    Instead(Value),
    /// It gets this value where it stands first, and stays elsewhere.
    First(Value),
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    /// Each element of a list.
    Items,
    /// Each value of a mapping with free keys.
    Entries,
}

impl Change {
    /// `path` is one of the schema's; a filter stands at three places.
    pub(crate) fn parse(path: &str, how: &str) -> Self {
        let (path, word) = match path.split_once(": ") {
            Some((path, word)) => (path, Some(word.to_owned())),
            None => (path, None),
        };
        let prefixes: &[&str] = match path.starts_with("filters[].") {
            true => &["", "listeners[].", "routes[]."],
            false => &[""],
        };
        let value = |text| serde_yaml::from_str(text).unwrap();
        Self {
            places: prefixes
                .iter()
                .map(|prefix| steps(&format!("{prefix}{path}")))
                .collect(),
            word,
            how: if let Some(text) = how.strip_prefix("instead: ") {
                How::Instead(value(text))
            } else if let Some(text) = how.strip_prefix("first: ") {
                How::First(value(text))
            } else {
                assert!(how == "without", "{how:?} is no change of a key");
                How::Without
            },
        }
    }

    /// At how many places it was done.
    fn apply(&self, file: &mut Value) -> usize {
        let mut count = 0;
        for steps in &self.places {
            walk(file, steps, &mut |section, key| {
                if matches!(self.how, How::First(_)) && count > 0 {
                    return;
                }
                count += usize::from(self.change(section, key));
            });
        }
        count
    }

    fn change(&self, section: &mut Mapping, key: &str) -> bool {
        let Some(found) = section.get_mut(key) else {
            return false;
        };
        let is_meant = |value: &Value| self.word.as_deref().is_none_or(|word| text(value) == word);
        if let Value::Sequence(items) = found
            && self.word.is_some()
        {
            if !items.iter().any(is_meant) {
                return false;
            }
            if self.how == How::Without {
                items.retain(|item| !is_meant(item));
                return true;
            }
        } else if !is_meant(found) {
            return false;
        }
        match &self.how {
            How::Without => drop(section.shift_remove(key)),
            How::Instead(value) | How::First(value) => found.clone_from(value),
        }
        true
    }
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let key = part.trim_end_matches("[]");
        steps.push(match key {
            "*" => Step::Entries,
            key => Step::Key(key.to_owned()),
        });
        if key.len() < part.len() {
            steps.push(Step::Items);
        }
    }
    // What can stand in a list is looked for in the list.
    if steps.last() == Some(&Step::Items) {
        steps.pop();
    }
    steps
}

/// Calls `change` for each section in which the key that `steps` lead to may stand.
fn walk(value: &mut Value, steps: &[Step], change: &mut dyn FnMut(&mut Mapping, &str)) {
    match (steps, value) {
        ([Step::Key(key)], Value::Mapping(section)) => change(section, key),
        ([Step::Key(key), rest @ ..], Value::Mapping(section)) => {
            if let Some(below) = section.get_mut(key.as_str()) {
                walk(below, rest, change);
            }
        }
        ([Step::Entries, rest @ ..], Value::Mapping(section)) => {
            for (_, below) in section.iter_mut() {
                walk(below, rest, change);
            }
        }
        ([Step::Items, rest @ ..], Value::Sequence(items)) => {
            for item in items.iter_mut() {
                walk(item, rest, change);
            }
            // A filter that was left out leaves nothing behind.
            items.retain(|item| item != &Value::Mapping(Mapping::new()));
        }
        _ => {}
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        _ => String::new(),
    }
}
