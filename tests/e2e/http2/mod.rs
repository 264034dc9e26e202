//! HTTP/2 towards clients: which version is spoken (`protocols`), what becomes of requests (`requests`), of answers that fail (`broken`), and
//! what a client cannot do to the others (`limits`, `floods`). `conformance` is about the frames themselves.

mod broken;
mod conformance;
mod floods;
mod limits;
mod protocols;
mod requests;

use crate::support::Proxy;
use crate::support::frames::{HEADERS, frame, line};

/// One listener whose answers are its own.
fn answering_proxy() -> Proxy {
    Proxy::start(
        "listeners:\n  - address: 127.0.0.1:0\nroutes:\n  - respond: { status: 200, body: fine }\n",
    )
}

/// The head of a request, as a frame.
fn head(stream: u32, flags: u8) -> Vec<u8> {
    let lines = [
        line(":method", "POST"),
        line(":scheme", "http"),
        line(":path", "/"),
        line(":authority", "a.test"),
    ];
    frame(HEADERS, flags, stream, &lines.concat())
}
