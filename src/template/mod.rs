//! Text with variables, such as `$host:$server_port`, compiled once and rendered many times.
//!
//! Header values, redirects, hash keys and log formats are all written in this one small language,
//! whose names are nginx's. A template is parsed where the file is read, because only there are
//! line and column known; afterwards it is a list of parts, and a fault in it can no longer happen.
//! Rendering appends to the caller's buffer and allocates nothing itself. There are no expressions,
//! defaults or conditions, on purpose: what a template may say must be plain to whoever reads the
//! file.
//!
//! Rendering knows nothing about escaping: that is a matter of where the text goes (see
//! `observe::access_log`).
//!
//! ```
//! use evenkeel::template::{Template, Values, Variable};
//!
//! struct Request;
//!
//! impl Values for Request {
//!     fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
//!         match variable {
//!             Variable::Host => out.extend_from_slice(b"example.com"),
//!             Variable::ServerPort => out.extend_from_slice(b"8080"),
//!             _ => {}
//!         }
//!     }
//! }
//!
//! let template = Template::parse("$host:$server_port costs $$1")?;
//! let mut out = Vec::new();
//! template.render(&Request, &mut out);
//! assert_eq!(out, b"example.com:8080 costs $1");
//!
//! let error = Template::parse("http://$hots/").unwrap_err();
//! assert_eq!(error.offset, 7);
//! assert_eq!(error.to_string(), "there is no variable $hots; did you mean $host?");
//! # Ok::<(), evenkeel::template::TemplateError>(())
//! ```

mod variable;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

use self::variable::Unknown;
pub use self::variable::{Entry, Kind, TABLE, Variable};

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Variable(Variable),
}

/// Whoever knows what the variables stand for at this moment.
pub trait Values {
    /// Appends the text of `variable` to `out`, and nothing if it has none.
    fn append(&self, variable: &Variable, out: &mut Vec<u8>);
}

impl Template {
    /// Compiles `text`, in which `$name` and `${name}` are variables and `$$` is a dollar.
    ///
    /// # Errors
    /// For an unknown variable, one without its argument, a `$` or `${` that leads nowhere, and a
    /// control character other than a tab, since whatever is rendered must stay one line.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        refuse_control_characters(text)?;
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            literal.push_str(&rest[..dollar]);
            let offset = text.len() - rest.len() + dollar;
            let after = &rest[dollar + 1..];
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let (name, after) =
                split_name(after).map_err(|fault| TemplateError { offset, fault })?;
            let variable = find(name).map_err(|fault| TemplateError { offset, fault })?;
            push_literal(&mut parts, &mut literal);
            parts.push(Part::Variable(variable));
            rest = after;
        }
        literal.push_str(rest);
        push_literal(&mut parts, &mut literal);
        Ok(Template { parts })
    }

    /// Appends the text to `out`, each variable as `values` gives it.
    pub fn render(&self, values: &impl Values, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => values.append(variable, out),
            }
        }
    }

    /// The variables in it, in order, repeated ones repeated.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            Part::Literal(_) => None,
        })
    }
}

/// Why a text is no template, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Bytes before the fault, counted from the start of the text; for a variable, its `$`.
    pub offset: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No variable has this name.
    UnknownVariable {
        /// The name as written, without `$`.
        name: String,
        /// The name that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// `$http_` and the like need the name of a header, cookie or argument after them.
    MissingArgument {
        /// The name as written, without `$`.
        name: String,
    },
    /// A `${` without its `}`.
    Unclosed,
    /// A `$` that no name follows.
    LoneDollar,
    /// A line break or another control character.
    ControlCharacter(char),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Fault::UnknownVariable {
                name,
                suggestion: Some(suggestion),
            } => {
                write!(
                    f,
                    "there is no variable ${name}; did you mean ${suggestion}?"
                )
            }
            Fault::UnknownVariable {
                name,
                suggestion: None,
            } => {
                write!(
                    f,
                    "there is no variable ${name}; write $$ if a dollar is meant"
                )
            }
            Fault::MissingArgument { name } => {
                write!(f, "${name} needs a name after it, as in ${name}example")
            }
            Fault::Unclosed => {
                f.write_str("`${` is never closed; write `${name}`, or $$ if a dollar is meant")
            }
            Fault::LoneDollar => {
                f.write_str("no name follows this `$`; write $$ if a dollar is meant")
            }
            Fault::ControlCharacter(character) => write!(
                f,
                "the control character {} does not belong into a template; put it on one line",
                character.escape_default()
            ),
        }
    }
}

impl std::error::Error for TemplateError {}

/// By this name the reader of the file sees that a text is a template, in which `$name` is a variable.
pub(crate) const NAME_FOR_SERDE: &str = "evenkeel::Template";

/// A template may stand in the settings of a filter or policy of one's own.
impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(NAME_FOR_SERDE, Text)
    }
}

struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Template;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text with variables, such as `$host`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Template, E> {
        Template::parse(text).map_err(E::custom)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Template, D::Error> {
        deserializer.deserialize_str(self)
    }
}

fn refuse_control_characters(text: &str) -> Result<(), TemplateError> {
    let offender = text
        .char_indices()
        .find(|(_, character)| character.is_control() && *character != '\t');
    match offender {
        Some((offset, character)) => Err(TemplateError {
            offset,
            fault: Fault::ControlCharacter(character),
        }),
        None => Ok(()),
    }
}

/// Splits what follows a `$` into the name and the rest.
fn split_name(text: &str) -> Result<(&str, &str), Fault> {
    let (name, rest) = match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}').ok_or(Fault::Unclosed)?,
        None => {
            let end = text
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(text.len());
            text.split_at(end)
        }
    };
    if name.is_empty() {
        Err(Fault::LoneDollar)
    } else {
        Ok((name, rest))
    }
}

fn find(name: &str) -> Result<Variable, Fault> {
    Variable::find(name).map_err(|unknown| match unknown {
        Unknown::Name { suggestion } => Fault::UnknownVariable {
            name: name.to_owned(),
            suggestion,
        },
        Unknown::Argument => Fault::MissingArgument {
            name: name.to_owned(),
        },
    })
}

fn push_literal(parts: &mut Vec<Part>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal).into_boxed_str()));
    }
}
