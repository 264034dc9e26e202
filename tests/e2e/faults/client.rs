//! The client goes away, or says something else than it announced.

use std::sync::Arc;

use super::observe::logged;
use super::rows;
use super::scenario::{Scenario, Seen, Visit, ask, see};
use crate::support::{Backend, Client, eventually, ok};

rows! {
    gone_before = "the client resets the connection before its answer",
    gone_within = "the client resets the connection within its answer",
    gone_within_body = "the client resets the connection within its request's body",
    closed_within_body = "the client closes within its request's body",
    pausing = "the client pauses within its request's body, for longer than timeouts.response",
    pausing_for_long = "the client pauses within its request's body, for longer than timeouts.response and timeouts.read",
    stopping = "the client sends nothing of its request's body for the listener's timeouts.body",
    taking_nothing = "the client takes nothing of its answer for the listener's timeouts.write",
    too_large = "the request's body is larger than the listener's limits.body_bytes",
    growing = "the request's chunked body grows larger than the listener's limits.body_bytes",
    bad_chunk = "the request's body has a chunk whose size is no number",
    no_route = "no route takes the request",
}

/// Notes the heads of requests as they come, and answers none.
fn gone_before() -> Scenario {
    let backend = Arc::new(Backend::hanging());
    Scenario::at(backend.address(), Arc::clone(&backend)).client(move |visit| {
        let mut client = visit.connect();
        client.send(visit.head(""));
        eventually("the request arrives", || {
            backend.asked_for(visit.target) == 1
        });
        client.reset();
        Seen::Gone
    })
}

fn gone_within() -> Scenario {
    let backend = Backend::start(|conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
        conversation.wait_for_close();
    });
    Scenario::of(backend).client(|visit| {
        let mut client = visit.connect();
        client.send(visit.head(""));
        client.wait_for(b"only this");
        client.reset();
        Seen::Gone
    })
}

/// The client says the first half of its body, and the backend has its head.
fn within_body(end: impl Fn(Client) -> Seen + Send + Sync + 'static) -> Scenario {
    let backend = Arc::new(Backend::start(|conversation| {
        conversation.head();
        conversation.wait_for_close();
    }));
    Scenario::at(backend.address(), Arc::clone(&backend)).client(move |visit| {
        let mut client = visit.connect();
        client.send(visit.head("Content-Length: 10\r\n") + "hello");
        eventually("the head arrives", || backend.asked_for(visit.target) == 1);
        end(client)
    })
}

fn gone_within_body() -> Scenario {
    within_body(|client| {
        client.reset();
        Seen::Gone
    })
}

fn closed_within_body() -> Scenario {
    within_body(|mut client| {
        client.finish();
        see(&mut client)
    })
}

/// Answers when the whole request has come; a request for the time is never answered.
fn patient() -> Backend {
    Backend::start(|conversation| {
        while let Some(request) = conversation.request() {
            if request.target().ends_with("/clock") {
                conversation.wait_for_close();
            } else {
                conversation.send(ok("fine"));
            }
        }
    })
}

/// The client says the first half of its body, and the other when a later request has waited for its answer in vain.
fn pause(visit: &Visit<'_>) -> Seen {
    let mut client = visit.connect();
    client.send(visit.head("Content-Length: 10\r\n") + "hello");
    let clock = Visit {
        method: "GET",
        ..visit.to("/default/clock")
    };
    assert!(matches!(ask(&clock), Seen::Whole(answer) if answer.status == 504));
    client.try_send(b"world");
    see(&mut client)
}

fn pausing() -> Scenario {
    Scenario::of(patient())
        .timeouts("response: 1s")
        .client(pause)
}

fn pausing_for_long() -> Scenario {
    Scenario::of(patient())
        .timeouts("response: 300ms, read: 300ms")
        .client(pause)
}

fn stopping() -> Scenario {
    Scenario::of(patient())
        .listener("timeouts: { body: 300ms }")
        .client(|visit| {
            let mut client = visit.connect();
            client.send(visit.head("Content-Length: 10\r\n") + "hello");
            see(&mut client)
        })
}

/// More than the kernel holds for both ends of a connection.
const LARGE: usize = 32 * 1024 * 1024;

fn taking_nothing() -> Scenario {
    let answer = ok(&"x".repeat(LARGE));
    Scenario::of(Backend::answering(move |_| answer.clone()))
        .listener("timeouts: { write: 300ms }")
        .client(|visit| {
            let mut client = visit.connect();
            client.send(visit.head(""));
            logged(visit.proxy, visit.target);
            see(&mut client)
        })
}

fn too_large() -> Scenario {
    let scenario = Scenario::of(Backend::hanging()).listener("limits: { body_bytes: 4 }");
    scenario.client(ask)
}

fn growing() -> Scenario {
    Scenario::of(Backend::hanging())
        .listener("limits: { body_bytes: 4 }")
        .client(|visit| {
            let mut client = visit.connect();
            client.send(visit.head("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n");
            see(&mut client)
        })
}

fn bad_chunk() -> Scenario {
    Scenario::of(Backend::hanging()).client(|visit| {
        let mut client = visit.connect();
        client.send(visit.head("Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\nfive\r\n");
        see(&mut client)
    })
}

fn no_route() -> Scenario {
    Scenario::of(Backend::hanging()).client(|visit| {
        let mut client = visit.connect();
        let target = format!("/nowhere{}", visit.target);
        client.send(visit.to(&target).head(""));
        see(&mut client)
    })
}
