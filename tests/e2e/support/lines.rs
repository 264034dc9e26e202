//! The lines that the program writes, as they come.

use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::{eventually, patience};

#[derive(Clone, Default)]
pub(crate) struct Lines {
    shared: Arc<(Mutex<Vec<String>>, Condvar)>,
    has_ended: Arc<AtomicBool>,
}

impl Lines {
    /// Collects from `stream` until its end.
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let filled = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                filled.push(String::from_utf8_lossy(&line).into_owned());
            }
            filled.has_ended.store(true, Ordering::Release);
        });
        lines
    }

    fn push(&self, line: String) {
        let (lines, more) = &*self.shared;
        lines.lock().unwrap().push(line);
        more.notify_all();
    }

    pub(crate) fn all(&self) -> Vec<String> {
        let (lines, _) = &*self.shared;
        lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All lines, once the program can write no more of them.
    pub(crate) fn to_the_end(&self) -> Vec<String> {
        eventually("the output ends", || self.has_ended.load(Ordering::Acquire));
        self.all()
    }

    /// Waits for the first line of which `find` makes something, also among those that came before.
    pub(crate) fn find<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let (lines, more) = &*self.shared;
        let search = |lines: &mut Vec<String>| lines.iter().find_map(|line| find(line));
        let (mut lines, _) = more
            .wait_timeout_while(lines.lock().unwrap(), patience(), |lines| {
                search(lines).is_none()
            })
            .unwrap();
        let found = search(&mut lines);
        drop(lines);
        found.unwrap_or_else(|| panic!("waited in vain for a line: {what}"))
    }
}
