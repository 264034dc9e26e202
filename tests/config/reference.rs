//! conf/reference.yaml and conf/schema.json say what the code does: every key, every default, nothing else.

use evenkeel::config::{self, Config};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

pub(crate) const REFERENCE: &str = "conf/reference.yaml";

pub(crate) fn reference() -> Value {
    let text = fs::read_to_string(REFERENCE).expect("conf/reference.yaml");
    serde_yaml::from_str(&text).expect("YAML")
}

fn load(file: &Value) -> Result<Config, config::Faults> {
    let surroundings = config::Surroundings {
        folder: std::path::Path::new(""),
        environment: &|_| None,
        files: &|path| fs::read(Path::new("conf").join(path)),
        vocabulary: &config::Vocabulary::default(),
    };
    config::parse_with(REFERENCE, &file.to_string(), &surroundings).map(config::Checked::into_inner)
}

/// A place in the reference: the way to it in the file, and the schema's path.
pub(crate) struct Place {
    pub(crate) pointer: String,
    pub(crate) path: String,
}

/// Every key in `value`, from the top down.
pub(crate) fn places(value: &Value) -> Vec<Place> {
    let mut found = Vec::new();
    collect(
        value,
        &Place {
            pointer: String::new(),
            path: String::new(),
        },
        &mut found,
    );
    found
}

fn collect(value: &Value, at: &Place, found: &mut Vec<Place>) {
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        let below = Place {
            pointer: format!("{}/{index}", at.pointer),
            path: format!("{}[]", at.path),
        };
        collect(item, &below, found);
    }
    for (key, item) in value.as_object().into_iter().flatten() {
        let path = if at.path.is_empty() {
            key.clone()
        } else {
            format!("{}.{key}", at.path)
        };
        let free = format!("{}.*", at.path);
        let is_free = [
            "upstreams.*",
            "routes[].match.headers.*",
            "routes[].match.query.*",
            "routes[].respond.headers.*",
            "routes[].respond.json.*",
        ]
        .contains(&free.as_str())
            || ["_headers.set.*", "_headers.add.*"]
                .iter()
                .any(|end| free.ends_with(end));
        let below = Place {
            pointer: format!("{}/{key}", at.pointer),
            path: if is_free { free } else { path },
        };
        collect(item, &below, found);
        if !is_free {
            found.push(below);
        }
    }
}

fn known_paths() -> BTreeSet<String> {
    config::paths().into_iter().collect()
}

/// The default that the schema states for a path, if it has one.
pub(crate) fn default_of(path: &str) -> Option<Value> {
    let schemas = schemas_of(path);
    schemas
        .iter()
        .find_map(|schema| schema.get("default").cloned())
}

/// What the schema has for a path, in each of the forms that it can have there.
pub(crate) fn schemas_of(path: &str) -> Vec<Value> {
    let mut at = vec![config::schema()];
    let path = path.replace("[]", ".[]");
    for step in path.split('.').filter(|step| !step.is_empty()) {
        at = at
            .iter()
            .flat_map(choices)
            .filter_map(|schema| match step {
                "[]" => schema.get("items").cloned(),
                "*" => schema.get("additionalProperties").cloned(),
                key => schema["properties"].get(key).cloned(),
            })
            .collect();
    }
    at.iter().flat_map(choices).collect()
}

fn choices(schema: &Value) -> Vec<Value> {
    let mut all = vec![schema.clone()];
    all.extend(
        schema["anyOf"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(choices),
    );
    all
}

/// The file without the key at this pointer.
fn without(file: &Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a key");
    let mut file = file.clone();
    if let Some(section) = file.pointer_mut(parent).and_then(Value::as_object_mut) {
        section.remove(key);
    }
    file
}

#[test]
fn the_reference_is_a_good_file() {
    config::load(REFERENCE.as_ref()).unwrap_or_else(|faults| panic!("{faults}"));
}

#[test]
fn every_key_stands_in_the_reference_and_none_other() {
    let known = known_paths();
    let written: BTreeSet<String> = places(&reference())
        .into_iter()
        .map(|place| place.path)
        .collect();
    assert!(known.len() > 60, "only {} keys", known.len());
    assert_eq!(written, known);
}

#[test]
fn what_has_a_default_stands_in_the_reference_at_that_default() {
    let file = reference();
    let mut at_default: BTreeMap<String, bool> = BTreeMap::new();
    for place in places(&file) {
        let Some(default) =
            default_of(&place.path).filter(|default| *default != Value::Array(Vec::new()))
        else {
            continue;
        };
        // A second upstream may show another value.
        let found = file.pointer(&place.pointer) == Some(&default);
        *at_default.entry(place.path).or_default() |= found;
    }
    assert!(at_default.len() > 25, "only {} defaults", at_default.len());
    let elsewhere: Vec<_> = at_default.iter().filter(|(_, found)| !**found).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[test]
fn leaving_a_key_out_is_the_same_as_writing_its_default() {
    let file = reference();
    let whole = format!("{:?}", load(&file).expect("the reference"));
    for place in places(&file) {
        let same = load(&without(&file, &place.pointer))
            .is_ok_and(|config| format!("{config:?}") == whole);
        let is_default = default_of(&place.path).as_ref() == file.pointer(&place.pointer);
        // A filter that stands there with its defaults is another thing than none.
        let section = place.path.rsplit_once('.');
        let is_filter = section.is_some_and(|(section, _)| section.ends_with("filters[]"));
        let holds_only_defaults = !is_filter
            && file
                .pointer(&place.pointer)
                .is_some_and(|value| only_defaults(value, &place));
        assert_eq!(same, is_default || holds_only_defaults, "{}", place.path);
    }
}

/// Whether this is a section in which every key is at its default.
fn only_defaults(section: &Value, at: &Place) -> bool {
    let keys = section.as_object().filter(|section| !section.is_empty());
    keys.is_some_and(|keys| {
        keys.iter().all(|(key, value)| {
            let below = Place {
                pointer: String::new(),
                path: format!("{}.{key}", at.path),
            };
            default_of(&below.path).as_ref() == Some(value) || only_defaults(value, &below)
        })
    })
}

#[test]
fn no_key_is_accepted_and_ignored() {
    let file = reference();
    // Every value is good JSON.
    let is_free = |place: &Place| place.path == "routes[].respond.json";
    for place in places(&file).into_iter().filter(|place| !is_free(place)) {
        let mut spoiled = file.clone();
        if let Some(value) = spoiled.pointer_mut(&place.pointer) {
            *value = serde_json::json!({"gizmo": []});
        }
        let faults = load(&spoiled).expect_err(&place.path);
        let first = place.path.split(['.', '[']).next().unwrap_or_default();
        assert!(
            faults.iter().any(|fault| fault.path.starts_with(first)),
            "{}: {faults}",
            place.path
        );
    }
}

#[test]
fn every_key_is_documented_in_the_schema() {
    fn check(schema: &Value, path: &str) {
        for (key, below) in schema["properties"].as_object().into_iter().flatten() {
            let about = below["description"].as_str().unwrap_or_default();
            assert!(
                about.ends_with('.'),
                "{path}.{key} has no sentence about it: {about:?}"
            );
            check(below, &format!("{path}.{key}"));
        }
        for below in ["items", "additionalProperties"]
            .iter()
            .filter_map(|key| schema.get(key))
        {
            check(below, path);
        }
        for choice in schema["anyOf"].as_array().into_iter().flatten() {
            check(choice, path);
        }
    }
    check(&config::schema(), "");
}

#[test]
fn the_committed_schema_is_the_code_s() {
    let text = fs::read_to_string("conf/schema.json").expect("conf/schema.json");
    let committed: Value = serde_json::from_str(&text).expect("JSON");
    // Not `assert_eq!`: two whole schemas would bury the advice.
    assert!(
        committed == config::schema(),
        "conf/schema.json is out of date; write the output of `evenkeel schema` to it"
    );
}
