//! What can stand in the file, as the schema says: every key, and every word of a choice.

use std::collections::BTreeSet;

use evenkeel::config;
use serde_json::Value;

/// All paths: `upstreams.*.retry.on`, and with a word of it `upstreams.*.retry.on[]: timeout`. A filter and its keys have one path,
/// `filters[].rewrite.to`, for the three places in which filters stand.
pub(super) fn of_the_schema() -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let schema = config::schema();
    collect(&schema, &schema, "", &mut paths);
    paths
}

fn collect(root: &Value, schema: &Value, path: &str, paths: &mut BTreeSet<String>) {
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = match path {
            "" => key.clone(),
            path => canonical(&format!("{path}.{key}")),
        };
        collect(root, below, &path, paths);
        paths.insert(path);
    }
    for (below, step) in [("items", "[]"), ("additionalProperties", ".*")] {
        if schema[below].is_object() {
            collect(root, &schema[below], &format!("{path}{step}"), paths);
        }
    }
    for choices in ["anyOf", "oneOf", "allOf"] {
        for choice in schema[choices].as_array().into_iter().flatten() {
            collect(root, choice, path, paths);
        }
    }
    let words = schema["enum"].as_array().into_iter().flatten();
    for word in words.chain(schema.get("const")) {
        let word = word
            .as_str()
            .map_or_else(|| word.to_string(), str::to_owned);
        paths.insert(format!("{path}: {word}"));
    }
    if let Some(pointer) = schema["$ref"].as_str().and_then(|to| to.strip_prefix('#')) {
        let referred = root
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{pointer} leads nowhere"));
        collect(root, referred, path, paths);
    }
}

/// `routes[].filters[].rewrite` is `filters[].rewrite`; `routes[].filters` stays, as one of the three places.
fn canonical(path: &str) -> String {
    for place in ["listeners[].filters[].", "routes[].filters[]."] {
        if let Some(rest) = path.strip_prefix(place) {
            return format!("filters[].{rest}");
        }
    }
    path.to_owned()
}
