//! Choices that are written as one word out of a list, and lists of words in messages.

use super::diagnostic::closest;
use serde_json::json;

/// "`a`, `b` or `c`".
pub(super) fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// A word out of a list, or the message that it is none.
pub(super) fn word_of<T: Clone>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(value.clone());
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let advice = match closest(text, names.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => format!("write {}", alternatives(&names)),
    };
    Err(format!("{text:?} is not one of the words here; {advice}"))
}

/// The word for a value of such a list.
pub(super) fn show_word<T: PartialEq>(value: &T, words: &[(&str, T)]) -> serde_json::Value {
    json!(
        words
            .iter()
            .find(|(_, known)| known == value)
            .map(|(word, _)| *word)
    )
}

/// A JSON value as YAML on one line.
pub(super) fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
