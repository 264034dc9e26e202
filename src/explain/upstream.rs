//! What an upstream would do with a request.

use http::Method;

use super::explanation::{BackendSeen, Explanation, Limits, RetryPlan, Session};
use crate::config::{Balance, State, Trigger};
use crate::proxy::failure::Failure;
use crate::upstream::balance::FULL_WEIGHT;
use crate::upstream::retry::Decision;
use crate::upstream::{Applicant, Backend, Health, Look, Upstream};

/// Writes down what the upstream would do; the look is for whoever goes on.
pub(super) fn look(
    upstream: &Upstream,
    applicant: &Applicant<'_>,
    method: &Method,
    told: &mut Explanation,
) -> Look {
    let look = upstream.look(applicant);
    let config = upstream.config();
    told.upstream = Some(upstream.name().to_owned());
    told.balance = Some(name(&config.balance).to_owned());
    told.by_chance = look.is_by_chance;
    told.sticky = config.sticky.as_ref().map(|_| match applicant.token {
        _ if look.is_session => Session::Kept,
        Some(_) => Session::Lost,
        None => Session::Begins,
    });
    let label = |backend: &std::sync::Arc<Backend>| backend.label().to_string();
    told.backend = look.picked.as_ref().map(label);
    told.then = look.next.as_ref().map(label);
    if let Some(refused) = look.refused {
        told.refuse(Failure::from(refused));
    }
    if look.waits {
        told.because = Some("every backend is full: it would wait in the queue".to_owned());
    }
    told.backends = look.backends.iter().map(backend_seen).collect();
    told.retry = plan(upstream, method, look.next.is_some());
    told.limits = Some(Limits {
        connect_ms: config.timeouts.connect.as_millis(),
        response_ms: config.timeouts.response.as_millis(),
        read_ms: config.timeouts.read.as_millis(),
        write_ms: config.timeouts.write.as_millis(),
        queue_ms: config.queue.as_ref().map(|queue| queue.timeout.as_millis()),
    });
    look
}

fn backend_seen((backend, score): &(std::sync::Arc<Backend>, Option<f64>)) -> BackendSeen {
    let member = backend.member();
    let (address, written) = (backend.label().to_string(), backend.written());
    BackendSeen {
        name: (written != address).then(|| written.to_owned()),
        address,
        health: match backend.health() {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Down => "down",
        },
        state: match backend.state() {
            State::Active => "active",
            State::Draining => "draining",
            State::Disabled => "disabled",
        },
        ejected: member.is_ejected(),
        backup: member.is_backup(),
        weight: f64::from(member.weight()) / f64::from(FULL_WEIGHT),
        in_flight: member.in_flight(),
        full: member.is_full(),
        score: *score,
    }
}

fn plan(upstream: &Upstream, method: &Method, has_other: bool) -> Option<RetryPlan> {
    let retry = upstream.config().retry.as_ref()?;
    let is_idempotent = method.is_idempotent();
    let wanted = Trigger::WORDS.iter();
    let wanted = wanted.filter(|(_, trigger)| retry.on.0.contains(trigger));
    let (mut on, mut held_back) = (Vec::new(), None);
    for (word, trigger) in wanted {
        let happened = match trigger {
            Trigger::ServerError => Trigger::Status(500),
            trigger => *trigger,
        };
        match upstream.would_retry(happened, is_idempotent, has_other) {
            Decision::Again => on.push(*word),
            Decision::GiveUp(why) => held_back = held_back.or(Some(why.to_string())),
        }
    }
    Some(RetryPlan {
        attempts: retry.attempts,
        on,
        budget_percent: retry.budget.0,
        deadline_ms: retry.deadline.map(|deadline| deadline.as_millis()),
        held_back,
    })
}

fn name(balance: &Balance) -> &str {
    match balance {
        Balance::RoundRobin => "round_robin",
        Balance::LeastRequests => "least_requests",
        Balance::PeakEwma => "peak_ewma",
        Balance::Random => "random",
        Balance::P2c => "p2c",
        Balance::Hash(_) => "hash",
        Balance::Own(own) => &own.name,
    }
}
