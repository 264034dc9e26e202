//! docs/configuration.md describes every key, with five fields each, as the schema and the loader have it.
//!
//! The page is written by hand, since what a key is good for stands in no schema. What can be compared is compared here: that no key is
//! missing and none is left over, the fields and their order, the defaults, and that each example is a good piece of a file.

use super::reference::{self, Place, default_of, places};
use evenkeel::config;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const PAGE: &str = "docs/configuration.md";
const FIELDS: [&str; 5] = ["Syntax", "Default", "Where", "Meaning", "Example"];

/// What the page says of one key.
#[derive(Debug)]
struct Entry {
    /// As in the schema: `upstreams.*.balance`.
    path: String,
    line: usize,
    fields: Vec<(String, String)>,
}

impl Entry {
    fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, text)| text)
    }

    fn place(&self) -> String {
        format!("{PAGE}:{}: `{}`", self.line, self.path)
    }
}

/// The entries: a heading that is a path, and the list below it. Other headings are about something else.
fn entries() -> Vec<Entry> {
    let known = documented();
    let page = fs::read_to_string(PAGE).expect(PAGE);
    let mut entries: Vec<Entry> = Vec::new();
    let mut is_open = false;
    for (text, line) in page.lines().zip(1..) {
        if text.starts_with('#') {
            let heading = text.trim_start_matches('#').trim();
            let path = heading.trim_matches('`').replace("NAME", "*");
            // One that looks like a path and is none is left over.
            let is_path = heading.starts_with('`') || known.contains(&path);
            is_open = is_path;
            if is_path {
                let fields = Vec::new();
                entries.push(Entry { path, line, fields });
            }
        }
        let field = text.strip_prefix("- ").filter(|_| is_open);
        let field = field.and_then(|text| text.split_once(": "));
        if let (Some((name, text)), Some(entry)) = (field, entries.last_mut()) {
            entry.fields.push((name.to_owned(), text.trim().to_owned()));
        }
    }
    // `## filters` has its entry below it.
    entries.retain(|entry| !entry.fields.is_empty() || page_has_no_other(&page, entry));
    entries
}

fn page_has_no_other(page: &str, entry: &Entry) -> bool {
    let other = format!("### `{}`", entry.path.replace('*', "NAME"));
    page.lines()
        .zip(1..)
        .all(|(text, line)| line == entry.line || text != other)
}

/// The one path under which a key is described that can stand at several places.
fn described_as(path: &str) -> String {
    for (place, instead) in [
        ("listeners[].filters[].", "filters[]."),
        ("routes[].filters[].", "filters[]."),
        ("routes[].forwarded.", "forwarded."),
        ("routes[].split[].", "routes[].split.between[]."),
    ] {
        if let Some(rest) = path.strip_prefix(place) {
            return format!("{instead}{rest}");
        }
    }
    path.to_owned()
}

fn documented() -> BTreeSet<String> {
    config::paths()
        .iter()
        .map(|path| described_as(path))
        .collect()
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_key_is_described_once_and_none_that_is_not_there() {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries() {
        *count.entry(entry.path).or_default() += 1;
    }
    let known = documented();
    assert!(known.len() > 100, "only {} keys", known.len());
    let missing = known.iter().filter(|path| !count.contains_key(*path));
    let missing = missing.map(|path| {
        let heading = path.replace('*', "NAME");
        format!("{PAGE} does not describe `{path}`; add `### `{heading}`` with the five fields")
    });
    let stale = count.keys().filter(|path| !known.contains(*path));
    let stale = stale.map(|path| format!("{PAGE} describes `{path}`, which is no key; remove it"));
    let twice = count.iter().filter(|(_, count)| **count > 1);
    let twice = twice.map(|(path, _)| format!("{PAGE} describes `{path}` twice; keep one"));
    assert_none(&missing.chain(stale).chain(twice).collect::<Vec<_>>());
}

#[test]
fn every_description_has_the_five_fields_in_their_order() {
    let complaints = entries().into_iter().filter_map(|entry| {
        let names: Vec<_> = entry.fields.iter().map(|(name, _)| name.as_str()).collect();
        let is_whole = names == FIELDS && entry.fields.iter().all(|(_, text)| !text.is_empty());
        (!is_whole).then(|| format!("{} has the fields {names:?}, not {FIELDS:?}", entry.place()))
    });
    assert_none(&complaints.collect::<Vec<_>>());
}

/// The first text in backticks, when the field begins with it.
fn first_code(text: &str) -> Option<&str> {
    text.strip_prefix('`')?
        .split_once('`')
        .map(|(code, _)| code)
}

#[test]
fn every_default_is_that_of_the_schema() {
    let complaints = entries().into_iter().filter_map(|entry| {
        let written = entry.field("Default");
        let code = first_code(written);
        let value: Option<Value> = code.and_then(|code| serde_yaml::from_str(code).ok());
        let expected = match (default_of(&entry.path), is_required(&entry.path)) {
            (Some(default), _) if value.as_ref() != Some(&default) => format!("`{default}`"),
            (None, true) if written != "required" => "required".to_owned(),
            (None, false) if written.starts_with("required") => "not required".to_owned(),
            // What switches a section off, and nothing at all, are no defaults in the schema.
            (None, false) if !matches!(code, None | Some("off" | "{}")) => {
                "without a value".to_owned()
            }
            _ => return None,
        };
        Some(format!(
            "{}: the default is {expected}, and not {written}",
            entry.place()
        ))
    });
    assert_none(&complaints.collect::<Vec<_>>());
}

/// Whether a key must be there. Where a mapping can have one key only, as in `{ exact: /x }`, the key is a choice.
fn is_required(path: &str) -> bool {
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    let sections = reference::schemas_of(section);
    sections.iter().any(|section| {
        let required = section["required"].as_array();
        let is_choice = section["properties"]
            .as_object()
            .is_some_and(|keys| keys.len() == 1);
        !is_choice && required.is_some_and(|keys| keys.contains(&json!(key)))
    })
}

/// The examples stand in the reference, in the place of what it has there; so each has around it what it needs.
#[test]
fn every_example_is_a_good_piece_of_a_file() {
    let file = around();
    let places = places(&file);
    let mut complaints = Vec::new();
    for entry in entries() {
        let examples: Vec<_> = entry
            .field("Example")
            .split('`')
            .skip(1)
            .step_by(2)
            .collect();
        if examples.is_empty() {
            complaints.push(format!("{} has no example in backticks", entry.place()));
        }
        for example in examples {
            let place = places.iter().find(|place| place.path == entry.path);
            let outcome = place
                .ok_or_else(|| "it does not stand in the reference".to_owned())
                .and_then(|place| put(&file, place, example))
                .and_then(|file| load(&file));
            if let Err(reason) = outcome {
                complaints.push(format!("{}: `{example}`: {reason}", entry.place()));
            }
        }
    }
    assert_none(&complaints);
}

/// The reference, with the upstreams and the proxies in front that the page speaks of.
fn around() -> Value {
    let mut file = reference::reference();
    for name in ["stable", "canary"] {
        file["upstreams"][name] = json!({"backends": ["127.0.0.1:8001"]});
    }
    file["trusted_proxies"] = json!(["10.0.0.0/8"]);
    file
}

/// The file with the example in it: `KEY: VALUE`, where it may have more keys of the section, or begin at the section's own key.
fn put(file: &Value, place: &Place, example: &str) -> Result<Value, String> {
    let example: Value = serde_yaml::from_str(example).map_err(|error| error.to_string())?;
    let example = match example {
        Value::Array(mut items) if items.len() == 1 => items.remove(0),
        example => example,
    };
    let (section, key) = place.pointer.rsplit_once('/').unwrap_or_default();
    let Some(keys) = example.as_object() else {
        return Err(format!("write it as `{key}: VALUE`"));
    };
    let section = match keys.contains_key(key) {
        true => section,
        false => section.rsplit_once('/').unwrap_or_default().0,
    };
    let mut file = file.clone();
    let target = file.pointer_mut(section).and_then(Value::as_object_mut);
    merge(target.ok_or("there is no such section")?, keys);
    Ok(file)
}

fn merge(section: &mut Map<String, Value>, keys: &Map<String, Value>) {
    for (key, value) in keys {
        match (section.get_mut(key), value) {
            // The routes of the reference lead to those that it has.
            (Some(Value::Object(all)), Value::Object(more)) if key == "upstreams" => {
                all.extend(more.clone());
            }
            _ => drop(section.insert(key.clone(), value.clone())),
        }
    }
    // It says of itself that `ca` has then no effect.
    if section.get("verify") == Some(&json!(false)) {
        section.remove("ca");
    }
}

/// With the reference's files for whatever a file is called.
fn load(file: &Value) -> Result<(), String> {
    let content = |path: &Path| {
        let name = path.to_string_lossy().into_owned();
        let of_the_reference = match name {
            name if name.ends_with(".key") => "client.key",
            name if name.contains("htpasswd") || name.contains("users") => "users.htpasswd",
            name if name.contains("ca") => "ca.pem",
            _ => "client.pem",
        };
        fs::read(Path::new("conf/example").join(of_the_reference))
    };
    let surroundings = config::Surroundings {
        folder: std::path::Path::new(""),
        environment: &|_| None,
        files: &content,
        vocabulary: &config::Vocabulary::default(),
    };
    config::parse_with(PAGE, &file.to_string(), &surroundings)
        .map(drop)
        .map_err(|faults| faults.to_string())
}

/// Whole files, and pieces that begin at the top level.
#[test]
fn every_block_of_yaml_is_a_good_file_or_a_piece_of_one() {
    let page = fs::read_to_string(PAGE).expect(PAGE);
    let blocks: Vec<_> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .collect();
    assert!(blocks.len() > 1, "only {} blocks", blocks.len());
    for (block, _) in blocks {
        let mut file = json!({
            "listeners": [{"address": "127.0.0.1:8080"}],
            "routes": [{"respond": {"status": 204}}],
        });
        let piece: Value = serde_yaml::from_str(block).expect(block);
        let (Some(file_keys), Some(keys)) = (file.as_object_mut(), piece.as_object()) else {
            panic!("no mapping: {block}");
        };
        file_keys.extend(keys.clone());
        load(&file).unwrap_or_else(|faults| panic!("{block}\n{faults}"));
    }
}
