//! No connection to the backend.

use std::sync::Mutex;

use super::rows;
use super::scenario::{Scenario, see};
use crate::support::{Backend, FullBackend, RefusingBackend};

rows! {
    refused = "the backend refuses the connection",
    never_accepted = "the backend does not accept the connection within timeouts.connect",
    no_socket = "Evenkeel has no file descriptor left for the connection",
    no_way = "there is no way to the backend's address",
}

fn refused() -> Scenario {
    let backend = RefusingBackend::new();
    Scenario::at(backend.address(), backend)
}

fn never_accepted() -> Scenario {
    let backend = FullBackend::new();
    Scenario::at(backend.address(), backend).timeouts("connect: 300ms")
}

/// The loopback's broadcast address: connecting to it fails at once, on every machine.
fn no_way() -> Scenario {
    Scenario::at("127.255.255.255:9", ())
}

/// One visit after the other: what is counted is free for one only.
fn no_socket() -> Scenario {
    let alone = Mutex::new(());
    Scenario::of(Backend::hanging()).client(move |visit| {
        let _alone = alone.lock().unwrap();
        let mut client = visit.connect();
        // It is accepted by then, and no other file will be needed for it.
        client.send(visit.to("/nowhere").head(""));
        assert_eq!(client.answer().status, 404);
        let before = visit.proxy.let_open_no_more_files();
        client.send(visit.head(""));
        let seen = see(&mut client);
        assert!(client.is_closed());
        visit.proxy.limit_open_files(before);
        seen
    })
}
