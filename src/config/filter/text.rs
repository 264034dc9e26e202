//! Texts with variables in filters: which variables are known where.
//!
//! A variable that has no value yet would be an empty text for every request. So those that an answer brings are refused
//! in a filter that sees the request, and those that only the end brings are refused everywhere.

use crate::config::early::{is_known_early, variable_name};
use crate::config::environment::Dollar;
use crate::config::read::Word;
use crate::template::{Template, Variable};
use serde_json::json;

/// A header's value, made when the request comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestText(pub Template);

/// A header's value, made when the answer comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseText(pub Template);

/// A path, made when the request comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathText(pub Template);

impl Word for RequestText {
    const EXAMPLE: &'static str = "$remote_addr";
    const DOLLAR: Dollar = Dollar::Template;
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        refuse_outer_space(text)?;
        on_request(text).map(RequestText)
    }

    fn template(&self) -> Option<&Template> {
        Some(&self.0)
    }
}

impl Word for ResponseText {
    const EXAMPLE: &'static str = "$upstream_addr";
    const DOLLAR: Dollar = Dollar::Template;
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        refuse_outer_space(text)?;
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        if let Some(late) = template
            .variables()
            .find(|variable| !is_known_late(variable))
        {
            return Err(format!(
                "${} is not known yet when the answer's head is sent; write another variable",
                variable_name(late)
            ));
        }
        Ok(ResponseText(template))
    }

    fn template(&self) -> Option<&Template> {
        Some(&self.0)
    }
}

impl Word for PathText {
    const EXAMPLE: &'static str = "/x";
    const DOLLAR: Dollar = Dollar::Template;
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with(['/', '$']) {
            return Err(format!("{text:?} is no path; it starts with a slash"));
        }
        refuse_what_is_no_path(text)?;
        on_request(text).map(PathText)
    }

    fn template(&self) -> Option<&Template> {
        Some(&self.0)
    }

    fn schema() -> serde_json::Value {
        json!({"type": "string"})
    }
}

/// A template of variables that are known when a request comes.
pub(in crate::config) fn on_request(text: &str) -> Result<Template, String> {
    let template = Template::parse(text).map_err(|error| error.to_string())?;
    if let Some(late) = template.variables().find(|variable| !is_known(variable)) {
        return Err(format!(
            "${} is not known yet when a request comes; \
write a variable of the request, such as $remote_addr or $http_NAME",
            variable_name(late)
        ));
    }
    Ok(template)
}

/// Refuses a text in which something stands that no path can hold; variables are left alone.
pub(super) fn refuse_what_is_no_path(text: &str) -> Result<(), String> {
    if text.contains(['?', '#']) {
        return Err(format!(
            "{text:?} holds a query; a rewrite changes the path alone, and the query stays"
        ));
    }
    let may_stand =
        |letter: char| letter.is_ascii_alphanumeric() || "/%-._~!$&'()*+,;=:@".contains(letter);
    match without_braces(text)
        .chars()
        .find(|letter| !may_stand(*letter))
    {
        None => Ok(()),
        Some(letter) => Err(format!(
            "{letter:?} cannot stand in a path as it is; write it percent-encoded, such as `%20` for a space"
        )),
    }
}

/// The text without what stands as `${…}` in it.
fn without_braces(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once("${") {
        plain.push_str(before);
        rest = reference.split_once('}').map_or("", |(_, after)| after);
    }
    plain + rest
}

fn refuse_outer_space(text: &str) -> Result<(), String> {
    if text.trim() == text {
        return Ok(());
    }
    Err(format!(
        "{text:?} starts or ends with a space, which headers cannot hold; remove it"
    ))
}

/// Whether a variable has its value when a request comes. The times are this moment's.
fn is_known(variable: &Variable) -> bool {
    use Variable as V;
    let is_time = matches!(variable, V::Milliseconds | V::TimeIso8601 | V::TimeLocal);
    is_time || (is_known_early(variable) && *variable != V::Upstream)
}

/// Whether a variable has its value when the answer's head is there.
fn is_known_late(variable: &Variable) -> bool {
    use Variable as V;
    is_known(variable)
        || matches!(
            variable,
            V::Upstream
                | V::UpstreamAddress
                | V::UpstreamStatus
                | V::UpstreamConnectTime
                | V::UpstreamHeaderTime
                | V::Attempts
                | V::Status
                | V::RequestTime
                | V::Error
                | V::UpstreamHeader(_)
        )
}
