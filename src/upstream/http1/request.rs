//! How the body of a request is framed on its way to a backend (RFC 9112 §6, §7.1).

use std::io::Write;

use bytes::Bytes;
use http::header;
use pingora_core::{Error, ErrorType, Result};

use super::connection::Connection;
use crate::semantics::headers::Headers;

/// What ends a body in chunks.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
/// What ends a chunk.
const CHUNK_END: &[u8] = b"\r\n";
/// What ends a chunk that is the last one with data.
const CHUNK_END_AND_LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
/// Sixteen hexadecimal digits and CRLF.
const LONGEST_SIZE_LINE: usize = 18;

/// The framing of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks.
    Chunked,
}

impl RequestBody {
    /// That of a request without one.
    pub const NONE: Self = Self::Length(0);

    /// That of a request whose head has these lines.
    ///
    /// # Errors
    /// None in practice: the client's framing was checked before.
    pub fn of(lines: &impl Headers) -> Result<Self> {
        if lines.values(&header::TRANSFER_ENCODING).next().is_some() {
            return Ok(Self::Chunked);
        }
        let Some(length) = lines.values(&header::CONTENT_LENGTH).next() else {
            return Ok(Self::NONE);
        };
        let length = length.to_str().ok().and_then(|text| text.parse().ok());
        length.map(Self::Length).ok_or_else(|| {
            Error::explain(ErrorType::InvalidHTTPHeader, "its length is none").into_down()
        })
    }

    /// Has `connection` write a piece of the body, and its end if it is the last one. What it had to write before must be written.
    ///
    /// # Errors
    /// The body is longer or shorter than its head says.
    pub fn write(
        &mut self,
        connection: &mut Connection,
        piece: Option<Bytes>,
        is_last: bool,
    ) -> Result<()> {
        let piece = piece.unwrap_or_default();
        match self {
            Self::Length(left) => {
                let after = left.checked_sub(piece.len() as u64);
                let Some(after) = after.filter(|after| !is_last || *after == 0) else {
                    let what = "the body is not as long as its head says";
                    return Err(Error::explain(ErrorType::ReadError, what).into_down());
                };
                *left = after;
                connection.write(b"", piece, b"");
            }
            Self::Chunked if piece.is_empty() => {
                connection.write(b"", piece, if is_last { LAST_CHUNK } else { b"" });
            }
            Self::Chunked => {
                let mut line = [0; LONGEST_SIZE_LINE];
                let mut rest = &mut line[..];
                // It cannot fail: there is room.
                let _ = write!(rest, "{:x}\r\n", piece.len());
                let length = LONGEST_SIZE_LINE - rest.len();
                let end = if is_last {
                    CHUNK_END_AND_LAST_CHUNK
                } else {
                    CHUNK_END
                };
                connection.write(&line[..length], piece, end);
            }
        }
        Ok(())
    }
}
