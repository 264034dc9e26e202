//! `rewrite`: another path for the backend.
//!
//! Groups of the expression and what is left of a path go on as the client sent them, byte for byte. `$uri` and groups of
//! the route's path were decoded, and are encoded again. Other variables are no path yet: in them everything that would
//! end a path or begin a segment is percent-encoded.
//!
//! A new path with a segment `..` that the client's did not have is refused: `^/files(.*)` to `/data$1` would otherwise
//! turn `/files../secret` into `/data../secret`, and `/files/$arg_name` leave the folder it was meant for. nginx's
//! `alias` has been wrong in this way for twenty years.

use crate::config::{self, Piece};
use crate::filter::{Answer, Denial, Facts, Filter, RequestHead, Verdict};
use crate::semantics::path::{
    decode_for_matching, encode_path, encode_segment, has_dot_segments, strip_prefix,
};
use crate::template::{Template, Values, Variable};
use regex::Regex;

/// The filter `rewrite`.
#[derive(Debug)]
pub(in crate::filter) enum Rewrite {
    StripPrefix(String),
    AddPrefix(String),
    Path(Template),
    Regex(Regex, Vec<Piece>),
}

impl Rewrite {
    pub(in crate::filter) fn new(written: &config::Rewrite) -> Self {
        use config::Rewrite as Written;
        match written {
            Written::StripPrefix(prefix) => {
                Rewrite::StripPrefix(decode_for_matching(prefix).into_owned())
            }
            Written::AddPrefix(prefix) => Rewrite::AddPrefix(prefix.clone()),
            Written::Path(path) => Rewrite::Path(path.0.clone()),
            Written::Regex(regex, pieces) => Rewrite::Regex(regex.0.clone(), pieces.clone()),
        }
    }

    /// The new path; none when the path stays.
    fn path(&self, path: &str, facts: &Facts<'_>) -> Option<String> {
        match self {
            Rewrite::StripPrefix(prefix) => match strip_prefix(path, prefix)? {
                "" => Some("/".to_owned()),
                rest => Some(rest.to_owned()),
            },
            Rewrite::AddPrefix(prefix) => Some(format!("{prefix}{path}")),
            Rewrite::Path(template) => Some(rooted(render(template, facts))),
            Rewrite::Regex(regex, pieces) => {
                let groups = regex.captures(path)?;
                let mut new = String::with_capacity(path.len() + 16);
                for piece in pieces {
                    match piece {
                        Piece::Group(number) => {
                            let group = groups.get(*number);
                            new.push_str(group.map_or("", |group| group.as_str()));
                        }
                        Piece::Text(template) => new.push_str(&render(template, facts)),
                    }
                }
                Some(rooted(new))
            }
        }
    }
}

impl Filter for Rewrite {
    fn request(&self, request: &mut RequestHead<'_>, facts: &Facts<'_>) -> Verdict {
        let path = request.path();
        // `OPTIONS *` asks for no path.
        if !path.starts_with('/') {
            return Verdict::Pass;
        }
        let Some(new) = self.path(path, facts) else {
            return Verdict::Pass;
        };
        let climbs = has_dot_segments(&new) && !has_dot_segments(path);
        if climbs || !request.set_path(&new) {
            return Answer::denied(Denial::Malformed).into();
        }
        Verdict::Pass
    }

    fn reads_upstream_headers(&self) -> bool {
        false
    }
}

fn rooted(path: String) -> String {
    if path.starts_with('/') {
        path
    } else {
        format!("/{path}")
    }
}

fn render(template: &Template, facts: &Facts<'_>) -> String {
    let mut out = Vec::with_capacity(64);
    template.render(&Encoded(facts), &mut out);
    // Whatever is not ASCII has been encoded.
    String::from_utf8_lossy(&out).into_owned()
}

/// Variables as they may stand in a path.
struct Encoded<'a>(&'a Facts<'a>);

impl Values for Encoded<'_> {
    fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
        let mut text = Vec::new();
        self.0.append(variable, &mut text);
        match variable {
            Variable::Path | Variable::PathGroup(_) => encode_path(&text, out),
            _ => encode_segment(&text, out),
        }
    }
}
