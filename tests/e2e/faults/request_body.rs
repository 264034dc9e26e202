//! The backend does not take the request's body.

use std::sync::Arc;

use super::rows;
use super::scenario::{Scenario, see};
use crate::support::{Backend, eventually};

rows! {
    not_taken = "the request's body is not taken within timeouts.write",
    answered_early = "the backend answers before it has the whole request",
    reset_within = "the backend resets the connection within the request's body",
}

/// More than the kernel holds for both ends of a connection.
const LARGE: usize = 32 * 1024 * 1024;

fn not_taken() -> Scenario {
    let backend = Backend::start(|conversation| {
        conversation.head();
        conversation.idle();
    });
    Scenario::of(backend)
        .timeouts("write: 300ms, response: 3s, read: 3s")
        .client(|visit| {
            let mut client = visit.connect();
            client.send(visit.head(&format!("Content-Length: {LARGE}\r\n")));
            // The proxy takes what it can, and closes before it has all.
            client.try_send(&vec![b'x'; LARGE]);
            see(&mut client)
        })
}

fn answered_early() -> Scenario {
    let backend = Backend::start(|conversation| {
        conversation.head();
        conversation.send("HTTP/1.1 413 Large\r\nContent-Length: 4\r\n\r\noops");
        conversation.wait_for_close();
    });
    Scenario::of(backend).client(|visit| {
        let mut client = visit.connect();
        client.send(visit.head("Content-Length: 10\r\n") + "hello");
        let seen = see(&mut client);
        client.send("world");
        seen
    })
}

/// The client says the other half of its body when the backend has got the first.
fn reset_within() -> Scenario {
    let backend = Arc::new(Backend::start(|conversation| {
        conversation.head();
        conversation.wait_for(b"hello");
        conversation.reset();
    }));
    Scenario::at(backend.address(), Arc::clone(&backend)).client(move |visit| {
        let mut client = visit.connect();
        client.send(visit.head("Content-Length: 10\r\n") + "hello");
        eventually("the head arrives", || backend.asked_for(visit.target) == 1);
        client.try_send(b"world");
        see(&mut client)
    })
}
