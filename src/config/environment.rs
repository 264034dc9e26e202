//! `${NAME}` and `${NAME:-default}`: values from the environment.
//!
//! They may stand in any scalar. In templates `${name}` is also how a variable is written, so there only names
//! without lower-case letters are the environment's; variables have no capitals. `$${` is a plain `${` everywhere.

use std::borrow::Cow;

/// What `$` means in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dollar {
    /// Nothing but environment values.
    Environment,
    /// Environment values, and variables, which are left alone.
    Template,
}

/// The text with environment values in place, or what is wrong with it.
pub(super) fn substitute<'t>(
    text: &'t str,
    dollar: Dollar,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'t, str>, String> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(found) = rest.find('$') {
        out.push_str(&rest[..found]);
        rest = &rest[found..];
        let (replacement, length) = match dollar {
            Dollar::Template if rest.starts_with("$$") => (Cow::Borrowed("$$"), 2),
            Dollar::Environment if rest.starts_with("$${") => (Cow::Borrowed("${"), 3),
            _ if rest.starts_with("${") => reference(rest, dollar, environment)?,
            _ => (Cow::Borrowed("$"), 1),
        };
        out.push_str(&replacement);
        rest = &rest[length..];
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// What the reference at the start of `rest` stands for, and its length.
fn reference<'t>(
    rest: &'t str,
    dollar: Dollar,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(Cow<'t, str>, usize), String> {
    let end = rest
        .find('}')
        .ok_or("`${` is not closed; add `}`, or write `$${` for a plain `${`")?;
    let whole = &rest[..=end];
    let inside = &rest[2..end];
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if dollar == Dollar::Template && default.is_none() && !is_capital(name) {
        return Ok((Cow::Borrowed(whole), whole.len()));
    }
    if !is_name(name) {
        return Err(format!(
            "`{whole}` names no environment variable; \
write `${{NAME}}` or `${{NAME:-default}}`, or `$${{` for a plain `${{`"
        ));
    }
    let value = environment(name).filter(|value| default.is_none() || !value.is_empty());
    match (value, default) {
        (Some(value), _) => Ok((Cow::Owned(value), whole.len())),
        (None, Some(default)) => Ok((Cow::Borrowed(default), whole.len())),
        (None, None) => Err(format!(
            "the environment variable {name} is not set; set it, or write `${{{name}:-default}}`"
        )),
    }
}

fn is_capital(name: &str) -> bool {
    !name.contains(|letter: char| letter.is_ascii_lowercase())
}

fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(letter)
        && name
            .bytes()
            .all(|byte| letter(byte) || byte.is_ascii_digit())
}
