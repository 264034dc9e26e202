//! The sum of the loads of many members, kept without looking at all of them.

use super::super::Member;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// How many members a look around sees.
const LOOKS: usize = 2;

#[derive(Debug)]
pub(super) struct Tally {
    loads: Vec<AtomicU32>,
    sum: AtomicU64,
    next_look: AtomicUsize,
}

impl Tally {
    pub(super) fn of<'a>(members: impl Iterator<Item = &'a Member>) -> Self {
        let loads: Vec<u32> = members.map(Member::in_flight).collect();
        Self {
            sum: AtomicU64::new(loads.iter().copied().map(u64::from).sum()),
            loads: loads.into_iter().map(AtomicU32::new).collect(),
            next_look: AtomicUsize::new(0),
        }
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }

    /// Takes note of the load of one member.
    pub(super) fn note(&self, slot: usize, load: u32) {
        if let Some(known) = self.loads.get(slot) {
            let before = known.swap(load, Ordering::Relaxed);
            let change = u64::from(load).wrapping_sub(u64::from(before));
            self.sum.fetch_add(change, Ordering::Relaxed);
        }
    }

    /// Looks at the next few members in rotation.
    pub(super) fn look_around(&self, load: impl Fn(usize) -> u32) {
        let first = self.next_look.fetch_add(LOOKS, Ordering::Relaxed);
        for look in 0..LOOKS.min(self.loads.len()) {
            let slot = first.wrapping_add(look) % self.loads.len();
            self.note(slot, load(slot));
        }
    }
}
