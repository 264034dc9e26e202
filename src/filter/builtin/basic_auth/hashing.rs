//! Hashing passwords, beside the workers and not too many at a time.
//!
//! To check a password takes milliseconds to seconds of a whole processor, and any stranger can ask for it. So no more
//! are checked at once than half of the processors can bear, some more wait for their turn, and what comes on top is
//! refused at once: requests that need no password go on being served. All filters of one configuration share this.

use crate::config::PasswordHash;
use argon2::{Argon2, PasswordVerifier};
use std::panic::resume_unwind;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// So many may wait for each that is checked.
const WAITING: usize = 32;

/// Where passwords are checked.
#[derive(Debug)]
pub(in crate::filter) struct Hashing {
    /// For those that wait and those that are checked.
    room: Arc<Semaphore>,
    /// For those that are checked.
    turns: Arc<Semaphore>,
}

/// Too many wait already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Busy;

impl Default for Hashing {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = (processors / 2).max(1);
        Hashing::new(at_once, at_once * WAITING)
    }
}

impl Hashing {
    pub(super) fn new(at_once: usize, waiting: usize) -> Self {
        Hashing {
            room: Arc::new(Semaphore::new(at_once + waiting)),
            turns: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// Makes a check when it is its turn, unless it turns out to have been made with success meanwhile. It goes on to its
    /// end, and takes its place until then, also when nobody waits for it any more.
    ///
    /// # Errors
    /// Too many wait already.
    pub(super) async fn run(
        &self,
        check: impl FnOnce() -> bool + Send + 'static,
        is_done: impl Fn() -> bool,
    ) -> Result<bool, Busy> {
        let place = Arc::clone(&self.room);
        let place = place.try_acquire_owned().map_err(|_| Busy)?;
        let turn = Arc::clone(&self.turns);
        let turn = turn.acquire_owned().await.map_err(|_| Busy)?;
        if is_done() {
            return Ok(true);
        }
        let checked = spawn_blocking(move || {
            let outcome = check();
            drop((turn, place));
            outcome
        });
        checked
            .await
            .map_err(|failed| match failed.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Busy,
            })
    }
}

/// Whether this is the password; takes long.
pub(super) fn verify(hash: &PasswordHash, password: &[u8]) -> bool {
    match hash {
        PasswordHash::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
        PasswordHash::Argon2(hash) => {
            let check = Argon2::default().verify_password(password, &hash.password_hash());
            check.is_ok()
        }
    }
}
