//! The connection was upgraded, and both sides speak when they like.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;

use super::rows;
use super::scenario::{Scenario, Seen, Visit, see};
use crate::support::{Backend, Client, Conversation, Proxy, eventually, get, upstream_of};

rows! {
    idle = "an upgraded connection is idle for timeouts.read, which is below timeouts.response",
    idle_for_both = "an upgraded connection is idle for timeouts.read and timeouts.response",
    reset = "the backend resets an upgraded connection",
    closed = "the backend closes an upgraded connection",
    gone = "the client resets an upgraded connection",
}

fn idle() -> Scenario {
    let scenario = upgrading(Conversation::wait_for_close, to_its_end);
    scenario.timeouts("read: 300ms")
}

fn idle_for_both() -> Scenario {
    let scenario = upgrading(Conversation::wait_for_close, to_its_end);
    scenario.timeouts("read: 1s, response: 1s")
}

fn reset() -> Scenario {
    upgrading(Conversation::reset, to_its_end)
}

fn closed() -> Scenario {
    upgrading(|_| {}, to_its_end)
}

fn gone() -> Scenario {
    upgrading(Conversation::wait_for_close, |mut client| {
        client.wait_for(b"welcome");
        client.reset();
        Seen::Gone
    })
}

/// Waits for the end of the connection.
fn to_its_end(mut client: Client) -> Seen {
    match see(&mut client) {
        Seen::Whole(answer) if client.ends_in_order() => Seen::Whole(answer),
        _ => Seen::Cut,
    }
}

/// The backend upgrades and then does this, the client that.
fn upgrading(backend: fn(&mut Conversation), client: fn(Client) -> Seen) -> Scenario {
    let through = Through::default();
    let at_backend = through.clone();
    let backend = Backend::start(move |conversation| {
        at_backend.upgrade(conversation);
        backend(conversation);
    });
    Scenario::of(backend).client(move |visit| client(through.ask(visit)))
}

/// The requests of which an interim answer has come through.
///
/// Pingora 0.9.1 ends an upgraded connection at once when the backend's 101 overtakes the end of the request, which has no body (its issue
/// 946). What comes between an interim answer and the 101 cannot be overtaken.
#[derive(Clone, Default)]
struct Through(Arc<Mutex<BTreeSet<String>>>);

impl Through {
    fn upgrade(&self, conversation: &mut Conversation) {
        let Some(request) = conversation.request() else {
            return;
        };
        conversation.send("HTTP/1.1 103 Early Hints\r\n\r\n");
        eventually("the interim answer is through", || {
            self.0.lock().unwrap().contains(request.target())
        });
        conversation.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome",
        );
    }

    fn ask(&self, visit: &Visit<'_>) -> Client {
        let mut client = visit.connect();
        let head = visit.head(
            "Connection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
        );
        assert_eq!(client.ask(head).status, 103);
        self.0.lock().unwrap().insert(visit.target.to_owned());
        client
    }
}

#[test]
fn an_upgraded_connection_on_which_only_the_client_speaks_stays_open() {
    // Seen failing when only what the backend says counted.
    let through = Through::default();
    let at_backend = through.clone();
    let backend = Backend::start(move |conversation| {
        at_backend.upgrade(conversation);
        conversation.wait_for(b"bye");
        conversation.send("bye");
        conversation.wait_for_close();
    });
    let slow = Backend::hanging();
    let keys = "timeouts: { read: 1s, response: 1s }";
    let proxy = Proxy::start(&upstream_of(&[backend.address()], keys));
    let clock = Proxy::start(&upstream_of(&[slow.address()], keys));
    let mut client = through.ask(&Visit {
        proxy: &proxy,
        method: "GET",
        target: "/chat",
    });
    client.wait_for(b"welcome");
    let clock = thread::spawn(move || get(clock.address(), "/").status);
    // By then the other connection has been open for longer than it may be idle.
    eventually("the time is over", || {
        client.try_send(b"still there");
        clock.is_finished()
    });
    assert_eq!(clock.join().unwrap(), 504);
    client.send("bye");
    client.wait_for(b"bye");
}
