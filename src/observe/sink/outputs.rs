//! Outputs that misbehave, for tests.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};

/// Keeps what it is given, and answers each call with the next of `answers` until there are none
/// left.
#[derive(Clone, Default)]
pub(super) struct Recorder {
    written: Arc<Mutex<Vec<u8>>>,
    pub(super) calls: Arc<AtomicU64>,
    answers: Arc<Mutex<VecDeque<io::Result<usize>>>>,
}

impl Recorder {
    pub(super) fn answering(answers: impl IntoIterator<Item = io::Result<usize>>) -> Recorder {
        let recorder = Recorder::default();
        recorder.answers.lock().unwrap().extend(answers);
        recorder
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.written.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Recorder {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let count = self
            .answers
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(Ok(bytes.len()))?
            .min(bytes.len());
        self.written
            .lock()
            .unwrap()
            .extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that has stopped reading, until its gate is opened (or its other end dropped).
pub(super) struct Stuck {
    gate: mpsc::Receiver<()>,
    entered: mpsc::Sender<()>,
    behind: Recorder,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Both fail once the test has let go of the other end, which is as good as an open gate.
        let _ = self.entered.send(());
        let _ = self.gate.recv();
        self.behind.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn stuck() -> (Stuck, mpsc::Sender<()>, mpsc::Receiver<()>, Recorder) {
    let ((open, gate), (entered, inside)) = (mpsc::channel(), mpsc::channel());
    let behind = Recorder::default();
    (
        Stuck {
            gate,
            entered,
            behind: behind.clone(),
        },
        open,
        inside,
        behind,
    )
}
