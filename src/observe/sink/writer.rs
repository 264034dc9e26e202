//! The thread behind a sink.
//!
//! It sleeps until lines wait, collects a little longer, swaps the buffer and writes it. When
//! writing fails (a full disk, a reader that has gone) the lines are lost and counted, and the next
//! batch is tried again: the disk may have room by then. A line that was torn by a failure is ended
//! before the next one begins.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Queue, Waiting};
use crate::clock::Clock;

/// How long lines are collected before they are written.
const COLLECT: Duration = Duration::from_millis(50);

/// With this many bytes a batch is worth writing at once.
const LARGE: usize = 256 * 1024;

/// The shortest time between two complaints.
const QUIET: Duration = Duration::from_secs(10);

/// Whom to tell that lines were lost.
pub(super) type Complain = Box<dyn FnMut(&str) + Send>;

pub(super) struct Writer {
    output: Box<dyn Write + Send>,
    queue: Arc<Queue>,
    clock: Arc<dyn Clock>,
    complain: Complain,
    /// The output ends in the middle of a line.
    torn: bool,
    complaints: Complaints,
}

impl Writer {
    pub(super) fn new(
        output: Box<dyn Write + Send>,
        queue: Arc<Queue>,
        clock: Arc<dyn Clock>,
        complain: Complain,
    ) -> Writer {
        Writer {
            output,
            queue,
            clock,
            complain,
            torn: false,
            complaints: Complaints::default(),
        }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut batch = Vec::with_capacity(LARGE);
        let mut open = true;
        while open {
            open = self.next_batch(&mut batch);
            if let Err(error) = self.write(&batch) {
                self.complaints.last_error = Some(error);
            }
            batch.clear();
            batch.shrink_to(4 * LARGE);
            self.report(if open { QUIET } else { Duration::ZERO });
        }
        self.queue.lock().done = true;
        self.queue.done.notify_all();
    }

    /// Waits for lines and swaps them with the empty `batch`; `false` when these are the last ones.
    fn next_batch(&mut self, batch: &mut Vec<u8>) -> bool {
        let idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.is_urgent();
        let collecting =
            |waiting: &mut Waiting| waiting.lines.len() < LARGE && !waiting.is_urgent();

        let mut waiting = self.queue.lock();
        waiting.wake_at = Some(1);
        waiting = self
            .queue
            .work
            .wait_while(waiting, idle)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.wake_at = Some(LARGE);
        let collected = self
            .queue
            .work
            .wait_timeout_while(waiting, COLLECT, collecting);
        waiting = collected.unwrap_or_else(PoisonError::into_inner).0;
        waiting.wake_at = None;

        std::mem::swap(&mut waiting.lines, batch);
        let switch_to = waiting.switch_to.take();
        let open = !waiting.closing;
        drop(waiting);
        if let Some(output) = switch_to {
            self.output = output;
            self.torn = false;
        }
        open
    }

    /// Writes whole lines, and counts those that are lost.
    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        let (written, result) = match self.end_torn_line() {
            Ok(()) => write_some(&mut *self.output, batch),
            Err(error) => (0, Err(error)),
        };
        let (done, lost) = batch.split_at(written);
        if let Some(&last) = done.last() {
            self.torn = last != b'\n';
        }
        let lines_lost = lost.iter().filter(|&&byte| byte == b'\n').count();
        self.queue.count_dropped(lines_lost as u64);
        result.and_then(|()| self.output.flush())
    }

    fn end_torn_line(&mut self) -> io::Result<()> {
        if self.torn {
            write_some(&mut *self.output, b"\n").1?;
            self.torn = false;
        }
        Ok(())
    }

    fn report(&mut self, quiet: Duration) {
        let dropped = self.queue.dropped.load(Ordering::Relaxed);
        if let Some(message) = self.complaints.next(dropped, self.clock.now(), quiet) {
            (self.complain)(&message);
        }
    }
}

impl Waiting {
    fn is_urgent(&self) -> bool {
        self.closing || self.switch_to.is_some()
    }
}

/// Decides when lost lines are worth a line in the log.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    reported: u64,
    last: Option<Instant>,
    last_error: Option<io::Error>,
}

impl Complaints {
    /// The message for what was lost since the last one, unless there is nothing or the last one is
    /// less than `quiet` ago.
    pub(super) fn next(&mut self, dropped: u64, now: Instant, quiet: Duration) -> Option<String> {
        let recently = self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < quiet);
        if dropped == self.reported || recently {
            return None;
        }
        let lines = dropped - self.reported;
        self.reported = dropped;
        self.last = Some(now);
        let reason = match self.last_error.take() {
            Some(error) => error.to_string(),
            None => "they come faster than they can be written".to_owned(),
        };
        Some(format!(
            "{lines} lines dropped, {dropped} since the start: {reason}"
        ))
    }
}

/// Writes as much as it can, and says how much that was.
fn write_some(output: &mut dyn Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match output.write(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Whoever gave us this output made it non-blocking; this thread may wait.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(COLLECT),
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}
