//! Backends that are spoken to over HTTP/2.

use h2::Reason;

use super::rows;
use super::scenario::Scenario;
use crate::support::{Authority, Backend, Http2Backend, ok};

rows! {
    reset = "the backend resets the request's stream before its answer",
    refused = "the backend refuses the request's stream",
    silent = "no answer over HTTP/2 within timeouts.response",
    http1 = "the backend speaks HTTP/1 in the clear, where protocol is http2",
    http1_over_tls = "the backend speaks HTTP/1 over TLS, where protocol is http2",
}

fn resetting(reason: Reason) -> Scenario {
    let backend = Http2Backend::start(move |mut incoming| async move {
        incoming.read().await;
        incoming.response.send_reset(reason);
    });
    Scenario::at(backend.address(), backend).over_http2()
}

fn reset() -> Scenario {
    resetting(Reason::INTERNAL_ERROR)
}

fn refused() -> Scenario {
    resetting(Reason::REFUSED_STREAM)
}

fn silent() -> Scenario {
    let backend = Http2Backend::start(|mut incoming| async move {
        let _ = std::future::poll_fn(|context| incoming.response.poll_reset(context)).await;
    });
    let silent = Scenario::at(backend.address(), backend).over_http2();
    silent.timeouts("response: 300ms")
}

fn http1() -> Scenario {
    Scenario::of(Backend::answering(|_| ok("over HTTP/1"))).over_http2()
}

fn http1_over_tls() -> Scenario {
    let authority = Authority::new("our authority");
    let mut server = authority.issue(&["app.test"]).server();
    server.alpn_protocols.clear();
    let backend = Backend::answering_tls(server, |_| ok("over HTTP/1"));
    // The one that is fine speaks no HTTP/2 either; that it is tried is seen in the attempts.
    Scenario::of(backend)
        .over_tls(&authority, "app.test")
        .key("protocol: http2")
}
