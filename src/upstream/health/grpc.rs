//! A check over gRPC: the unary call `grpc.health.v1.Health/Check`, which must say SERVING.
//!
//! It is one HTTP/2 request, so it needs no gRPC library. What is sent and understood follows the protocol's own description ("gRPC over
//! HTTP2") and that of the health checking protocol, both in the `grpc` repository under `doc/`.

use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::uri::{Scheme, Uri};
use pingora_core::Error;
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::protocols::http::v2::client::Http2Session;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;

use super::Reason;
use super::probe::NAME;
use super::reason::cause;
use crate::config::GrpcProbe;
use crate::upstream::dial::host_of;
use message::ServingStatus;

mod message;

/// The answer is a handful of bytes.
const ANSWER_LIMIT: usize = 4 * 1024;

/// So much of what a backend says about its failure is repeated, in letters.
const MESSAGE_LIMIT: usize = 200;

const STATUS: &str = "grpc-status";
const NO_STATUS: &str = "its answer has no grpc-status";

pub(super) async fn ask(
    session: HttpSession,
    peer: &HttpPeer,
    probe: &GrpcProbe,
    limit: Duration,
) -> Result<(), Reason> {
    let HttpSession::H2(mut session) = session else {
        return Err(Reason::new("it does not speak HTTP/2, which gRPC needs"));
    };
    session
        .write_request_header(Box::new(request(peer, limit)?), false)
        .map_err(broken_off)?;
    let question = message::question(&probe.service);
    session
        .write_request_body(question.into(), true)
        .await
        .map_err(broken_off)?;
    session.read_response_header().await.map_err(broken_off)?;
    let service = &probe.service;
    let mut has_status = false;
    if let Some(header) = session.response_header() {
        let status = header.status.as_u16();
        if status != 200 {
            return Err(Reason::new(format!("it answered with status {status}")));
        }
        // A call that fails at once has no more than a head; one that succeeds has its status in the trailers.
        has_status = header.headers.contains_key(STATUS);
        if has_status {
            succeeded(&header.headers, service)?;
        }
    }
    let answer = read(&mut session).await?;
    if let Some(trailers) = session.read_trailers().await.map_err(broken_off)? {
        succeeded(&trailers, service)?;
    } else if !has_status {
        return Err(Reason::new(NO_STATUS));
    }
    match message::answer(&answer) {
        Some(status) => serving(status, service),
        None => Err(Reason::new("its answer is no HealthCheckResponse")),
    }
}

fn request(peer: &HttpPeer, limit: Duration) -> Result<RequestHeader, Reason> {
    let scheme = if peer.is_tls() {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    };
    let authority = match peer.sni.as_str() {
        "" => host_of(peer),
        name => name.to_owned(),
    };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query("/grpc.health.v1.Health/Check")
        .build()
        .map_err(|error| Reason::new(format!("it cannot be asked: {error}")))?;
    let mut request = RequestHeader::build("POST", b"/", Some(4))?;
    request.set_uri(uri);
    request.insert_header(CONTENT_TYPE, "application/grpc")?;
    request.insert_header(TE, "trailers")?;
    request.insert_header(USER_AGENT, NAME)?;
    // At most eight digits, which a day in milliseconds just has.
    request.insert_header("grpc-timeout", format!("{}m", limit.as_millis()))?;
    Ok(request)
}

async fn read(session: &mut Http2Session) -> Result<Vec<u8>, Reason> {
    let mut answer = Vec::new();
    while let Some(part) = session.read_response_body().await.map_err(broken_off)? {
        answer.extend_from_slice(&part);
        if answer.len() > ANSWER_LIMIT {
            return Err(Reason::new("its answer is too long"));
        }
    }
    Ok(answer)
}

fn broken_off(error: Box<Error>) -> Reason {
    let cause = cause(&error);
    Reason::new(format!(
        "the exchange over HTTP/2 broke off ({cause}); does it speak HTTP/2?"
    ))
}

/// Whether the call succeeded, as its `grpc-status` says.
fn succeeded(headers: &HeaderMap, service: &str) -> Result<(), Reason> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let Some(code) = text(STATUS) else {
        return Err(Reason::new(NO_STATUS));
    };
    let meaning = match code {
        "0" => return Ok(()),
        "5" if service.is_empty() => "it has no health for the server as a whole".to_owned(),
        "5" => format!("it has no service {service:?}"),
        "12" => "it has no grpc.health.v1.Health".to_owned(),
        _ => "it could not say".to_owned(),
    };
    let name = code.parse().ok().and_then(|code: usize| CODES.get(code));
    let name = name.map_or(String::new(), |name| format!(" {name}"));
    let said: String = text("grpc-message")
        .unwrap_or_default()
        .chars()
        .take(MESSAGE_LIMIT)
        .collect();
    let said = if said.is_empty() {
        said
    } else {
        format!(": {said}")
    };
    Err(Reason::new(format!(
        "{meaning} (grpc-status {code}{name}{said})"
    )))
}

/// What the numbers from 0 on mean.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

fn serving(status: ServingStatus, service: &str) -> Result<(), Reason> {
    let what = match service {
        "" => String::new(),
        service => format!(" {service:?}"),
    };
    Err(Reason::new(match status {
        ServingStatus::Serving => return Ok(()),
        ServingStatus::NotServing => format!("it says that it does not serve{what} (NOT_SERVING)"),
        ServingStatus::Unknown => format!("it does not know whether it serves{what} (UNKNOWN)"),
        ServingStatus::ServiceUnknown => format!("it has no service{what} (SERVICE_UNKNOWN)"),
        ServingStatus::Other(number) => {
            format!("it answered with the unknown serving status {number}")
        }
    }))
}
