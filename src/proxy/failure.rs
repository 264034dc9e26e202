//! The one table of what can go wrong with a request.
//!
//! Whatever fails on a request's way becomes a [`Failure`], and this table alone says which status the client sees, which error the
//! `Proxy-Status` header names (RFC 9209 §2.3), whose fault it was, and whether another backend may be tried. Pingora's own mapping is not
//! used: it answers 502 for timeouts too.

use http::StatusCode;
use pingora_core::{Error, ErrorSource, ErrorType};

/// Why a request could not be served as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The request cannot be understood, or can be read in two ways.
    BadRequest,
    /// No route matches.
    NoRoute,
    /// The client sent its request too slowly.
    ClientTooSlow,
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
    /// The backend closed the connection before its answer had begun.
    ConnectionReset,
    /// The backend sent nothing for too long before its answer began.
    ResponseTimeout,
    /// The backend did not take the request in time.
    WriteTimeout,
    /// The answer broke off midway.
    ResponseIncomplete,
    /// The answer stalled midway.
    ResponseStalled,
    /// What the backend sent is not an HTTP answer.
    BadResponse,
    /// Something in this program went wrong.
    Internal,
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

/// How much of a request a failed backend may have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing was sent: any request may go to another backend.
    Always,
    /// The request may have been acted upon: only an idempotent one may be sent again (RFC 9110 §9.2.2).
    IfIdempotent,
    /// Another attempt would not help, or might do harm.
    Never,
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
    /// Whether another backend may be tried.
    pub retry: Retry,
    /// What a person is told.
    pub sentence: &'static str,
}

impl Failure {
    /// This failure's row.
    pub fn row(self) -> Row {
        use Fault::{Backend, Client, Proxy};
        use Retry::{Always, IfIdempotent, Never};
        #[rustfmt::skip]
        let (status, error, fault, retry, sentence) = match self {
            Self::BadRequest         => (400, "http_request_error",        Client,  Never,        "The request is malformed."),
            Self::NoRoute            => (404, "destination_not_found",     Proxy,   Never,        "There is nothing at this address."),
            Self::ClientTooSlow      => (408, "http_request_error",        Client,  Never,        "The request did not arrive in time."),
            Self::ClientGone         => (499, "client_closed_request",     Client,  Never,        "The client closed the connection."),
            Self::NoBackend          => (503, "destination_unavailable",   Backend, Never,        "The service is not available at the moment."),
            Self::AllFull            => (503, "connection_limit_reached",  Backend, Never,        "The service is too busy at the moment."),
            Self::QueueFull          => (503, "connection_limit_reached",  Backend, Never,        "The service is too busy at the moment."),
            Self::QueueTimeout       => (503, "connection_limit_reached",  Backend, Never,        "The service was too busy for too long."),
            Self::ConnectionRefused  => (502, "connection_refused",        Backend, Always,       "The service refused the connection."),
            Self::ConnectionTimeout  => (504, "connection_timeout",        Backend, Always,       "The service could not be reached in time."),
            Self::Unreachable        => (502, "destination_ip_unroutable", Backend, Always,       "The service cannot be reached."),
            Self::ConnectionReset    => (502, "connection_terminated",     Backend, IfIdempotent, "The service closed the connection without an answer."),
            Self::ResponseTimeout    => (504, "http_response_timeout",     Backend, Never,        "The service did not answer in time."),
            Self::WriteTimeout       => (504, "connection_write_timeout",  Backend, Never,        "The service did not take the request in time."),
            Self::ResponseIncomplete => (502, "http_response_incomplete",  Backend, Never,        "The service's answer broke off."),
            Self::ResponseStalled    => (504, "connection_read_timeout",   Backend, Never,        "The service's answer stalled."),
            Self::BadResponse        => (502, "http_protocol_error",       Backend, Never,        "The service gave an answer that is not HTTP."),
            Self::Internal           => (500, "proxy_internal_error",      Proxy,   Never,        "Something went wrong here."),
        };
        Row {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            error,
            fault,
            retry,
            sentence,
        }
    }

    /// What the logs call it: its name in `Proxy-Status`, or a word of its own where that name stands for several things.
    pub fn word(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::QueueTimeout => "queue_timeout",
            other => other.row().error,
        }
    }

    /// What a failure to connect to a backend means.
    pub fn of_connecting(error: &Error) -> Self {
        use ErrorType::{
            ConnectNoRoute, ConnectRefused, ConnectTimedout, ConnectionClosed, TLSHandshakeTimedout,
        };
        match error.etype() {
            ConnectTimedout | TLSHandshakeTimedout => Self::ConnectionTimeout,
            ConnectRefused | ConnectionClosed => Self::ConnectionRefused,
            ConnectNoRoute => Self::Unreachable,
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
            ErrorType::ReadTimedout => Self::ClientTooSlow,
            ErrorType::InvalidHTTPHeader | ErrorType::HTTPStatus(_) => Self::BadRequest,
            _ => Self::ClientGone,
        }
    }

    fn of_backend(error: &Error, answered: bool) -> Self {
        match (error.etype(), answered) {
            (ErrorType::ReadTimedout, false) => Self::ResponseTimeout,
            (ErrorType::ReadTimedout, true) => Self::ResponseStalled,
            (ErrorType::WriteTimedout, _) => Self::WriteTimeout,
            (ErrorType::InvalidHTTPHeader | ErrorType::H1Error, false) => Self::BadResponse,
            (ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError, false) => {
                Self::ConnectionReset
            }
            (_, true) => Self::ResponseIncomplete,
            (_, false) => Self::BadResponse,
        }
    }
}
