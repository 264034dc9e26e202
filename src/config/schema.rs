//! The file's schema, for editors (`evenkeel schema`) and for the tests that hold documentation and code together.
//!
//! It is put together from what the types say of themselves (`Read::schema`); nothing about any key stands here, but
//! which keys of the contract are not built yet, so that an operator who has read of one is not told that it is a typo.

use super::file::File;
use super::read::Read;
use super::vocabulary::Vocabulary;
use serde_json::{Map, Value, json};

/// Keys that will exist in a later version, as paths; each is refused until it does.
pub(super) const NOT_BUILT: &[&str] = &["admin", "server.upgrade_socket"];

/// Keys that other programs have, and what says here what they would say.
pub(super) const SAID_ELSEWHERE: &[(&str, &str)] = &[(
    "listeners[].tls.alpn",
    "the listener's `protocols` say what the handshake offers; remove this, and write there for example `protocols: [http1]`",
)];

/// The JSON Schema of the file (draft 2020-12).
pub fn schema() -> Value {
    let mut schema = File::schema();
    if let Some(root) = schema.as_object_mut() {
        root.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        root.insert("title".to_owned(), json!("Evenkeel configuration"));
    }
    schema
}

/// As [`schema`], for a program with words of its own. What stands under them is not described.
pub fn schema_with(vocabulary: &Vocabulary) -> Value {
    let mut schema = schema();
    let anything = json!({"description": "A part of this program."});
    for place in [
        "/properties/filters",
        "/properties/listeners/items/properties/filters",
        "/properties/routes/items/properties/filters",
    ] {
        let names = schema.pointer_mut(&format!("{place}/items/properties"));
        if let Some(names) = names.and_then(Value::as_object_mut) {
            names.extend(
                vocabulary
                    .filters
                    .names()
                    .map(|name| (name.to_owned(), anything.clone())),
            );
        }
    }
    let balance = "/properties/upstreams/additionalProperties/properties/balance/anyOf";
    if let Some(forms) = schema.pointer_mut(balance).and_then(Value::as_array_mut) {
        for name in vocabulary.policies.names() {
            forms.push(json!({"const": name}));
            let mut with_arguments = Section::new("A policy of this program.");
            with_arguments.key(name, "Its settings.", json!({}), None, true);
            forms.push(with_arguments.finish());
        }
    }
    schema
}

/// Every path of the file, sorted: `listeners[].address`, `upstreams.*.balance`.
pub fn paths() -> Vec<String> {
    let mut paths = Vec::new();
    collect(&File::schema(), "", &mut paths);
    paths.sort();
    paths.dedup();
    paths
}

fn collect(schema: &Value, path: &str, paths: &mut Vec<String>) {
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        collect(below, &path, paths);
        paths.push(path);
    }
    if schema["items"].is_object() {
        collect(&schema["items"], &format!("{path}[]"), paths);
    }
    if schema["additionalProperties"].is_object() {
        collect(&schema["additionalProperties"], &format!("{path}.*"), paths);
    }
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        collect(choice, path, paths);
    }
}

/// The schema of one section, put together key by key.
pub(super) struct Section {
    about: String,
    properties: Map<String, Value>,
    required: Vec<Value>,
}

impl Section {
    pub(super) fn new(about: &str) -> Self {
        Section {
            about: sentence(about),
            properties: Map::new(),
            required: Vec::new(),
        }
    }

    /// Adds a key. `about` is its documentation.
    pub(super) fn key(
        &mut self,
        key: &str,
        about: &str,
        mut schema: Value,
        default: Option<Value>,
        required: bool,
    ) {
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), json!(sentence(about)));
            if let Some(default) = default {
                schema.insert("default".to_owned(), default);
            }
        }
        self.properties.insert(key.to_owned(), schema);
        if required {
            self.required.push(json!(key));
        }
    }

    pub(super) fn finish(self) -> Value {
        let mut schema = json!({
            "type": "object",
            "description": self.about,
            "properties": self.properties,
            "additionalProperties": false,
        });
        if !self.required.is_empty() {
            schema["required"] = Value::Array(self.required);
        }
        schema
    }
}

/// Documentation as one line: the lines of a comment are joined.
fn sentence(comment: &str) -> String {
    comment.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The schema of text that must look like this, or come from the environment.
pub(super) fn text_like(pattern: &str) -> Value {
    json!({"type": "string", "pattern": format!("{pattern}|\\$\\{{")})
}

/// The schema of one of these words, or a value from the environment.
pub(super) fn one_of<T>(words: &[(&str, T)]) -> Value {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    json!({"anyOf": [{"enum": words}, {"type": "string", "pattern": "\\$\\{"}]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_built_and_said_not_to_be() {
        let paths = paths();
        let both: Vec<_> = NOT_BUILT
            .iter()
            .filter(|path| paths.iter().any(|built| built == *path))
            .collect();
        assert!(both.is_empty(), "{both:?}");
    }
}
