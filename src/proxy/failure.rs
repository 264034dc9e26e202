//! The one table of what can go wrong with a request.
//!
//! Whatever fails on a request's way becomes a [`Failure`], and this table alone says which status the client sees, which error the
//! `Proxy-Status` header names (RFC 9209 §2.3), whose fault it was, and under which name `retry.on` has it. Pingora's own mapping is not
//! used: it answers 502 for timeouts too.

use h2::Reason;
use http::StatusCode;
use pingora_core::{Error, ErrorSource, ErrorType};

use super::connection::{BodyMalformed, NothingTaken, is_behind};
use crate::config::Trigger;
use crate::filter::{Broken, Denial, Why};
use crate::upstream::{NotAdmitted, Refusal, RefusalKind};

/// What Pingora calls chunks that it cannot read, a client's or a backend's.
const INVALID_CHUNK: ErrorType = ErrorType::new("InvalidChunk");

/// Why a request could not be served as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The request cannot be understood, or can be read in two ways.
    BadRequest,
    /// The connection was made for another host than the request is for.
    Misdirected,
    /// The listener that the request came in on is not in the configuration any more.
    ListenerClosed,
    /// No route matches.
    NoRoute,
    /// The client sent its request too slowly.
    ClientTooSlow,
    /// The client took nothing of its answer for too long. Its status is logged where no answer had begun, and never sent.
    AnswerNotTaken,
    /// The client closed the connection before it had its answer. Its status, nginx's 499, is logged and never sent.
    ClientGone,
    /// No backend of the upstream can take the request: all are down.
    NoBackend,
    /// Every backend that is up has as many requests as it may.
    AllFull,
    /// Besides, as many requests wait as may.
    QueueFull,
    /// The request has waited as long as it may.
    QueueTimeout,
    /// The backend refused the connection.
    ConnectionRefused,
    /// The backend did not accept the connection in time.
    ConnectionTimeout,
    /// The backend cannot be reached.
    Unreachable,
    /// The backend's certificate was not accepted.
    TlsCertificate,
    /// TLS with the backend did not come about.
    TlsHandshake,
    /// The backend refused TLS with us.
    TlsAlert,
    /// The backend refused TLS with us when the request was on its way already.
    TlsLateAlert,
    /// There is no HTTP/2 connection to the backend: it speaks HTTP/1, or takes no more requests on one that there was.
    NoHttp2,
    /// The backend, over HTTP/2, said of the request that it did nothing with it.
    StreamRefused,
    /// This machine has no socket for the connection: no file descriptor, or no local port to this backend.
    NoSocket,
    /// The backend closed the connection before its answer had begun.
    ConnectionReset,
    /// The backend sent nothing for too long before its answer began.
    ResponseTimeout,
    /// The backend did not take the request in time.
    WriteTimeout,
    /// The answer broke off midway.
    ResponseIncomplete,
    /// The chunks of the answer's body are malformed.
    ResponseGarbled,
    /// The answer stalled midway.
    ResponseStalled,
    /// What the backend sent is not an HTTP answer.
    BadResponse,
    /// The backend answered with a status that is tried again elsewhere, and then there was no other backend.
    UnwantedStatus,
    /// A filter wants to know who is asking.
    Unauthorized,
    /// A filter does not allow the request.
    Forbidden,
    /// The body is larger than a filter allows.
    BodyTooLarge,
    /// The client has sent too many requests.
    TooManyRequests,
    /// A filter has more to do than it can.
    FilterBusy,
    /// A filter took too long.
    FilterTimeout,
    /// Something in this program went wrong, or in a filter.
    Internal,
}

impl From<NotAdmitted> for Failure {
    fn from(refusal: NotAdmitted) -> Self {
        match refusal {
            NotAdmitted::NoBackend => Self::NoBackend,
            NotAdmitted::AllFull => Self::AllFull,
            NotAdmitted::QueueFull => Self::QueueFull,
            NotAdmitted::WaitOver => Self::QueueTimeout,
        }
    }
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Malformed => Self::BadRequest,
            Denial::Unauthorized => Self::Unauthorized,
            Denial::Forbidden => Self::Forbidden,
            Denial::TooLarge => Self::BodyTooLarge,
            Denial::TooMany => Self::TooManyRequests,
            Denial::Busy => Self::FilterBusy,
        }
    }
}

impl From<&Broken> for Failure {
    fn from(broken: &Broken) -> Self {
        match broken.why {
            Why::Panicked(_) => Self::Internal,
            Why::Late => Self::FilterTimeout,
        }
    }
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client's.
    Client,
    /// The backend's.
    Backend,
    /// Ours, or the configuration's.
    Proxy,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What the client is answered, if it can be answered at all.
    pub status: StatusCode,
    /// The error's name in `Proxy-Status`.
    pub error: &'static str,
    /// Whose fault it is.
    pub fault: Fault,
    /// What `retry.on` calls it; `None` for what is never tried again.
    pub trigger: Option<Trigger>,
    /// What a person is told.
    pub sentence: &'static str,
}

impl Failure {
    /// This failure's row.
    pub fn row(self) -> Row {
        use Fault::{Backend, Client, Proxy};
        const CONNECT: Option<Trigger> = Some(Trigger::Connect);
        const RESET: Option<Trigger> = Some(Trigger::Reset);
        const TIMEOUT: Option<Trigger> = Some(Trigger::Timeout);
        const NEVER: Option<Trigger> = None;
        #[rustfmt::skip]
        let (status, error, fault, trigger, sentence) = match self {
            Self::BadRequest         => (400, "http_request_error",        Client,  NEVER,   "The request is malformed."),
            Self::Misdirected        => (421, "http_request_error",        Client,  NEVER,   "This host is not served on this connection."),
            Self::ListenerClosed     => (503, "destination_unavailable",   Proxy,   NEVER,   "The service is not at this address any more."),
            Self::NoRoute            => (404, "destination_not_found",     Proxy,   NEVER,   "There is nothing at this address."),
            Self::ClientTooSlow      => (408, "http_request_error",        Client,  NEVER,   "The request did not arrive in time."),
            Self::AnswerNotTaken     => (408, "connection_write_timeout",  Client,  NEVER,   "The answer was not taken in time."),
            Self::ClientGone         => (499, "client_closed_request",     Client,  NEVER,   "The client closed the connection."),
            Self::NoBackend          => (503, "destination_unavailable",   Backend, NEVER,   "The service is not available at the moment."),
            Self::AllFull            => (503, "connection_limit_reached",  Backend, NEVER,   "The service is too busy at the moment."),
            Self::QueueFull          => (503, "connection_limit_reached",  Backend, NEVER,   "The service is too busy at the moment."),
            Self::QueueTimeout       => (503, "connection_limit_reached",  Backend, NEVER,   "The service was too busy for too long."),
            Self::ConnectionRefused  => (502, "connection_refused",        Backend, CONNECT, "The service refused the connection."),
            Self::ConnectionTimeout  => (504, "connection_timeout",        Backend, CONNECT, "The service could not be reached in time."),
            Self::Unreachable        => (502, "destination_ip_unroutable", Backend, CONNECT, "The service cannot be reached."),
            Self::TlsCertificate     => (502, "tls_certificate_error",     Backend, CONNECT, "The service could not prove who it is."),
            Self::TlsHandshake       => (502, "tls_protocol_error",        Backend, CONNECT, "There is no secure connection to the service."),
            Self::TlsAlert           => (502, "tls_alert_received",        Backend, CONNECT, "The service refused a secure connection."),
            Self::TlsLateAlert       => (502, "tls_alert_received",        Backend, RESET,   "The service refused a secure connection."),
            Self::NoHttp2            => (502, "http_protocol_error",       Backend, CONNECT, "There is no HTTP/2 connection to the service."),
            Self::StreamRefused      => (502, "connection_terminated",     Backend, CONNECT, "The service did not take the request."),
            Self::NoSocket           => (500, "proxy_internal_error",      Proxy,   CONNECT, "Something went wrong here."),
            Self::ConnectionReset    => (502, "connection_terminated",     Backend, RESET,   "The service closed the connection without an answer."),
            Self::ResponseTimeout    => (504, "http_response_timeout",     Backend, TIMEOUT, "The service did not answer in time."),
            Self::WriteTimeout       => (504, "connection_write_timeout",  Backend, TIMEOUT, "The service did not take the request in time."),
            Self::ResponseIncomplete => (502, "http_response_incomplete",  Backend, NEVER,   "The service's answer broke off."),
            Self::ResponseGarbled    => (502, "http_response_transfer_coding", Backend, NEVER, "The service's answer is garbled."),
            Self::ResponseStalled    => (504, "connection_read_timeout",   Backend, NEVER,   "The service's answer stalled."),
            Self::BadResponse        => (502, "http_protocol_error",       Backend, NEVER,   "The service gave an answer that is not HTTP."),
            Self::UnwantedStatus     => (503, "destination_unavailable",   Backend, NEVER,   "The service is not available at the moment."),
            Self::Unauthorized       => (401, "http_request_denied",       Client,  NEVER,   "Say who you are: this needs a name and a password."),
            Self::Forbidden          => (403, "http_request_denied",       Client,  NEVER,   "This is not allowed."),
            Self::BodyTooLarge       => (413, "http_request_error",        Client,  NEVER,   "The request's body is too large."),
            Self::TooManyRequests    => (429, "http_request_denied",       Client,  NEVER,   "These are too many requests; try again later."),
            Self::FilterBusy         => (503, "http_request_denied",       Proxy,   NEVER,   "Too many requests wait to be checked; try again soon."),
            Self::FilterTimeout      => (504, "http_response_timeout",     Proxy,   NEVER,   "A check of the request took too long."),
            Self::Internal           => (500, "proxy_internal_error",      Proxy,   NEVER,   "Something went wrong here."),
        };
        Row {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            error,
            fault,
            trigger,
            sentence,
        }
    }

    /// What the logs call it: its name in `Proxy-Status`, or a word of its own where that name stands for several things.
    pub fn word(self) -> &'static str {
        match self {
            Self::ListenerClosed => "listener_closed",
            Self::QueueFull => "queue_full",
            Self::QueueTimeout => "queue_timeout",
            Self::FilterBusy => "filter_busy",
            other => other.row().error,
        }
    }

    /// What a failure to connect to a backend means.
    pub fn of_connecting(error: &Error) -> Self {
        use ErrorType::{
            BindError, ConnectRefused, ConnectTimedout, ConnectionClosed, H2Error, HandshakeError,
            InternalError, InvalidCert, SocketError, TLSHandshakeFailure, TLSHandshakeTimedout,
        };
        if let Some(refusal) = Refusal::of(error) {
            return match refusal.kind {
                RefusalKind::Certificate => Self::TlsCertificate,
                RefusalKind::Alert => Self::TlsAlert,
                RefusalKind::Protocol => Self::TlsHandshake,
            };
        }
        match error.etype() {
            ConnectTimedout | TLSHandshakeTimedout => Self::ConnectionTimeout,
            ConnectRefused | ConnectionClosed => Self::ConnectionRefused,
            TLSHandshakeFailure | InvalidCert => Self::TlsHandshake,
            HandshakeError | H2Error => Self::NoHttp2,
            SocketError | BindError | InternalError => Self::NoSocket,
            _ => Self::Unreachable,
        }
    }

    /// What an error after the connection was made means; `answered` when the answer's head had already come.
    pub fn of_exchange(error: &Error, answered: bool) -> Self {
        match error.esource() {
            ErrorSource::Downstream => Self::of_client(error),
            ErrorSource::Upstream => Self::of_backend(error, answered),
            ErrorSource::Internal | ErrorSource::Unset => Self::Internal,
        }
    }

    fn of_client(error: &Error) -> Self {
        match error.etype() {
            _ if is_behind::<NothingTaken>(error) => Self::AnswerNotTaken,
            _ if is_behind::<BodyMalformed>(error) => Self::BadRequest,
            ErrorType::ReadTimedout => Self::ClientTooSlow,
            ErrorType::InvalidHTTPHeader | ErrorType::HTTPStatus(_) => Self::BadRequest,
            error if *error == INVALID_CHUNK => Self::BadRequest,
            _ => Self::ClientGone,
        }
    }

    /// What an error of HTTP/2 means that came before the answer (RFC 9113 §7, §8.7).
    fn of_stream(error: &h2::Error) -> Self {
        match error.reason() {
            Some(Reason::HTTP_1_1_REQUIRED) => Self::NoHttp2,
            Some(Reason::REFUSED_STREAM) if error.is_remote() => Self::StreamRefused,
            Some(Reason::NO_ERROR) if error.is_go_away() && error.is_remote() => {
                Self::StreamRefused
            }
            Some(_) if !error.is_remote() => Self::BadResponse,
            // Reset by the backend, or the connection is gone.
            _ => Self::ConnectionReset,
        }
    }

    fn of_backend(error: &Error, answered: bool) -> Self {
        if let (Some(error), false) = (http2(error), answered) {
            return Self::of_stream(error);
        }
        match (error.etype(), answered) {
            (ErrorType::HandshakeError, false) => Self::NoHttp2,
            (ErrorType::ReadTimedout, false) => Self::ResponseTimeout,
            (ErrorType::ReadTimedout, true) => Self::ResponseStalled,
            (ErrorType::WriteTimedout, _) => Self::WriteTimeout,
            (error, _) if *error == INVALID_CHUNK => Self::ResponseGarbled,
            (ErrorType::InvalidHTTPHeader | ErrorType::H1Error, false) => Self::BadResponse,
            (ErrorType::ReadError | ErrorType::WriteError, false)
                if Refusal::of(error).is_some() =>
            {
                Self::TlsLateAlert
            }
            (ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError, false) => {
                Self::ConnectionReset
            }
            (_, true) => Self::ResponseIncomplete,
            (_, false) => Self::BadResponse,
        }
    }
}

/// What HTTP/2 has against it.
fn http2(error: &Error) -> Option<&h2::Error> {
    error.root_cause().downcast_ref()
}

/// Whether the backend does not want this over HTTP/2 (RFC 9113 §7).
pub(super) fn is_for_http1(error: &Error) -> bool {
    http2(error)
        .is_some_and(|error| error.is_remote() && error.reason() == Some(Reason::HTTP_1_1_REQUIRED))
}

/// Whether the backend has only said, over HTTP/2, that it takes no more requests on this connection.
pub(super) fn is_farewell(error: &Error) -> bool {
    http2(error).is_some_and(|error| {
        error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR)
    })
}

/// Whether an answer with this status speaks against the backend that gave it, as a failed request does.
///
/// Those that say something of the request and not of the backend (501, 505) do not, as with HAProxy's `observe layer7`.
pub(super) fn counts_against_backend(status: u16) -> bool {
    (500..600).contains(&status) && !matches!(status, 501 | 505)
}

/// The beginning and the end of what an error says are told, in characters: Pingora's says the whole of a head that it cannot read.
const TOLD: (usize, usize) = (300, 100);

/// What an error says, at a length that a line of the log can bear.
pub(super) fn told(error: &Error) -> String {
    let whole = error.to_string();
    let (start, end) = TOLD;
    let length = whole.chars().count();
    if length <= start + end {
        return whole;
    }
    let cut: String = whole.chars().take(start).collect();
    let rest: String = whole.chars().skip(length - end).collect();
    format!("{cut} … {rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_error_the_beginning_and_the_end_are_told() {
        let what = format!("first {} last", "ä".repeat(1_000_000));
        let told = told(&Error::explain(ErrorType::InvalidHTTPHeader, what));
        assert!(
            told.contains("first ä") && told.ends_with("ä last"),
            "{told}"
        );
        assert_eq!(told.chars().count(), 300 + 3 + 100);
    }

    #[test]
    fn a_short_error_is_told_whole() {
        let error = Error::explain(ErrorType::ReadTimedout, "x".repeat(350));
        assert_eq!(told(&error), error.to_string());
    }
}
