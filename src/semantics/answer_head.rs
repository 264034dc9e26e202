//! Where the heads of an answer end, as far as it takes to see that a connection was switched to another protocol (RFC 9110 §15.2.2).
//!
//! Interim answers may come before (RFC 9110 §15.2), and behind the 101 there is no HTTP any more. Nothing is judged: that is the HTTP
//! engine's part, which reads the same bytes. So lines end here as they do there, with or without a carriage return.

/// What has come so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Only a part of a head, or interim answers.
    #[default]
    Pending,
    /// The head of the answer itself.
    Given,
    /// A 101, and whatever comes now is no HTTP.
    Switched,
}

/// A walk along the bytes of an answer.
#[derive(Debug, Default)]
pub struct AnswerHeads {
    seen: Answer,
    /// The first bytes of the first line, as far as they are here.
    start: [u8; START],
    start_length: usize,
    first_line_is_over: bool,
    /// Bytes of the current line, without what ends it.
    line_length: usize,
}

/// `HTTP/1.1 101`
const START: usize = 12;

impl AnswerHeads {
    /// What has come so far.
    pub fn seen(&self) -> Answer {
        self.seen
    }

    /// How many of `bytes`, which come next, belong to the answer.
    pub fn walk(&mut self, bytes: &[u8]) -> usize {
        for (index, byte) in bytes.iter().enumerate() {
            match self.seen {
                Answer::Pending => self.step(*byte),
                Answer::Given => break,
                Answer::Switched => return index,
            }
        }
        bytes.len()
    }

    fn step(&mut self, byte: u8) {
        match byte {
            b'\n' if self.line_length > 0 => {
                self.first_line_is_over = true;
                self.line_length = 0;
            }
            b'\n' if self.first_line_is_over => self.end_head(),
            // Before the first line there may be empty ones.
            b'\n' | b'\r' => {}
            _ => {
                if !self.first_line_is_over && self.start_length < START {
                    self.start[self.start_length] = byte;
                    self.start_length += 1;
                }
                self.line_length += 1;
            }
        }
    }

    fn end_head(&mut self) {
        let start = &self.start[..self.start_length];
        self.seen = match start.get(START - 3..) {
            Some(b"101") => Answer::Switched,
            Some([b'1', ..]) => Answer::Pending,
            _ => Answer::Given,
        };
        self.start_length = 0;
        self.first_line_is_over = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    /// How many bytes of the answer there are, however it is cut into pieces.
    fn answer(bytes: &[u8]) -> (usize, Answer) {
        let whole = walk(bytes, bytes.len().max(1));
        for size in 1..bytes.len() {
            assert_eq!(walk(bytes, size), whole, "in pieces of {size}");
        }
        whole
    }

    fn walk(bytes: &[u8], size: usize) -> (usize, Answer) {
        let mut heads = AnswerHeads::default();
        let taken = bytes.chunks(size).map(|piece| heads.walk(piece)).sum();
        (taken, heads.seen())
    }

    #[test]
    fn what_is_behind_a_101_belongs_to_no_answer() {
        let bytes = [SWITCHED, b"\r\n\r\nwelcome\n\n"].concat();
        assert_eq!(answer(&bytes), (SWITCHED.len(), Answer::Switched));
        assert_eq!(answer(SWITCHED), (SWITCHED.len(), Answer::Switched));
    }

    #[test]
    fn interim_answers_may_come_before() {
        let interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 \n\n";
        let bytes = [&interim[..], SWITCHED, b"x"].concat();
        let length = interim.len() + SWITCHED.len();
        assert_eq!(answer(&bytes), (length, Answer::Switched));
    }

    #[test]
    fn lines_may_end_without_a_carriage_return_and_empty_ones_come_first() {
        let bytes = b"\r\n\nHTTP/1.1 101 x\nUpgrade: websocket\n\nwelcome";
        let length = bytes.len() - "welcome".len();
        assert_eq!(answer(bytes), (length, Answer::Switched));
    }

    #[test]
    fn any_other_answer_is_one_to_its_end() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 no\r\n\r\nmore"[..],
            b"HTTP/1.1 404 101\r\nX: 101\r\n\r\n",
        ] {
            assert_eq!(answer(bytes), (bytes.len(), Answer::Given));
        }
    }

    #[test]
    fn what_is_no_head_is_left_to_whoever_reads_it() {
        for bytes in [&b"HTTP/1.1 101 x\r\nUpgrade"[..], b"101", b""] {
            assert_eq!(answer(bytes), (bytes.len(), Answer::Pending));
        }
        let short = b"HTTP/1.1 103 x\r\n\r\nno\r\n\r\n";
        assert_eq!(answer(short), (short.len(), Answer::Given));
    }
}
