//! Requests that wait until a backend has room: one line for each upstream, first come, first served.
//!
//! Whoever waits does not know what will become free, and whoever makes something free does not know whom it suits: a request may have
//! tried that very backend already. So the line knows nothing of backends. It gives one waiter at a time the *turn* to try, the first in
//! line first; one that cannot use what is free passes the turn on. Waiters of one *kind* can use the same backends, so of each kind only
//! the first is asked. What happens while somebody has the turn is noted, and the turn then begins again at the front.
//!
//! No wake-up is lost, whatever leaves at whatever moment:
//! - Under the lock, either somebody in the line has the turn, or since the last [`Queue::wake`] the first of each kind was asked or told
//!   that nothing is free. Every way to end a turn, being dropped among them, keeps that.
//! - A release counts down, then looks at `length`; a newcomer raises `length`, then looks for room. Between the two of each stands a
//!   sequentially consistent fence, so at least one of them sees the other: the release wakes the newcomer, or the newcomer sees the room
//!   and calls [`Queue::wake`] itself (Dekker's pattern; C++20 atomics.fences §33.5.11).
//!
//! Joining and leaving cost O(log n) under a short lock, passing on O(kinds), of which there are few. A release while nobody waits costs
//! one fence and one load.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The line of one upstream. Waiters of the same kind `K` can use the same backends.
#[derive(Debug)]
pub(super) struct Queue<K> {
    size: usize,
    /// How many are in the line; written under its lock, read without it.
    length: AtomicUsize,
    line: Mutex<Line<K>>,
}

#[derive(Debug)]
struct Line<K> {
    next_ticket: u64,
    kinds: BTreeMap<K, Kind>,
    /// Who may try.
    turn: Option<u64>,
    /// Something happened while somebody had the turn.
    again: bool,
    /// Each kind is to be asked, though nothing may be free.
    asks_all: bool,
}

/// Those who wait and can use the same backends.
#[derive(Debug, Default)]
struct Kind {
    /// In the order of their arrival.
    waiting: BTreeMap<u64, Option<Waker>>,
    /// What is free is not for them.
    has_passed: bool,
}

impl<K: Ord + Clone> Queue<K> {
    pub(super) fn new(size: usize) -> Self {
        Self {
            size,
            length: AtomicUsize::new(0),
            line: Mutex::new(Line {
                next_ticket: 0,
                kinds: BTreeMap::new(),
                turn: None,
                again: false,
                asks_all: false,
            }),
        }
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.length.load(Ordering::Relaxed) == 0
    }

    /// The last place in the line; `None` when the line is full.
    ///
    /// The caller then looks for room, and calls [`Self::wake`] if there is any: what became free just before is nobody else's to tell.
    pub(super) fn join(&self, kind: K) -> Option<Place<'_, K>> {
        let mut line = self.lock();
        let length = self.length.load(Ordering::Relaxed);
        if length >= self.size {
            return None;
        }
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        let of_kind = line.kinds.entry(kind.clone()).or_default();
        of_kind.waiting.insert(ticket, None);
        self.length.store(length + 1, Ordering::Relaxed);
        drop(line);
        fence(Ordering::SeqCst);
        Some(Place {
            queue: self,
            ticket,
            kind,
            goes_on: true,
        })
    }

    /// Whether one of such a kind waits.
    pub(super) fn holds(&self, is_such: impl FnMut(&K) -> bool) -> bool {
        !self.is_empty() && self.lock().kinds.keys().any(is_such)
    }

    /// There may be room now: the first in line is to try. Call it after the room was made.
    pub(super) fn wake(&self) {
        self.happened(false);
    }

    /// There may be room now, or for some no hope any more: the first of each kind is to try.
    pub(super) fn ask_all(&self) {
        self.happened(true);
    }

    fn happened(&self, asks_all: bool) {
        fence(Ordering::SeqCst);
        if !self.is_empty() {
            self.change(|line| {
                line.again = true;
                line.asks_all |= asks_all;
                match line.turn {
                    Some(_) => None,
                    None => line.call(false),
                }
            });
        }
    }

    /// Changes the line, and then wakes whom the change has given the turn.
    fn change(&self, change: impl FnOnce(&mut Line<K>) -> Option<Waker>) {
        let waker = change(&mut self.lock());
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Line<K>> {
        // Nothing under the lock panics halfway.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord> Line<K> {
    /// Gives the turn to the first in line if something happened, or else, when it `goes_on`, to the first whose kind has not passed.
    fn call(&mut self, goes_on: bool) -> Option<Waker> {
        self.turn = None;
        let happened = std::mem::take(&mut self.again);
        if !happened && !goes_on {
            return None;
        }
        for kind in self.kinds.values_mut() {
            kind.has_passed &= !happened;
        }
        let kinds = self.kinds.values_mut().filter(|kind| !kind.has_passed);
        let heads = kinds.filter_map(|kind| kind.waiting.iter_mut().next());
        let Some((ticket, waker)) = heads.min_by_key(|(ticket, _)| **ticket) else {
            self.asks_all = false;
            return None;
        };
        self.turn = Some(*ticket);
        waker.take()
    }
}

/// A place in the line. Dropping it leaves the line, at any moment.
#[derive(Debug)]
pub(super) struct Place<'a, K: Ord + Clone> {
    queue: &'a Queue<K>,
    ticket: u64,
    kind: K,
    /// Whether there may be room for others when it leaves in its turn.
    goes_on: bool,
}

impl<K: Ord + Clone> Place<'_, K> {
    /// Returns when it has the turn, which it keeps until it calls [`Self::pass`] or [`Self::rest`], or leaves.
    pub(super) async fn turn(&self) {
        poll_fn(|context| {
            let mut line = self.queue.lock();
            if line.turn == Some(self.ticket) {
                return Poll::Ready(());
            }
            if let Some(kind) = line.kinds.get_mut(&self.kind) {
                let waker = context.waker().clone();
                kind.waiting.insert(self.ticket, Some(waker));
            }
            Poll::Pending
        })
        .await;
    }

    /// Something is free, and not for this one nor others of its kind: the next of another kind is to try.
    pub(super) fn pass(&self) {
        self.end_turn(true);
    }

    /// Nothing is free.
    pub(super) fn rest(&self) {
        self.end_turn(false);
    }

    /// Leaves the line; others are to try only if there is room for more.
    pub(super) fn leave(mut self, is_more_free: bool) {
        self.goes_on = is_more_free;
    }

    fn end_turn(&self, goes_on: bool) {
        self.queue.change(|line| {
            if line.turn != Some(self.ticket) {
                return None;
            }
            let goes_on = goes_on || line.asks_all;
            if let Some(kind) = line.kinds.get_mut(&self.kind) {
                kind.has_passed = goes_on;
            }
            line.call(goes_on)
        });
    }
}

impl<K: Ord + Clone> Drop for Place<'_, K> {
    fn drop(&mut self) {
        self.queue.change(|line| {
            if let Some(kind) = line.kinds.get_mut(&self.kind) {
                kind.waiting.remove(&self.ticket);
                if kind.waiting.is_empty() {
                    line.kinds.remove(&self.kind);
                }
            }
            self.queue.length.fetch_sub(1, Ordering::Relaxed);
            let is_mine = line.turn == Some(self.ticket);
            let goes_on = self.goes_on || line.asks_all;
            is_mine.then(|| line.call(goes_on)).flatten()
        });
    }
}

#[cfg(test)]
mod tests;
