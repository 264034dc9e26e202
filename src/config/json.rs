//! JSON in the file: a value as YAML writes it, in whose texts variables may stand.
//!
//! What it will look like is worked out here, but for the variables. Text stays text, whatever it looks like and wherever
//! it comes from: a version `1.10` out of the environment must not become the number 1.1.

use super::environment::Dollar;
use super::filter::on_request;
use super::read::Read;
use super::reader::Reader;
use super::tree::{Tree, Value};
use crate::template::{Template, Values, Variable};
use serde_json::json;

/// A JSON text, in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(pub Vec<JsonPart>);

/// A piece of a JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonPart {
    /// This, as it is.
    Plain(String),
    /// What is made of this, escaped for the inside of a string.
    Text(Template),
}

const EXAMPLE: &str = "{ status: ok }";

impl Json {
    fn plain(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(JsonPart::Plain(last)) => last.push_str(text),
            _ => self.0.push(JsonPart::Plain(text.to_owned())),
        }
    }

    fn read_value(&mut self, tree: &Tree, reader: &mut Reader<'_>) {
        match &tree.value {
            Value::Null => self.plain("null"),
            Value::Bool(value) => self.plain(&value.to_string()),
            Value::Integer(number) => self.plain(&number.to_string()),
            Value::Float(number) if number.is_finite() => self.plain(&json!(number).to_string()),
            Value::Float(number) => reader.fault(
                tree,
                format!("JSON knows no number {number}; write `null`, or put it in quotes"),
            ),
            Value::Text(_) => {
                if let Some(text) = reader.text(tree, Dollar::Template, true, "some text") {
                    self.read_text(&text, tree, reader);
                }
            }
            Value::List(items) => {
                self.plain("[");
                for (index, item) in items.iter().enumerate() {
                    self.plain(if index == 0 { "" } else { "," });
                    reader.element(index, |reader| self.read_value(item, reader));
                }
                self.plain("]");
            }
            Value::Mapping(_) => {
                self.plain("{");
                let entries = reader.entries(tree, EXAMPLE).unwrap_or_default();
                for (index, (key, _, value)) in entries.into_iter().enumerate() {
                    self.plain(if index == 0 { "" } else { "," });
                    self.plain(&json!(key).to_string());
                    self.plain(":");
                    reader.under(&key, |reader| self.read_value(value, reader));
                }
                self.plain("}");
            }
        }
    }

    /// A template is one line; a text may have several, and other control characters.
    fn read_text(&mut self, text: &str, tree: &Tree, reader: &mut Reader<'_>) {
        self.plain("\"");
        let is_border = |letter: char| letter.is_control();
        for line in text.split_inclusive(is_border) {
            let (line, border) = match line.char_indices().next_back() {
                Some((at, letter)) if is_border(letter) => line.split_at(at),
                _ => (line, ""),
            };
            match on_request(line) {
                Ok(template) => {
                    let place = reader.place(tree);
                    reader.note_path_groups(&place, &template);
                    self.template(template);
                }
                Err(message) => reader.fault(tree, message),
            }
            self.plain(inner(&json!(border).to_string()));
        }
        self.plain("\"");
    }

    fn template(&mut self, template: Template) {
        if template.variables().next().is_some() {
            self.0.push(JsonPart::Text(template));
            return;
        }
        let mut text = Vec::new();
        template.render(&Nothing, &mut text);
        let text = String::from_utf8_lossy(&text);
        self.plain(inner(&json!(text).to_string()));
    }
}

/// What stands between the quotes.
fn inner(quoted: &str) -> &str {
    let inner = quoted.strip_prefix('"');
    inner
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(quoted)
}

struct Nothing;

impl Values for Nothing {
    fn append(&self, _: &Variable, _: &mut Vec<u8>) {}
}

impl Read for Json {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(tree.value, Value::Null) {
            reader.wrong_kind(tree, "a value", EXAMPLE);
            return None;
        }
        let faults = reader.count();
        let mut json = Json(Vec::new());
        json.read_value(tree, reader);
        (reader.count() == faults).then_some(json)
    }

    fn schema() -> serde_json::Value {
        json!({})
    }

    fn example() -> String {
        EXAMPLE.to_owned()
    }
}
