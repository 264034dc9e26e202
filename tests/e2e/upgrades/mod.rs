//! WebSockets: what becomes of a connection that the backend has switched to another protocol.

mod refused;
mod storm;
mod tunnel;

use std::net::SocketAddr;

use crate::support::Client;

/// A client's request to become a WebSocket.
const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A backend's consent, and its first words behind it.
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome";

/// A client that has been let in and greeted.
fn welcomed(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    assert_eq!(client.ask(ASK).status, 101);
    client.wait_for(b"welcome");
    client
}
