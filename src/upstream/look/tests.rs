use std::sync::Arc;

use proptest::prelude::*;

use crate::clock::{Clock, ManualClock};
use crate::config::{self, Trigger};
use crate::upstream::address::Address;
use crate::upstream::retry::{Decision, Why};
use crate::upstream::{
    Admission, Applicant, Backend, Health, InFlight, Look, NotAdmitted, Resolver, Token, Upstream,
};

fn upstream(settings: &str) -> Upstream {
    let text = format!(
        "listeners: [{{ address: 127.0.0.1:80 }}]\nupstreams:\n  web: {{ {settings} }}\nroutes: [{{ upstream: web }}]\n"
    );
    let config = config::parse("test.yaml", &text, &|_| None);
    let config = config.unwrap_or_else(|faults| panic!("{faults}"));
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let resolver = Arc::new(Resolver::new(config::Resolver::default()));
    let upstream = Upstream::new(config.into_inner().upstreams.remove(0), &clock, &resolver);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(upstream.publish_backends());
    upstream
}

fn applicant(key: &[u8]) -> Applicant<'_> {
    Applicant {
        key,
        token: None,
        tried: &|_| false,
    }
}

fn take(upstream: &Upstream, key: &[u8]) -> Option<InFlight> {
    match upstream.admit(&applicant(key)) {
        Admission::Granted(in_flight) => Some(in_flight),
        Admission::Wait | Admission::Refused(_) => None,
    }
}

fn port(backend: &Arc<Backend>) -> u16 {
    backend.address().as_inet().unwrap().port()
}

fn ports(look: &Look) -> (Option<u16>, Option<u16>) {
    (look.picked.as_ref().map(port), look.next.as_ref().map(port))
}

const POLICIES: [&str; 4] = [
    "round_robin",
    "least_requests",
    "{ hash: { key: $host } }",
    "{ hash: { key: $host, max_load: 1.25 } }",
];

proptest! {
    /// Seen failing with a look that gives no turn back, and with one that asks for the next backend without leaving out the first.
    #[test]
    fn a_look_says_who_is_picked_and_changes_nothing(
        policy in prop::sample::select(&POLICIES[..]),
        weights in prop::collection::vec(1_u32..5, 1..6),
        limit in 1_u32..4,
        steps in prop::collection::vec((any::<u8>(), any::<bool>(), any::<bool>()), 1..60),
    ) {
        let backends: Vec<_> = std::iter::zip(1.., &weights)
            .map(|(port, weight)| format!("{{ address: 127.0.0.1:{port}, weight: {weight}, max_requests: {limit} }}"))
            .collect();
        let settings = format!("balance: {policy}, backends: [{}]", backends.join(", "));
        let (looked_at, left_alone) = (upstream(&settings), upstream(&settings));
        let (mut held, mut also_held) = (Vec::new(), Vec::new());
        for (key, looks, ends) in steps {
            let key = [key % 7];
            let seen = looks.then(|| looked_at.look(&applicant(&key)));
            let picked = take(&looked_at, &key);
            let expected = take(&left_alone, &key);
            let address = |picked: &Option<InFlight>| picked.as_ref().map(|one| port(one.backend()));
            prop_assert_eq!(address(&picked), address(&expected));
            if let Some(look) = seen {
                let said = ports(&look);
                prop_assert_eq!(said.0, address(&picked));
                prop_assert_eq!(look.refused.is_some(), picked.is_none());
                prop_assert!(said.1.is_none() || said.0 != said.1);
            }
            held.extend(picked);
            also_held.extend(expected);
            if ends && !held.is_empty() {
                held.remove(0);
                also_held.remove(0);
            }
        }
    }
}

/// The same question as the one that a failed attempt asks.
#[test]
fn the_next_backend_is_the_one_that_a_request_gets_when_the_first_one_failed() {
    for policy in POLICIES {
        let settings =
            format!("balance: {policy}, backends: [127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3]");
        let upstream = upstream(&settings);
        for key in 0..20_u8 {
            let (first, second) = ports(&upstream.look(&applicant(&[key])));
            let in_flight = take(&upstream, &[key]).unwrap();
            assert_eq!(first, Some(port(in_flight.backend())), "{policy}");
            let failed = in_flight.backend().address().clone();
            drop(in_flight);
            let again = upstream.admit(&Applicant {
                tried: &|backend| *backend.address() == failed,
                ..applicant(&[key])
            });
            match again {
                Admission::Granted(again) => {
                    assert_eq!(second, Some(port(again.backend())), "{policy}")
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_session_is_looked_at_like_an_admission() {
    let settings = "sticky: { cookie: b }, backends: [127.0.0.1:1, 127.0.0.1:2, { address: 127.0.0.1:3, state: draining }]";
    let upstream = upstream(settings);
    let token = |port| {
        Some(Token::of(
            "web",
            &Address::Inet(([127, 0, 0, 1], port).into()),
        ))
    };
    for port in 1..=3 {
        let look = upstream.look(&Applicant {
            token: token(port),
            ..applicant(b"")
        });
        assert_eq!((ports(&look).0, look.is_session), (Some(port), true));
        assert_ne!(ports(&look).1, Some(port));
    }
    let stranger = upstream.look(&Applicant {
        token: token(9),
        ..applicant(b"")
    });
    assert_eq!((ports(&stranger).0, stranger.is_session), (Some(1), false));
}

#[test]
fn why_there_is_no_backend_is_said_as_an_admission_would() {
    let one = "backends: [{ address: 127.0.0.1:1, max_requests: 1 }]";
    let upstream_without = upstream(one);
    let _held = take(&upstream_without, b"").unwrap();
    let look = upstream_without.look(&applicant(b""));
    assert_eq!(
        (look.refused, look.waits),
        (Some(NotAdmitted::AllFull), false)
    );
    let upstream_with = upstream(&format!("{one}, queue: {{ size: 1, timeout: 1s }}"));
    let _held = take(&upstream_with, b"").unwrap();
    let look = upstream_with.look(&applicant(b""));
    assert_eq!((look.refused, look.waits), (None, true));
    let unchecked = upstream(&format!("{one}, health_check: {{ tcp: {{}} }}"));
    let look = unchecked.look(&applicant(b""));
    assert_eq!(look.refused, Some(NotAdmitted::NoBackend));
    unchecked.trust_unchecked();
    assert_eq!(unchecked.backends()[0].health(), Health::Up);
    assert_eq!(ports(&unchecked.look(&applicant(b""))).0, Some(1));
}

#[test]
fn policies_say_what_they_compare_and_whether_chance_has_a_say() {
    for (policy, has_score, is_by_chance) in [
        ("round_robin", false, false),
        ("least_requests", true, false),
        ("p2c", true, true),
        ("peak_ewma", true, true),
        ("random", false, true),
        ("{ hash: { key: $host } }", false, false),
    ] {
        let settings = format!(
            "balance: {policy}, backends: [127.0.0.1:1, {{ address: 127.0.0.1:2, weight: 2 }}]"
        );
        let upstream = upstream(&settings);
        let _held = [(); 3].map(|()| take(&upstream, b""));
        let look = upstream.look(&applicant(b""));
        let scores: Vec<_> = look
            .backends
            .iter()
            .filter_map(|(_, score)| *score)
            .collect();
        assert_eq!(
            (scores.len() == 2, look.is_by_chance),
            (has_score, is_by_chance),
            "{policy}"
        );
        if policy == "least_requests" {
            assert_eq!(scores, [1.0, 1.0]);
        }
    }
}

#[test]
fn what_is_tried_again_depends_on_the_method_and_on_whether_another_backend_is_there() {
    let upstream = upstream("backends: [127.0.0.1:1], retry: { on: [connect, reset] }");
    let would = |trigger, is_idempotent, other| upstream.would_retry(trigger, is_idempotent, other);
    assert_eq!(would(Trigger::Reset, true, true), Decision::Again);
    assert_eq!(
        would(Trigger::Reset, false, true),
        Decision::GiveUp(Why::NotIdempotent)
    );
    assert_eq!(would(Trigger::Connect, false, true), Decision::Again);
    assert_eq!(
        would(Trigger::Connect, false, false),
        Decision::GiveUp(Why::NoOther)
    );
    assert_eq!(
        would(Trigger::Timeout, true, true),
        Decision::GiveUp(Why::Kind)
    );
}
