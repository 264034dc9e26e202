use super::super::budget::Withdrawal;
use super::{Decision, Failed, STALE_CONNECTIONS, Why, decide};
use crate::config::{Percent, Retry, Trigger, Triggers};
use proptest::prelude::*;
use std::time::Duration;

const SENT: [Trigger; 4] = [
    Trigger::Reset,
    Trigger::Timeout,
    Trigger::Status(503),
    Trigger::Status(500),
];

fn plan() -> Retry {
    Retry {
        attempts: 2,
        on: Triggers(vec![
            Trigger::Connect,
            Trigger::Reset,
            Trigger::Timeout,
            Trigger::ServerError,
        ]),
        budget: Percent(20),
        deadline: None,
        non_idempotent: false,
    }
}

/// A GET that failed at its first attempt, another backend being free.
fn failed(trigger: Trigger) -> Failed {
    Failed {
        trigger: Some(trigger),
        is_idempotent: true,
        body_is_whole: true,
        answer_has_begun: false,
        another_is_free: true,
        attempts: u32::from(trigger != Trigger::Connect),
        elapsed: Duration::from_secs(1),
        is_stale: false,
        stale: 0,
    }
}

fn decided(plan: &Retry, failed: &Failed) -> Decision {
    decide(Some(plan), failed, || Withdrawal::Granted)
}

#[test]
fn what_is_listed_is_tried_again_and_nothing_else() {
    for trigger in SENT {
        assert_eq!(decided(&plan(), &failed(trigger)), Decision::Again);
    }
    let only_connect = Retry {
        on: Triggers(vec![Trigger::Connect, Trigger::Status(502)]),
        ..plan()
    };
    for trigger in SENT {
        let decision = decided(&only_connect, &failed(trigger));
        assert_eq!(decision, Decision::GiveUp(Why::Kind));
    }
    let bad_gateway = failed(Trigger::Status(502));
    assert_eq!(decided(&only_connect, &bad_gateway), Decision::Again);
}

#[test]
fn a_connection_that_could_not_be_made_is_no_attempt_and_needs_no_budget() {
    let unsent = Failed {
        is_idempotent: false,
        body_is_whole: false,
        attempts: 0,
        ..failed(Trigger::Connect)
    };
    let refuse = || Withdrawal::Refused { is_news: true };
    assert_eq!(decide(Some(&plan()), &unsent, refuse), Decision::Again);
    let without = Retry {
        on: Triggers(vec![Trigger::Reset]),
        ..plan()
    };
    assert_eq!(decided(&without, &unsent), Decision::GiveUp(Why::Kind));
    assert_eq!(decide(None, &unsent, refuse), Decision::GiveUp(Why::Kind));
}

#[test]
fn a_closed_connection_from_the_pool_is_passed_over_a_few_times() {
    let stale = |stale| Failed {
        is_stale: true,
        stale,
        attempts: 9,
        another_is_free: false,
        ..failed(Trigger::Reset)
    };
    for count in 1..=STALE_CONNECTIONS {
        assert_eq!(decided(&plan(), &stale(count)), Decision::Again);
    }
    let decision = decided(&plan(), &stale(STALE_CONNECTIONS + 1));
    assert_eq!(decision, Decision::GiveUp(Why::Attempts));
}

#[test]
fn no_attempt_begins_after_the_deadline() {
    let plan = Retry {
        deadline: Some(Duration::from_secs(1)),
        ..plan()
    };
    for trigger in [Trigger::Connect, Trigger::Reset] {
        let decision = decided(&plan, &failed(trigger));
        assert_eq!(decision, Decision::GiveUp(Why::Deadline));
        let earlier = Failed {
            elapsed: Duration::from_millis(999),
            ..failed(trigger)
        };
        assert_eq!(decided(&plan, &earlier), Decision::Again);
    }
}

#[test]
fn a_spent_budget_ends_what_a_backend_may_have_seen() {
    let refused = Withdrawal::Refused { is_news: true };
    let decision = decide(Some(&plan()), &failed(Trigger::Reset), || refused);
    let why = Why::Budget { is_news: true };
    assert_eq!(decision, Decision::GiveUp(why));
}

fn any_failure() -> impl Strategy<Value = Failed> {
    let trigger = prop::option::of(prop::sample::select(vec![
        Trigger::Connect,
        Trigger::Reset,
        Trigger::Timeout,
        Trigger::Status(500),
        Trigger::Status(503),
    ]));
    let facts = (any::<[bool; 5]>(), 0..5_u32, 0..8_u32, 0..3_000_u64);
    (trigger, facts).prop_map(|(trigger, (facts, attempts, stale, elapsed))| Failed {
        trigger,
        is_idempotent: facts[0],
        body_is_whole: facts[1],
        answer_has_begun: facts[2],
        another_is_free: facts[3],
        is_stale: facts[4] && trigger == Some(Trigger::Reset),
        attempts,
        elapsed: Duration::from_millis(elapsed),
        stale,
    })
}

proptest! {
    /// Each clause was seen failing with its check dropped from `decide`.
    #[test]
    fn nothing_is_sent_twice_that_must_not_be(
        failed in any_failure(), attempts in 1..5_u32, non_idempotent in any::<bool>(), budget in any::<bool>()
    ) {
        let plan = Retry { attempts, non_idempotent, ..plan() };
        let withdrawal = if budget { Withdrawal::Granted } else { Withdrawal::Refused { is_news: false } };
        let mut asked = 0;
        let decision = decide(Some(&plan), &failed, || { asked += 1; withdrawal });
        if decision == Decision::Again {
            prop_assert!(!failed.answer_has_begun);
            if failed.trigger != Some(Trigger::Connect) {
                prop_assert!(failed.is_idempotent || non_idempotent);
                prop_assert!(failed.body_is_whole);
            }
            if !failed.is_stale && failed.trigger != Some(Trigger::Connect) {
                prop_assert!(failed.attempts < attempts && failed.another_is_free && budget);
            }
        }
        // The budget pays for what is done with it, and for nothing else.
        let costs = failed.trigger != Some(Trigger::Connect)
            && !(failed.is_stale && failed.stale <= STALE_CONNECTIONS);
        prop_assert_eq!(asked == 1 && budget, decision == Decision::Again && costs);
    }
}
