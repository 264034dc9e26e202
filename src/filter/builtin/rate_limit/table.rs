//! The buckets of all keys, in a space that does not grow with them.
//!
//! A key is known by a hash of 128 bits with keys of its own for each table, so its length costs nothing, nobody can
//! choose keys that fall together, and what is kept tells nothing of clients. The hash says in which of the sets the
//! bucket is; a set has a lock of its own and room for so many buckets.
//!
//! A bucket that is full again says nothing, and makes room. When a set is full of buckets that are not, the newcomer
//! takes over the one that is nearest to being full, *with what it lacks*. That is the rule of Space-Saving (Metwally,
//! Agrawal, El Abbadi 2005): what is forgotten is never more than what a newcomer is taken to have sent. So **no key
//! ever gets more than its limit**, however many keys there are, and whoever wants to be forgotten has to have a whole
//! set, which they cannot choose, send more than they did themselves. The price is paid by newcomers, and only while
//! there are more clients with a bucket that is not full than there is room: their first burst is shorter.

use super::limit::{Limit, Ticks};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many sets, …
const SETS: usize = 8192;
/// … of so many buckets: 262,144 in all, in 8 MiB.
const ROOM: usize = 32;

/// The buckets of all keys.
#[derive(Debug)]
pub(super) struct Table {
    sets: Box<[Mutex<Vec<Bucket>>]>,
    room: usize,
    hashes: [RandomState; 2],
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    key: Key,
    /// When its next request is due.
    due: Ticks,
}

/// What a key is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    set: u64,
    other: u64,
}

impl Table {
    pub(super) fn new() -> Self {
        Table::of(SETS, ROOM)
    }

    pub(super) fn of(sets: usize, room: usize) -> Self {
        Table {
            sets: (0..sets).map(|_| Mutex::default()).collect(),
            room,
            hashes: [RandomState::new(), RandomState::new()],
        }
    }

    pub(super) fn key(&self, text: &[u8]) -> Key {
        let [set, other] = self.hashes.each_ref().map(|hash| hash.hash_one(text));
        Key { set, other }
    }

    /// Counts a request: when the next one of this key is due.
    ///
    /// # Errors
    /// It is one too many, and not counted; when it was due.
    pub(super) fn admit(&self, key: Key, now: Ticks, limit: &Limit) -> Result<Ticks, Ticks> {
        let mut set = self.set(key);
        let (place, due) = self.find(&set, key, now);
        let due = limit.admit(due, now).ok_or(due)?;
        let bucket = Bucket { key, due };
        match place.and_then(|place| set.get_mut(place)) {
            Some(old) => *old = bucket,
            None => set.push(bucket),
        }
        Ok(due)
    }

    /// When the next request of this key is due.
    pub(super) fn due(&self, key: Key, now: Ticks) -> Ticks {
        self.find(&self.set(key), key, now).1
    }

    /// So many buckets are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let sets = self.sets.iter();
        sets.map(|set| set.lock().unwrap().len()).sum()
    }

    fn set(&self, key: Key) -> MutexGuard<'_, Vec<Bucket>> {
        let index = key.set % self.sets.len() as u64;
        let set = &self.sets[usize::try_from(index).unwrap_or_default()];
        // What runs under the lock leaves nothing half done.
        set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the bucket of a key is or is to be put, none for behind the others, and when its next request is due.
    fn find(&self, set: &[Bucket], key: Key, now: Ticks) -> (Option<usize>, Ticks) {
        let mut buckets = set.iter().enumerate();
        if let Some((place, bucket)) = buckets.find(|(_, bucket)| bucket.key == key) {
            return (Some(place), bucket.due);
        }
        let fullest = set.iter().enumerate().min_by_key(|(_, bucket)| bucket.due);
        match fullest {
            Some((place, bucket)) if bucket.due <= now || set.len() >= self.room => {
                (Some(place), bucket.due)
            }
            _ => (None, 0),
        }
    }
}
