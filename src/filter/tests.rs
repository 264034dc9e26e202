//! The order of a chain, what a panic costs in it, and what passing through it costs.

use super::example::{request, with_facts};
use super::link::Kind;
use super::*;
use crate::config::{Refusal, Surroundings, Vocabulary};
use allocation_counter::measure;
use futures::FutureExt;
use http::{HeaderValue, StatusCode};
use pingora_http::ResponseHeader;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

/// What a filter of these tests does with a message.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    Pass,
    Answer,
    Panic,
    PanicOverTheAnswer,
}

/// Notes what it sees, by its number.
#[derive(Debug)]
struct Noted {
    number: usize,
    does: Does,
    seen: Arc<Mutex<Vec<(usize, &'static str)>>>,
}

impl Noted {
    fn note(&self, what: &'static str) {
        self.seen.lock().unwrap().push((self.number, what));
    }
}

impl Filter for Noted {
    fn request(&self, _: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        self.note("request");
        match self.does {
            Does::Answer => Answer::new(StatusCode::ACCEPTED).into(),
            Does::Panic => panic!("on purpose"),
            Does::Pass | Does::PanicOverTheAnswer => Verdict::Pass,
        }
    }

    fn response(&self, _: &mut ResponseHead<'_>, _: &Facts<'_>) {
        self.note("answer");
        assert!(self.does != Does::PanicOverTheAnswer, "on purpose");
    }
}

fn links(filters: Vec<Arc<dyn Filter>>) -> Links {
    Links::new(
        filters
            .into_iter()
            .map(|filter| Link::new("noted", Kind::Now(filter))),
    )
}

/// What the filters saw, in order, of one request and of the answer to it.
fn pass(places: [&[Does]; 3]) -> (Vec<(usize, &'static str)>, u64) {
    let seen = Arc::default();
    let mut number = 0;
    let built = places.map(|place| {
        links(
            place
                .iter()
                .map(|does| {
                    number += 1;
                    Arc::new(Noted {
                        number: number - 1,
                        does: *does,
                        seen: Arc::clone(&seen),
                    }) as Arc<dyn Filter>
                })
                .collect(),
        )
    });
    let chain = Chain::new([None, Some(&built[0]), Some(&built[1]), Some(&built[2])]);
    let mut passage = Passage::default();
    let sent = request("GET", "/", &[]);
    with_facts(&sent, |facts| {
        let mut head = RequestHead::new(&sent);
        let _ = chain
            .request(&mut head, facts, &mut passage)
            .now_or_never()
            .unwrap();
        while !passage.is_over() {
            let mut answer = ResponseHeader::build(200, None).unwrap();
            let mut head = ResponseHead::new(&mut answer);
            let _ = chain
                .response(&mut head, facts, &mut passage)
                .now_or_never()
                .unwrap();
        }
    });
    let panics = chain.links().map(Link::panics).sum();
    let seen = seen.lock().unwrap().clone();
    (seen, panics)
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        6 => Just(Does::Pass),
        1 => Just(Does::Answer),
        1 => Just(Does::Panic),
        1 => Just(Does::PanicOverTheAnswer),
    ]
}

proptest! {
    /// Seen to fail with `passed += 1` before the call, and with the answer shown in the order of the request.
    #[test]
    fn the_request_goes_down_until_one_answers_and_the_answer_back_through_those_that_passed(
        places in [
            proptest::collection::vec(does(), 0..4),
            proptest::collection::vec(does(), 0..4),
            proptest::collection::vec(does(), 0..4),
        ]
    ) {
        let all: Vec<Does> = places.iter().flatten().copied().collect();
        let stops = |does: &Does| matches!(does, Does::Answer | Does::Panic);
        let passing = all.iter().position(stops).unwrap_or(all.len());
        let asked = all.len().min(passing + 1);
        let mut wanted: Vec<_> = (0..asked).map(|number| (number, "request")).collect();
        wanted.extend((0..passing).rev().map(|number| (number, "answer")));
        let panics = all[..asked].iter().filter(|does| **does == Does::Panic).count()
            + all[..passing].iter().filter(|does| **does == Does::PanicOverTheAnswer).count();
        let (seen, counted) = pass([&places[0], &places[1], &places[2]]);
        prop_assert_eq!(seen, wanted);
        prop_assert_eq!(counted, panics as u64);
    }
}

#[derive(Debug)]
struct Looks;

impl Filter for Looks {
    fn request(&self, request: &mut RequestHead<'_>, facts: &Facts<'_>) -> Verdict {
        match request.path() == "/other" || facts.client().is_some_and(|client| client.is_ipv6()) {
            true => Answer::new(StatusCode::NOT_FOUND).into(),
            false => Verdict::Pass,
        }
    }
}

#[test]
fn a_chain_that_changes_nothing_does_not_allocate() {
    let looking = links(vec![Arc::new(Looks), Arc::new(Looks), Arc::new(Looks)]);
    let chain = Chain::new([None, Some(&looking), None, Some(&looking)]);
    let sent = request("GET", "/x?y", &[("X-A", "1")]);
    let mut answer = ResponseHeader::build(200, None).unwrap();
    with_facts(&sent, |facts| {
        let mut through = || {
            let mut passage = Passage::default();
            let mut head = RequestHead::new(&sent);
            let verdict = chain.request(&mut head, facts, &mut passage).now_or_never();
            let mut head = ResponseHead::new(&mut answer);
            let answered = chain
                .response(&mut head, facts, &mut passage)
                .now_or_never();
            matches!(verdict, Some(Ok(Verdict::Pass))) && matches!(answered, Some(Ok(())))
        };
        let mut passed = false;
        let counted = measure(|| passed = through());
        assert!(passed);
        assert_eq!(counted.count_total, 0);
    });
}

#[derive(Debug)]
struct Slow(Deadline);

#[async_trait]
impl AsyncFilter for Slow {
    fn deadline(&self) -> Deadline {
        self.0
    }

    async fn request(&self, _: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_takes_too_long_refuses_or_passes_as_it_has_declared() {
    let second = Duration::from_secs(1);
    let sent = request("GET", "/", &[]);
    for (deadline, wanted) in [
        (Deadline::of(second), None),
        (Deadline::or_pass(second), Some(())),
    ] {
        let link = Link::new("slow", Kind::Waiting(Arc::new(Slow(deadline))));
        let now = crate::clock::Clock::now(&crate::clock::SystemClock);
        let verdict = call(&link, &sent, now).await;
        match wanted {
            Some(()) => assert!(matches!(verdict, Ok(Verdict::Pass)), "{verdict:?}"),
            None => assert_eq!(verdict.unwrap_err().why, Why::Late),
        }
        assert_eq!(link.timeouts(), 1);
    }
}

async fn call(
    link: &Link,
    sent: &pingora_http::RequestHeader,
    now: std::time::Instant,
) -> Result<Verdict, Broken> {
    let record = example::record(sent, "/", std::net::IpAddr::from([192, 0, 2, 1]));
    let facts = Facts::new(&record, now);
    let mut head = RequestHead::new(sent);
    link.request(&mut head, &facts).await
}

#[test]
fn the_first_change_copies_the_request_and_the_client_s_stays_as_it_was() {
    let sent = request(
        "GET",
        "/a?b=c",
        &[("X-One", "1"), ("X-Two", "2"), ("X-Three", "3")],
    );
    let mut head = RequestHead::new(&sent);
    head.remove(&Name::from_static("X-Not-There"));
    assert!(head.now().headers.len() == 4 && std::ptr::eq(head.now(), &raw const sent));
    head.remove(&Name::from_static("X-One"));
    head.set(&Name::from_static("X-two"), HeaderValue::from_static("22"));
    head.add(&Name::from_static("X-Four"), HeaderValue::from_static("4"));
    assert_eq!(sent.headers["x-one"], "1");
    let (edited, touched, _) = head.into_parts();
    let mut wire = Vec::new();
    edited.unwrap().header_to_h1_wire(&mut wire);
    let wire = String::from_utf8(wire).unwrap();
    assert_eq!(
        wire,
        "Host: example.com\r\nX-two: 22\r\nX-Three: 3\r\nX-Four: 4\r\n"
    );
    let is_touched = |name: &'static str| touched.contains(&http::HeaderName::from_static(name));
    assert!(
        is_touched("x-four")
            && is_touched("x-one")
            && is_touched("x-two")
            && is_touched("x-not-there")
    );
    assert!(!is_touched("x-three"));
}

#[test]
fn a_path_is_replaced_and_the_query_stays_byte_for_byte() {
    for (target, path, wanted) in [
        ("/a?b=%20c?d", "/x", Some("/x?b=%20c?d")),
        ("/a?", "/x", Some("/x?")),
        ("/a", "/x%2Fy;z", Some("/x%2Fy;z")),
        ("/a?b", "x", None),
        ("/a?b", "/x?y", None),
        ("/a?b", "/x y", None),
        ("/a?b", "/x\r\nX-Evil: 1", None),
    ] {
        let sent = request("GET", target, &[]);
        let mut head = RequestHead::new(&sent);
        assert_eq!(head.set_path(path), wanted.is_some(), "{path}");
        let now = String::from_utf8(head.target().to_vec()).unwrap();
        assert_eq!(now, wanted.unwrap_or(target));
    }
}

#[test]
fn headers_that_frame_a_message_are_not_for_filters() {
    for name in [
        "Content-Length",
        "transfer-encoding",
        "Connection",
        "Upgrade",
        "TE",
        "a b",
        "",
    ] {
        assert!(name.parse::<Name>().is_err(), "{name}");
    }
    let sent = request("GET", "/", &[]);
    let mut head = RequestHead::new(&sent);
    let host = Name::from_static("Host");
    head.remove(&host);
    head.add(&host, HeaderValue::from_static("b.test"));
    assert_eq!(
        head.headers().get_all("host").iter().collect::<Vec<_>>(),
        ["b.test"]
    );
}

#[test]
fn a_program_s_filter_is_found_by_its_name() {
    let mut vocabulary = Vocabulary::default();
    register(&mut vocabulary, "looks", |()| Ok::<_, Refusal>(Looks));
    let file =
        "{listeners: [{address: '127.0.0.1:1'}], routes: [{respond: {}, filters: [{looks: {}}]}]}";
    let config =
        crate::config::parse_with("f", file, &Surroundings::nothing_but(&vocabulary)).unwrap();
    let built = super::links(&config.routes[0].filters, "test", &mut Shared::default());
    assert_eq!(built.iter().map(Link::name).collect::<Vec<_>>(), ["looks"]);
}
