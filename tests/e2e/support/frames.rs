//! HTTP/2 frame by frame (RFC 9113 §4.1): a library would not send what a proxy must refuse.

use std::io;

use super::{Client, Conversation};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// What a client begins with (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A frame as it goes over the wire.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header line as HPACK spells it without any table (RFC 7541 §6.2.2).
pub(crate) fn line(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut line = vec![0];
    for text in [name.as_ref(), value.as_ref()] {
        length(text.len(), &mut line);
        line.extend(text);
    }
    line
}

/// An integer with a prefix of seven bits (RFC 7541 §5.1).
fn length(length: usize, line: &mut Vec<u8>) {
    let low = |value: usize| u8::try_from(value & 0x7f).unwrap();
    if length < 0x7f {
        return line.push(low(length));
    }
    line.push(0x7f);
    let mut rest = length - 0x7f;
    while rest >= 0x80 {
        line.push(low(rest) | 0x80);
        rest >>= 7;
    }
    line.push(low(rest));
}

/// The first frame of `bytes`, if it is all there.
fn take(bytes: &mut Vec<u8>) -> Option<Frame> {
    let head: [u8; 9] = bytes.get(..9)?.try_into().unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let payload = bytes.get(9..9 + length)?.to_vec();
    bytes.drain(..9 + length);
    Some(Frame {
        kind: head[3],
        flags: head[4],
        stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
        payload,
    })
}

impl Frame {
    /// The number in its first four bytes, or behind them: of a reset, or of a farewell.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

impl Conversation {
    /// The proxy's preface is read, and answered.
    pub(crate) fn begin_frames(&mut self) {
        while self.unread.len() < PREFACE.len() && self.read_more().is_some() {}
        let length = self.unread.len().min(PREFACE.len());
        self.unread.drain(..length);
        self.send(frame(SETTINGS, 0, 0, &[]));
    }

    /// The next frame; `None` when the proxy has closed.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = take(&mut self.unread) {
                return Some(frame);
            }
            self.read_more()?;
        }
    }
}

impl Client {
    /// The next frame; `None` when the other side has closed.
    pub(crate) fn frame(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = take(&mut self.unread) {
                return Ok(Some(frame));
            }
            if !self.read_more()? {
                return Ok(None);
            }
        }
    }
}
