//! A body that is compressed as it comes.
//!
//! Each piece is flushed: a client can decode all of a piece when it gets it, and a slow backend's first line does not
//! wait for its second. That costs a few bytes for each piece, and nothing where pieces are large.
//!
//! What is kept between two pieces is bounded, whatever the length of the body: a window of 256 KiB and the tables of the
//! algorithm, with the highest levels 3.6 MiB in all. A piece, at most 64 KiB as the engine reads them, is compressed in
//! one go on the thread of its connection.

use crate::config::Algorithm;
use crate::filter::ResponseBody;
use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::write::GzEncoder;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// How far back a repetition is found: 2^18 bytes. More would be found in more, and every answer would need the room.
const WINDOW: u32 = 18;

/// Room for what a compressor gives at a time, in bytes.
const BUFFER: usize = 4096;

/// A body that is compressed; nothing once its last piece has come.
pub(super) struct Stream(Option<Encoder>);

enum Encoder {
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    /// It may not be looked at from two threads; nobody does.
    Zstd(Mutex<zstd::stream::write::Encoder<'static, Vec<u8>>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Stream {
    /// None when the algorithm finds no memory.
    pub(super) fn new(algorithm: Algorithm, level: u32) -> Option<Self> {
        let encoder = match algorithm {
            Algorithm::Brotli => {
                let writer = CompressorWriter::new(Vec::new(), BUFFER, level, WINDOW);
                Encoder::Brotli(Box::new(writer))
            }
            Algorithm::Zstd => {
                let level = i32::try_from(level).ok()?;
                let mut writer = zstd::stream::write::Encoder::new(Vec::new(), level).ok()?;
                writer.window_log(WINDOW).ok()?;
                Encoder::Zstd(Mutex::new(writer))
            }
            Algorithm::Gzip => {
                let level = flate2::Compression::new(level);
                Encoder::Gzip(GzEncoder::new(Vec::new(), level))
            }
        };
        Some(Stream(Some(encoder)))
    }

    fn compress(&mut self, piece: &[u8], is_last: bool) -> io::Result<Vec<u8>> {
        if is_last {
            let encoder = self.0.take();
            return encoder.map_or(Ok(Vec::new()), |encoder| encoder.finish(piece));
        }
        match &mut self.0 {
            Some(encoder) if !piece.is_empty() => encoder.compress(piece),
            _ => Ok(Vec::new()),
        }
    }
}

impl ResponseBody for Stream {
    fn piece(&mut self, piece: Bytes, is_last: bool) -> Bytes {
        let compressed = self.compress(&piece, is_last);
        // The chain makes of it an answer that breaks off: one that went on would look whole.
        compressed.expect("memory to compress in").into()
    }
}

impl Encoder {
    fn compress(&mut self, piece: &[u8]) -> io::Result<Vec<u8>> {
        fn write(mut writer: impl Write, piece: &[u8]) -> io::Result<()> {
            writer.write_all(piece)?;
            writer.flush()
        }
        match self {
            Encoder::Brotli(writer) => {
                write(&mut *writer, piece)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Encoder::Zstd(writer) => {
                let writer = writer.get_mut().unwrap_or_else(PoisonError::into_inner);
                write(&mut *writer, piece)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Encoder::Gzip(writer) => {
                write(&mut *writer, piece)?;
                Ok(std::mem::take(writer.get_mut()))
            }
        }
    }

    fn finish(self, piece: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Encoder::Brotli(mut writer) => {
                writer.write_all(piece)?;
                Ok(writer.into_inner())
            }
            Encoder::Zstd(writer) => {
                let mut writer = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
                writer.write_all(piece)?;
                writer.finish()
            }
            Encoder::Gzip(mut writer) => {
                writer.write_all(piece)?;
                writer.finish()
            }
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.0 {
            Some(Encoder::Brotli(_)) => "Brotli",
            Some(Encoder::Zstd(_)) => "Zstd",
            Some(Encoder::Gzip(_)) => "Gzip",
            None => "Finished",
        })
    }
}

#[cfg(test)]
mod tests;
