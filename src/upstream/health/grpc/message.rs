//! The two messages of `grpc.health.v1.Health/Check`, each in the frame that gRPC puts around a message.
//!
//! ```text
//! message HealthCheckRequest  { string service = 1; }
//! message HealthCheckResponse { ServingStatus status = 1; }
//! frame: compressed? (1 byte, 0 or 1), length (4 bytes, big endian), message
//! ```
//!
//! One field each, so they are written and read by hand: what a generator would bring is larger than they are. As the encoding of Protocol
//! Buffers demands, fields that are not known are skipped, and of a field that comes twice the last one counts.

/// What a server says of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServingStatus {
    Unknown,
    Serving,
    NotServing,
    ServiceUnknown,
    Other(u64),
}

impl From<u64> for ServingStatus {
    fn from(number: u64) -> Self {
        match number {
            0 => Self::Unknown,
            1 => Self::Serving,
            2 => Self::NotServing,
            3 => Self::ServiceUnknown,
            other => Self::Other(other),
        }
    }
}

/// Field 1 with a length and so many bytes: a string.
const STRING_1: u8 = 1 << 3 | 2;

/// The framed request about `service`.
pub(super) fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    // A field at its default is left out.
    if !service.is_empty() {
        message.push(STRING_1);
        write_varint(service.len() as u64, &mut message);
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = vec![0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.append(&mut message);
    frame
}

/// The status in a framed response, if that is what it is.
pub(super) fn answer(frame: &[u8]) -> Option<ServingStatus> {
    let (header, message) = frame.split_first_chunk::<5>()?;
    let [compressed, length @ ..] = *header;
    let is_whole = u32::from_be_bytes(length) as usize == message.len();
    if compressed != 0 || !is_whole {
        return None;
    }
    let mut status = 0;
    let mut rest = Bytes(message);
    while !rest.0.is_empty() {
        if let Field::Varint(1, value) = rest.field()? {
            status = value;
        }
    }
    Some(status.into())
}

enum Field {
    Varint(u64, u64),
    Other,
}

/// What is left to read of a message.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn field(&mut self) -> Option<Field> {
        let tag = self.varint()?;
        let number = tag >> 3;
        match tag & 7 {
            _ if number == 0 => return None,
            0 => return Some(Field::Varint(number, self.varint()?)),
            1 => self.skip(8)?,
            2 => {
                let length = self.varint()?;
                self.skip(length)?;
            }
            5 => self.skip(4)?,
            // Groups, which nobody has written for many years, and what is no type at all.
            _ => return None,
        }
        Some(Field::Other)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(count).ok()?..)?;
        Some(())
    }
}

fn write_varint(mut value: u64, message: &mut Vec<u8>) {
    while value > 0x7F {
        message.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests;
