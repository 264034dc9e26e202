//! The connection was upgraded, and both sides speak when they like. How long they may be silent is seen in `upgrades`.

use super::rows;
use super::scenario::{Scenario, Seen, see};
use crate::support::{Backend, Client, Conversation};

rows! {
    reset = "the backend resets an upgraded connection",
    closed = "the backend closes an upgraded connection",
    gone = "the client resets an upgraded connection",
}

fn reset() -> Scenario {
    upgrading(
        |conversation| {
            conversation.wait_for(b"go");
            conversation.reset();
        },
        |mut client| {
            client.wait_for(b"welcome");
            client.send("go");
            to_its_end(client)
        },
    )
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
    let backend = Backend::start(move |conversation| {
        if conversation.request().is_some() {
            conversation.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome",
            );
            backend(conversation);
        }
    });
    Scenario::of(backend).client(move |visit| {
        let mut asking = visit.connect();
        asking.send(visit.head(
            "Connection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
        ));
        client(asking)
    })
}
