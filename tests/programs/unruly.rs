//! A program whose parts misbehave in every way they can: for tests/e2e/own_program.rs.

use std::process::ExitCode;
use std::time::Duration;

use evenkeel::config::Refusal;
use evenkeel::filter::{
    Answer, AsyncFilter, Deadline, Denial, Facts, Filter, Name, RequestBody, RequestHead,
    ResponseBody, ResponseHead, Verdict,
};
use evenkeel::http::{HeaderValue, StatusCode};
use evenkeel::template::Template;
use evenkeel::upstream::balance::{Members, Policy, Request};
use evenkeel::{Evenkeel, async_trait, bytes::Bytes};
use serde::Deserialize;

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    Request,
    Response,
    RequestBody,
    RequestBodyBegins,
    ResponseBody,
    Never,
}

/// Panics when it is asked to.
#[derive(Debug, Deserialize)]
struct Panics {
    on: When,
}

impl Panics {
    fn check(&self, now: When) {
        assert!(self.on != now, "this filter panics on the {now:?}");
    }
}

impl Filter for Panics {
    fn request(&self, request: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        self.check(When::Request);
        if matches!(self.on, When::RequestBody | When::RequestBodyBegins) {
            request.watch_body(Box::new(Wreck(self.on)));
        }
        Verdict::Pass
    }

    fn response(&self, response: &mut ResponseHead<'_>, _: &Facts<'_>) {
        self.check(When::Response);
        if self.on == When::ResponseBody {
            response.transform_body(Box::new(Wreck(self.on)));
        }
    }
}

#[derive(Debug)]
struct Wreck(When);

impl RequestBody for Wreck {
    fn begin(&mut self) {
        assert!(
            self.0 != When::RequestBodyBegins,
            "this filter panics on the body"
        );
    }

    fn piece(&mut self, _: &[u8], _: bool) -> Result<(), Box<Answer>> {
        panic!("this filter panics on the body")
    }
}

impl ResponseBody for Wreck {
    fn piece(&mut self, _: Bytes, _: bool) -> Bytes {
        panic!("this filter panics on the body")
    }
}

/// The same, after a wait.
#[derive(Debug, Deserialize)]
struct PanicsLater(Panics);

#[async_trait]
impl AsyncFilter for PanicsLater {
    fn deadline(&self) -> Deadline {
        Deadline::of(Duration::from_secs(10))
    }

    async fn request(&self, _: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        tokio::task::yield_now().await;
        self.0.check(When::Request);
        Verdict::Pass
    }

    async fn response(&self, _: &mut ResponseHead<'_>, _: &Facts<'_>) {
        tokio::task::yield_now().await;
        self.0.check(When::Response);
    }
}

/// Waits for something that never comes.
#[derive(Debug, Deserialize)]
struct Waits {
    #[serde(deserialize_with = "evenkeel::config::duration")]
    at_most: Duration,
    #[serde(default)]
    then_pass: bool,
}

#[async_trait]
impl AsyncFilter for Waits {
    fn deadline(&self) -> Deadline {
        if self.then_pass {
            Deadline::or_pass(self.at_most)
        } else {
            Deadline::of(self.at_most)
        }
    }

    async fn request(&self, _: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        std::future::pending().await
    }
}

/// Writes its name on what passes; answers what asks for it.
#[derive(Debug, Deserialize)]
struct Mark {
    name: String,
    with: Option<Template>,
}

impl Mark {
    fn value(&self, facts: &Facts<'_>) -> HeaderValue {
        let mut text = self.name.clone().into_bytes();
        if let Some(template) = &self.with {
            facts.render(template, &mut text);
        }
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("?"))
    }
}

impl Filter for Mark {
    fn request(&self, request: &mut RequestHead<'_>, facts: &Facts<'_>) -> Verdict {
        let asked = request.headers().get("x-answer");
        if asked.is_some_and(|asked| asked == self.name.as_str()) {
            return match request.headers().contains_key("x-denied") {
                true => Answer::denied(Denial::Forbidden).into(),
                false => Answer::new(StatusCode::ACCEPTED)
                    .text(format!("answered by {}\n", self.name))
                    .into(),
            };
        }
        request.add(&Name::from_static("X-Passed"), self.value(facts));
        Verdict::Pass
    }

    fn response(&self, response: &mut ResponseHead<'_>, facts: &Facts<'_>) {
        response.add(&Name::from_static("X-Returned"), self.value(facts));
    }
}

/// Makes an answer's body loud.
#[derive(Debug, Deserialize)]
struct Shout {}

impl Filter for Shout {
    fn response(&self, response: &mut ResponseHead<'_>, _: &Facts<'_>) {
        response.transform_body(Box::new(Louder));
    }
}

#[derive(Debug)]
struct Louder;

impl ResponseBody for Louder {
    fn piece(&mut self, piece: Bytes, is_last: bool) -> Bytes {
        let mut piece = piece.to_ascii_uppercase();
        if is_last {
            piece.extend_from_slice(b"!!!");
        }
        piece.into()
    }
}

/// Panics where nobody looks: when what it left with the request is dropped.
#[derive(Debug, Deserialize)]
struct PanicsLast {}

impl Filter for PanicsLast {
    fn request(&self, request: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        request.watch_body(Box::new(Bomb));
        Verdict::Pass
    }
}

#[derive(Debug)]
struct Bomb;

impl RequestBody for Bomb {
    fn piece(&mut self, _: &[u8], _: bool) -> Result<(), Box<Answer>> {
        Ok(())
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("this filter panics at the very end");
    }
}

/// Sets and removes what Evenkeel sets itself.
#[derive(Debug, Deserialize)]
struct LastWord {}

impl Filter for LastWord {
    fn request(&self, request: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        let set = |request: &mut RequestHead<'_>, name| {
            request.set(&Name::from_static(name), HeaderValue::from_static("mine"));
        };
        set(request, "X-Real-IP");
        set(request, "Host");
        set(request, "X-Request-Id");
        request.remove(&Name::from_static("X-Forwarded-For"));
        request.remove(&Name::from_static("User-Agent"));
        Verdict::Pass
    }
}

#[derive(Debug, Deserialize)]
struct Bad {
    on: String,
}

impl Policy for Bad {
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        match self.on.as_str() {
            "pick" => panic!("this policy panics"),
            "index" => Some(1_000),
            _ => (0..members.len()).find(|index| request.allows(members, *index)),
        }
    }

    fn observe(&self, _: &Members, _: usize, _: Duration, _: Duration) {
        assert!(self.on != "observe", "this policy panics over an answer");
    }

    fn released(&self, _: &Members, _: usize) {
        assert!(self.on != "released", "this policy panics at the end");
    }
}

fn as_it_is<T>(part: T) -> Result<T, Refusal> {
    Ok(part)
}

fn main() -> ExitCode {
    Evenkeel::builder()
        .filter("panics", as_it_is::<Panics>)
        .async_filter("panics_later", as_it_is::<PanicsLater>)
        .filter("panics_last", as_it_is::<PanicsLast>)
        .async_filter("waits", as_it_is::<Waits>)
        .filter("mark", as_it_is::<Mark>)
        .filter("shout", as_it_is::<Shout>)
        .filter("last_word", as_it_is::<LastWord>)
        .filter("never", |_: Panics| -> Result<Panics, Refusal> {
            panic!("made by a beginner")
        })
        .policy("bad", as_it_is::<Bad>)
        .run()
}
