//! Where lines go without anybody waiting for them.
//!
//! A disk that is slow or a reader that has stopped reading must cost lines, never requests. So a
//! worker only copies its line into a bounded buffer; one thread swaps that buffer for an empty one
//! and writes it with as few system calls as it can. When the buffer is full the line is dropped
//! and counted, and the writer says so, at most every ten seconds. The lock is held for one copy or
//! one swap, never during input or output. A queue of lines in place of the buffer would cost an
//! allocation per line, and could bound only their number, not the memory they take.
//!
//! While lines keep coming the writer collects for a twentieth of a second, so that a busy server
//! pays for twenty wake-ups a second and not for one per request. Files are opened with
//! `O_APPEND` and get whole lines, so two processes may share one. Nothing is synced to disk: an
//! access log is not a journal.

mod writer;

#[cfg(test)]
mod outputs;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use self::writer::Writer;
use crate::clock::Clock;
use crate::config::LogDestination;

/// Bytes that may wait to be written; as many again may be on their way.
const CAPACITY: usize = 4 * 1024 * 1024;

/// How long a dropped sink waits for its writer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A place for lines: standard output, standard error, a file, or nowhere.
#[derive(Debug)]
pub struct Sink {
    destination: LogDestination,
    queue: Option<Arc<Queue>>,
}

impl Sink {
    /// Opens `destination` and starts the thread that writes to it. A fork would lose that thread,
    /// so a process that detaches opens its sinks afterwards.
    ///
    /// # Errors
    /// If the file cannot be opened for appending, or the thread cannot be started.
    pub fn open(destination: &LogDestination, clock: Arc<dyn Clock>) -> Result<Sink, SinkError> {
        let output: Box<dyn Write + Send> = match destination {
            LogDestination::Stdout => Box::new(io::stdout()),
            LogDestination::Stderr => Box::new(io::stderr()),
            LogDestination::File(path) => Box::new(open_file(path)?),
            LogDestination::Off => {
                return Ok(Sink {
                    destination: LogDestination::Off,
                    queue: None,
                });
            }
        };
        let queue = Arc::new(Queue::new(CAPACITY));
        let name = Name(destination).to_string();
        let complain = Box::new(move |message: &str| log::warn!("access log {name}: {message}"));
        let writer = Writer::new(output, Arc::clone(&queue), clock, complain);
        Sink::start(destination.clone(), queue, writer)
    }

    fn start(
        destination: LogDestination,
        queue: Arc<Queue>,
        writer: Writer,
    ) -> Result<Sink, SinkError> {
        thread::Builder::new()
            .name("access log".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| SinkError::new(&destination, "start its thread", source))?;
        Ok(Sink {
            destination,
            queue: Some(queue),
        })
    }

    /// Whether whatever is written goes nowhere, so that the caller need not even build the line.
    pub fn is_off(&self) -> bool {
        self.queue.is_none()
    }

    /// Where the lines go.
    pub fn destination(&self) -> &LogDestination {
        &self.destination
    }

    /// Takes over one line, given without its line break. Never waits: `false` means that there was
    /// no room, or that the sink is closed, and that the line is dropped and counted.
    pub fn write(&self, line: &[u8]) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.push(line))
    }

    /// Lines lost since the start, for want of room or because writing failed. The one sign of a
    /// reader that has stopped for good, since the writer that would complain waits for it.
    pub fn lines_dropped(&self) -> u64 {
        self.queue
            .as_ref()
            .map_or(0, |queue| queue.dropped.load(Ordering::Relaxed))
    }

    /// Opens the file again by its path, after a log rotation has moved the old one away. Lines
    /// accepted from now on go to the new file, and those that still wait may. Does nothing unless
    /// lines go to a file.
    ///
    /// # Errors
    /// If the path cannot be opened; the file that is open stays in use.
    pub fn reopen(&self) -> Result<(), SinkError> {
        if let (LogDestination::File(path), Some(queue)) = (&self.destination, &self.queue) {
            queue.switch_to(Box::new(open_file(path)?));
        }
        Ok(())
    }

    /// Accepts no more lines and waits until those that were accepted are handed to the system, for
    /// at most `limit`. Returns whether all were. Harmless when repeated.
    pub fn close(&self, limit: Duration) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.close(limit))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.close(PATIENCE);
    }
}

/// What workers and the writer share.
struct Queue {
    capacity: usize,
    waiting: Mutex<Waiting>,
    /// For the writer: there is something to do.
    work: Condvar,
    /// For whoever closes: the writer is done.
    done: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    /// Whole lines, each with its line break.
    lines: Vec<u8>,
    /// The writer sleeps until this many bytes wait; while it is awake nobody need wake it.
    wake_at: Option<usize>,
    switch_to: Option<Box<dyn Write + Send>>,
    closing: bool,
    done: bool,
}

impl Queue {
    fn new(capacity: usize) -> Queue {
        Queue {
            capacity,
            waiting: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
            dropped: AtomicU64::new(0),
        }
    }

    fn push(&self, line: &[u8]) -> bool {
        let mut waiting = self.lock();
        if waiting.closing || waiting.lines.len() + line.len() >= self.capacity {
            drop(waiting);
            self.count_dropped(1);
            return false;
        }
        waiting.lines.extend_from_slice(line);
        waiting.lines.push(b'\n');
        let wake = waiting
            .wake_at
            .is_some_and(|bytes| waiting.lines.len() >= bytes);
        if wake {
            waiting.wake_at = None;
        }
        drop(waiting);
        if wake {
            self.work.notify_one();
        }
        true
    }

    fn switch_to(&self, output: Box<dyn Write + Send>) {
        self.lock().switch_to = Some(output);
        self.work.notify_one();
    }

    fn close(&self, limit: Duration) -> bool {
        let mut waiting = self.lock();
        waiting.closing = true;
        self.work.notify_one();
        let waited = self
            .done
            .wait_timeout_while(waiting, limit, |waiting| !waiting.done);
        waited.unwrap_or_else(PoisonError::into_inner).0.done
    }

    fn count_dropped(&self, lines: u64) {
        self.dropped.fetch_add(lines, Ordering::Relaxed);
    }

    /// Whoever panicked with the lock held left whole lines behind, as all of these sections end
    /// with one.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("capacity", &self.capacity)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

fn open_file(path: &Path) -> Result<File, SinkError> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened
        .map_err(|source| SinkError::new(&LogDestination::File(path.to_owned()), "open it", source))
}

/// Why lines cannot be written somewhere.
#[derive(Debug)]
pub struct SinkError {
    destination: String,
    task: &'static str,
    source: io::Error,
}

impl SinkError {
    fn new(destination: &LogDestination, task: &'static str, source: io::Error) -> SinkError {
        SinkError {
            destination: Name(destination).to_string(),
            task,
            source,
        }
    }

    fn advice(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::NotFound => "create its folder",
            io::ErrorKind::PermissionDenied => "let this user write there",
            io::ErrorKind::IsADirectory => "name a file, not a folder",
            _ => "choose another place in access_log.path",
        }
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SinkError {
            destination,
            task,
            source,
        } = self;
        write!(
            f,
            "access log {destination}: cannot {task}: {source}; {}",
            self.advice()
        )
    }
}

impl std::error::Error for SinkError {}

/// A destination in a message.
struct Name<'a>(&'a LogDestination);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            LogDestination::Stdout => f.write_str("stdout"),
            LogDestination::Stderr => f.write_str("stderr"),
            LogDestination::File(path) => path.display().fmt(f),
            LogDestination::Off => f.write_str("off"),
        }
    }
}
