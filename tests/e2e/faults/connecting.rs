//! No connection to the backend.

use std::os::unix::net::UnixListener;
use std::sync::Mutex;

use socket2::{Domain, SockAddr, Socket, Type};

use super::rows;
use super::scenario::{Scenario, see};
use crate::support::{Backend, FullBackend, RefusingBackend};

rows! {
    refused = "the backend refuses the connection",
    never_accepted = "the backend does not accept the connection within timeouts.connect",
    no_socket = "Evenkeel has no file descriptor left for the connection",
    no_way = "there is no way to the backend's address",
    no_such_socket = "the backend's Unix socket is not there",
    stale_socket = "nobody listens on the backend's Unix socket",
    full_socket = "the queue of the backend's Unix socket is full",
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

fn no_such_socket() -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    Scenario::at(format!("unix:{}", path.display()), folder)
}

/// The file stays behind when the process ends that has listened.
fn stale_socket() -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    drop(UnixListener::bind(&path).unwrap());
    Scenario::at(format!("unix:{}", path.display()), folder)
}

fn full_socket() -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let address = SockAddr::unix(&path).unwrap();
    socket.bind(&address).unwrap();
    socket.listen(0).unwrap();
    let connect = || {
        let waiting = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        waiting.set_nonblocking(true).unwrap();
        waiting.connect(&address).ok().map(|()| waiting)
    };
    let waiting: Vec<_> = std::iter::from_fn(connect).take(1024).collect();
    assert!(waiting.len() < 1024, "the queue has no end");
    Scenario::at(
        format!("unix:{}", path.display()),
        (folder, socket, waiting),
    )
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
