//! Finds the heads in what came over one connection. It holds at most what hyper has read and not yet worked
//! off; the bytes of bodies go by without being copied.

use super::{Head, with_request};
use bytes::{Buf, BytesMut};
use httparse::Status;

/// What was read and has not yet been taken; starts at a request's head unless `ahead` says otherwise.
#[derive(Default)]
pub(super) struct Tape {
    bytes: BytesMut,
    ahead: Ahead,
}

/// What the next byte on the tape belongs to.
#[derive(Clone, Copy, Default)]
enum Ahead {
    #[default]
    Head,
    /// A body, or what is left of it.
    Body(u64),
    ChunkSize,
    /// The data of a chunk and its line end, or what is left of them.
    Chunk(u64),
    Trailers,
    Lost,
}

impl Tape {
    pub(super) fn record(&mut self, bytes: &[u8]) {
        let bytes = self.step_over(bytes);
        if !bytes.is_empty() && !matches!(self.ahead, Ahead::Lost) {
            self.bytes.extend_from_slice(bytes);
            self.advance();
        }
    }

    /// See [`SharedTape::take_head`](super::SharedTape::take_head); `None` when no head is there.
    pub(super) fn take_head(&mut self, body_length: Option<u64>) -> Option<Head> {
        if !matches!(self.ahead, Ahead::Head) {
            return None;
        }
        let length = with_request(&self.bytes, |length, _| length)?;
        let head = self.bytes.split_to(length).freeze();
        self.ahead = match body_length {
            Some(0) => Ahead::Head,
            Some(length) => Ahead::Body(length),
            None => Ahead::ChunkSize,
        };
        self.advance();
        Some(Head(head))
    }

    /// Leaves out what belongs to a body without copying it. While it does, the tape is empty.
    fn step_over<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (Ahead::Body(left) | Ahead::Chunk(left)) = self.ahead else {
            return bytes;
        };
        let stepped = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.shorten(left, stepped);
        bytes.get(stepped..).unwrap_or_default()
    }

    fn shorten(&mut self, left: u64, stepped: usize) {
        let left = left.saturating_sub(stepped as u64);
        self.ahead = match self.ahead {
            Ahead::Chunk(_) if left == 0 => Ahead::ChunkSize,
            Ahead::Chunk(_) => Ahead::Chunk(left),
            _ if left == 0 => Ahead::Head,
            _ => Ahead::Body(left),
        };
    }

    /// Drops what stands before the next head, as far as it has been read.
    fn advance(&mut self) {
        while !self.bytes.is_empty() {
            let stepped = match self.ahead {
                Ahead::Head => None,
                Ahead::Body(left) | Ahead::Chunk(left) => self.drop_body(left),
                Ahead::ChunkSize => self.drop_chunk_size(),
                Ahead::Trailers => self.drop_trailer(),
                Ahead::Lost => {
                    self.bytes.clear();
                    None
                }
            };
            if stepped.is_none() {
                break;
            }
        }
    }

    fn drop_body(&mut self, left: u64) -> Option<()> {
        let stepped =
            usize::try_from(left).map_or(self.bytes.len(), |left| left.min(self.bytes.len()));
        self.bytes.advance(stepped);
        self.shorten(left, stepped);
        Some(())
    }

    fn drop_chunk_size(&mut self) -> Option<()> {
        self.ahead = match httparse::parse_chunk_size(&self.bytes) {
            Ok(Status::Partial) => return None,
            Ok(Status::Complete((length, size))) => {
                self.bytes.advance(length);
                match size {
                    0 => Ahead::Trailers,
                    _ => Ahead::Chunk(size.saturating_add(LINE_END.len() as u64)),
                }
            }
            Err(_) => Ahead::Lost,
        };
        Some(())
    }

    /// Drops one line of the trailer section; the empty one ends it. A line ends where it ends for hyper: at
    /// CR LF, not at a bare LF.
    fn drop_trailer(&mut self) -> Option<()> {
        let length = self
            .bytes
            .windows(LINE_END.len())
            .position(|pair| pair == LINE_END)?;
        self.bytes.advance(length + LINE_END.len());
        if length == 0 {
            self.ahead = Ahead::Head;
        }
        Some(())
    }
}

const LINE_END: &[u8] = b"\r\n";

#[cfg(test)]
mod tests;
