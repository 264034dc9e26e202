//! `cors`: which other origins' scripts may use this one.
//!
//! The CORS protocol of the Fetch standard (<https://fetch.spec.whatwg.org/#http-cors-protocol>). It is the browser that
//! holds scripts to it; here the browser is told. So nobody is kept out: the request of an origin that is not allowed
//! passes, and its answer says nothing that would let the script read it.
//!
//! A preflight, the question before a request that a plain page could not make, is answered here. What the backend says
//! of the matter is taken out of every answer: one word of its own beside ours (`Access-Control-Allow-Origin` twice)
//! makes browsers refuse both. Where all origins are allowed every answer says so; otherwise the answer depends on
//! `Origin`, and `Vary` says that, whether there was one or not, so that no cache hands one origin's answer to another.
//!
//! `*` for methods and headers is answered with what was asked for: that also covers `Authorization` and requests with
//! credentials, for which browsers take `*` literally.

use crate::config::{self, Allowed};
use crate::filter::{Answer, Facts, Filter, Name, RequestHead, ResponseHead, Verdict};
use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::collections::HashSet;

/// The filter `cors`.
#[derive(Debug)]
pub(in crate::filter) struct Cors {
    origins: Origins,
    credentials: bool,
    exposed: Option<HeaderValue>,
    methods: Listed,
    headers: Listed,
    max_age: Option<HeaderValue>,
    names: Names,
}

/// Whose scripts may read answers.
#[derive(Debug)]
enum Origins {
    Any,
    Listed {
        exact: HashSet<String>,
        /// Scheme, and domain with the dot before it.
        below: Box<[(String, String)]>,
    },
}

/// What is allowed beforehand.
#[derive(Debug)]
enum Listed {
    /// Whatever is asked for.
    Any,
    /// This; nothing is said when it is nothing.
    These(Option<HeaderValue>),
}

/// The headers that are written here.
#[derive(Debug)]
struct Names {
    vary: Name,
    origin: Name,
    allow_origin: Name,
    allow_credentials: Name,
    allow_methods: Name,
    allow_headers: Name,
    expose_headers: Name,
    max_age: Name,
}

impl Cors {
    pub(in crate::filter) fn new(written: &config::Cors) -> Self {
        let age = written.max_age.map(|age| HeaderValue::from(age.as_secs()));
        let exposed = match &written.exposed {
            Allowed::Any => Some(HeaderValue::from_static("*")),
            Allowed::These(names) => list(names.iter().map(|name| name.0.as_str())),
        };
        Cors {
            origins: Origins::new(&written.origins),
            credentials: written.credentials,
            exposed,
            methods: Listed::new(&written.methods, Method::as_str),
            headers: Listed::new(&written.headers, |name| &name.0),
            max_age: age,
            names: Names::new(),
        }
    }

    /// What the client is told of its origin; none when that is not allowed.
    fn permit(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        match &self.origins {
            Origins::Any => Some(HeaderValue::from_static("*")),
            origins => {
                let origin = only(headers, &ORIGIN)?;
                origins.hold(origin.to_str().ok()?).then(|| origin.clone())
            }
        }
    }

    fn preflight(&self, headers: &HeaderMap) -> Answer {
        let names = &self.names;
        let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        let answer = Answer::new(StatusCode::NO_CONTENT);
        let mut answer = answer.with(&names.vary, HeaderValue::from_static(vary));
        let Some(origin) = self.permit(headers) else {
            return answer;
        };
        answer = answer.with(&names.allow_origin, origin);
        if self.credentials {
            answer = answer.with(&names.allow_credentials, HeaderValue::from_static("true"));
        }
        let methods = self.methods.answer(headers, &ACCESS_CONTROL_REQUEST_METHOD);
        let allowed = self
            .headers
            .answer(headers, &ACCESS_CONTROL_REQUEST_HEADERS);
        for (name, value) in [
            (&names.allow_methods, methods),
            (&names.allow_headers, allowed),
            (&names.max_age, self.max_age.clone()),
        ] {
            if let Some(value) = value {
                answer = answer.with(name, value);
            }
        }
        answer
    }
}

impl Filter for Cors {
    fn request(&self, _: &mut RequestHead<'_>, facts: &Facts<'_>) -> Verdict {
        let record = facts.record();
        let asks = |name| record.request_headers.contains_key(name);
        if record.method == Some(&Method::OPTIONS)
            && asks(&ORIGIN)
            && asks(&ACCESS_CONTROL_REQUEST_METHOD)
        {
            return self.preflight(record.request_headers).into();
        }
        Verdict::Pass
    }

    fn response(&self, response: &mut ResponseHead<'_>, facts: &Facts<'_>) {
        let names = &self.names;
        for name in names.of_answers() {
            if response.headers().contains_key(name.as_header()) {
                response.remove(name);
            }
        }
        if !matches!(self.origins, Origins::Any) {
            response.vary_on(&names.origin);
        }
        let Some(origin) = self.permit(facts.record().request_headers) else {
            return;
        };
        response.set(&names.allow_origin, origin);
        if self.credentials {
            response.set(&names.allow_credentials, HeaderValue::from_static("true"));
        }
        if let Some(exposed) = &self.exposed {
            response.set(&names.expose_headers, exposed.clone());
        }
    }

    fn reads_upstream_headers(&self) -> bool {
        false
    }
}

impl Origins {
    fn new(written: &Allowed<config::Origin>) -> Self {
        let Allowed::These(written) = written else {
            return Origins::Any;
        };
        let mut exact = HashSet::new();
        let mut below = Vec::new();
        for origin in written {
            match origin {
                config::Origin::Exact(origin) => {
                    exact.insert(origin.clone());
                }
                config::Origin::Below { scheme, domain } => {
                    below.push((scheme.clone(), domain.clone()));
                }
            }
        }
        let below = below.into();
        Origins::Listed { exact, below }
    }

    fn hold(&self, origin: &str) -> bool {
        let Origins::Listed { exact, below } = self else {
            return true;
        };
        let is_below = |(scheme, domain): &(String, String)| {
            let host = origin.strip_prefix(scheme.as_str());
            let labels = host.and_then(|host| host.strip_suffix(domain.as_str()));
            labels.is_some_and(are_labels)
        };
        exact.contains(origin) || below.iter().any(is_below)
    }
}

/// Whether this is one label of a host or several, and nothing that a browser would take for anything else.
fn are_labels(text: &str) -> bool {
    let may_stand =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    text.split('.')
        .all(|label| !label.is_empty() && label.bytes().all(may_stand))
}

impl Listed {
    fn new<T>(written: &Allowed<T>, text: impl Fn(&T) -> &str) -> Self {
        match written {
            Allowed::Any => Listed::Any,
            Allowed::These(these) => Listed::These(list(these.iter().map(text))),
        }
    }

    /// What is allowed of what `asked` names.
    fn answer(&self, headers: &HeaderMap, asked: &HeaderName) -> Option<HeaderValue> {
        match self {
            Listed::These(these) => these.clone(),
            Listed::Any => only(headers, asked)
                .filter(|names| are_names(names))
                .cloned(),
        }
    }
}

/// Whether these are names with commas between, or one of them.
fn are_names(value: &HeaderValue) -> bool {
    let may_stand = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, ".contains(byte);
    value.as_bytes().iter().all(may_stand)
}

/// The value of a header that stands there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

fn list<'n>(names: impl Iterator<Item = &'n str>) -> Option<HeaderValue> {
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        return None;
    }
    // The file's reader has let through nothing but names.
    HeaderValue::from_str(&names.join(", ")).ok()
}

impl Names {
    fn new() -> Self {
        Names {
            vary: Name::from_static("Vary"),
            origin: Name::from_static("Origin"),
            allow_origin: Name::from_static("Access-Control-Allow-Origin"),
            allow_credentials: Name::from_static("Access-Control-Allow-Credentials"),
            allow_methods: Name::from_static("Access-Control-Allow-Methods"),
            allow_headers: Name::from_static("Access-Control-Allow-Headers"),
            expose_headers: Name::from_static("Access-Control-Expose-Headers"),
            max_age: Name::from_static("Access-Control-Max-Age"),
        }
    }

    /// What only this filter says.
    fn of_answers(&self) -> [&Name; 6] {
        [
            &self.allow_origin,
            &self.allow_credentials,
            &self.allow_methods,
            &self.allow_headers,
            &self.expose_headers,
            &self.max_age,
        ]
    }
}

#[cfg(test)]
mod tests;
