//! The backend answers, with a status that is none of success.

use super::rows;
use super::scenario::Scenario;
use crate::support::Backend;

rows! {
    bad_request = "the backend answers 400",
    not_found = "the backend answers 404",
    too_many_requests = "the backend answers 429",
    internal_error = "the backend answers 500",
    not_implemented = "the backend answers 501",
    bad_gateway = "the backend answers 502",
    unavailable = "the backend answers 503",
    gateway_timeout = "the backend answers 504",
    unknown_version = "the backend answers 505",
}

fn answering(status: u16) -> Scenario {
    Scenario::of(Backend::answering(move |_| {
        format!("HTTP/1.1 {status} Such\r\nContent-Length: 4\r\n\r\noops")
    }))
}

fn bad_request() -> Scenario {
    answering(400)
}

fn not_found() -> Scenario {
    answering(404)
}

fn too_many_requests() -> Scenario {
    answering(429)
}

fn internal_error() -> Scenario {
    answering(500)
}

fn not_implemented() -> Scenario {
    answering(501)
}

fn bad_gateway() -> Scenario {
    answering(502)
}

fn unavailable() -> Scenario {
    answering(503)
}

fn gateway_timeout() -> Scenario {
    answering(504)
}

fn unknown_version() -> Scenario {
    answering(505)
}
