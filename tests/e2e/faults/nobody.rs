//! No backend can take the request, or none may be asked any more.

use std::sync::{Arc, Mutex};

use super::observe::logged;
use super::rows;
use super::scenario::{PREPARING, Scenario, Visit, ask, ask_with};
use crate::support::{Backend, Client, RefusingBackend, eventually};

rows! {
    all_down = "checks find all backends down",
    all_disabled = "all backends are disabled",
    all_draining = "all backends are draining",
    all_full = "all backends are at max_requests",
    queue_full = "all backends are at max_requests, and the queue is full",
    waits_too_long = "all backends are at max_requests for queue.timeout",
    unresolved = "no backend's name resolves",
    attempts_spent = "the connection breaks off before the answer, and retry.attempts are spent",
    deadline_over = "no answer within timeouts.response, and retry.deadline is over",
    body_gone = "the connection breaks off before the answer, and more than 64 KiB of the request's body were sent",
}

fn all_down() -> Scenario {
    let backend = RefusingBackend::new();
    Scenario::at(backend.address(), backend)
        .without_backup()
        .key("health_check: { tcp: {}, interval: 1h }")
}

fn all_disabled() -> Scenario {
    Scenario::of(Backend::hanging())
        .without_backup()
        .each_with("state: disabled")
}

fn all_draining() -> Scenario {
    Scenario::of(Backend::hanging())
        .without_backup()
        .each_with("state: draining")
}

/// Each upstream has one request that stays as long as the backend does.
fn all_full() -> Scenario {
    full(|_, _| {})
}

fn waits_too_long() -> Scenario {
    full(|_, _| {}).key("queue: { size: 9, timeout: 50ms }")
}

/// Of two that come when there is one place, one waits; when the other one has been refused, it does.
fn queue_full() -> Scenario {
    let two_come = |visit: &Visit<'_>, occupants: &Mutex<Vec<Client>>| {
        let target = format!("{}/waiting{PREPARING}", visit.target);
        let two = [(); 2].map(|()| {
            let mut client = visit.connect();
            client.send(visit.to(&target).head(""));
            client
        });
        occupants.lock().unwrap().extend(two);
        logged(visit.proxy, &target);
    };
    full(two_come).key("queue: { size: 1, timeout: 1h }")
}

/// The backend has as many requests as it may, and then this happens.
fn full(and_then: impl Fn(&Visit<'_>, &Mutex<Vec<Client>>) + Send + Sync + 'static) -> Scenario {
    let backend = Arc::new(Backend::hanging());
    let occupants = Mutex::new(Vec::new());
    Scenario::at(backend.address(), Arc::clone(&backend))
        .without_backup()
        .each_with("max_requests: 1")
        .client(move |visit| {
            let mut occupant = visit.connect();
            let target = format!("{}{PREPARING}", visit.target);
            occupant.send(visit.to(&target).head(""));
            occupants.lock().unwrap().push(occupant);
            let (upstream, _) = visit.target.rsplit_once('/').unwrap();
            eventually("the backend is full", || {
                let requests = backend.requests();
                let mut targets = requests.iter().map(|request| request.target());
                targets.any(|target| target.starts_with(upstream))
            });
            and_then(visit, &occupants);
            ask(visit)
        })
}

fn unresolved() -> Scenario {
    Scenario::at("nowhere.invalid:80", ()).without_backup()
}

fn attempts_spent() -> Scenario {
    Scenario::of(Backend::resetting_after("")).and(Backend::resetting_after(""))
}

fn deadline_over() -> Scenario {
    Scenario::of(Backend::hanging())
        .timeouts("response: 300ms")
        .retry("deadline: 1ms")
}

fn body_gone() -> Scenario {
    Scenario::of(Backend::resetting_after(""))
        .client(|visit| ask_with(visit, &"x".repeat(64 * 1024 + 1)))
}
