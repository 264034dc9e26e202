//! Why a check failed, as it is told to whoever reads the log.
//!
//! A sentence about the backend, without its name: "it refused the connection". What Pingora calls an error is put into such words here.

use std::fmt;
use std::io;

use pingora_core::{Error, ErrorType};

/// Why a check failed.
#[derive(Debug)]
pub(super) struct Reason(String);

impl Reason {
    pub(super) fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<Box<Error>> for Reason {
    fn from(error: Box<Error>) -> Self {
        let kind = error.root_cause().downcast_ref().map(io::Error::kind);
        let words = match (error.etype(), kind) {
            (ErrorType::ConnectRefused, _) => "it refused the connection",
            (ErrorType::ConnectTimedout, _) => "it did not accept the connection in time",
            (ErrorType::ConnectNoRoute, _) => "there is no route to it",
            (_, Some(io::ErrorKind::ConnectionReset)) => "it reset the connection",
            (ErrorType::ConnectionClosed, _)
            | (_, Some(io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof)) => {
                "it closed the connection without an answer"
            }
            (ErrorType::InvalidHTTPHeader, _) => "its answer is not HTTP",
            (ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert, _) => {
                return Self(format!("the TLS handshake failed: {}", cause(&error)));
            }
            _ => return Self(cause(&error)),
        };
        Self::new(words)
    }
}

/// What is at the bottom of it, without what Pingora puts around it.
pub(super) fn cause(error: &Error) -> String {
    let root = error.root_cause();
    match root.downcast_ref::<Error>() {
        Some(error) => match &error.context {
            Some(context) => context.as_str().to_owned(),
            None => error.etype().as_str().to_owned(),
        },
        None => root.to_string(),
    }
}
