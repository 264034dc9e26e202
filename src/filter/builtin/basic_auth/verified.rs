//! Credentials that were found good a moment ago.
//!
//! A client sends its credentials with every request, and hashing the password at its cost each time would make the load
//! balancer the slowest part of the way. So what was found good is believed for some minutes. Kept is an HMAC of it
//! (RFC 2104, with SHA-256) under a key that this process made and forgets with it: nobody can tell a password from
//! it. Only good credentials are kept, so no client without any can fill the space, and a wrong password costs the
//! same each time.

use crate::semantics::credentials::Credentials;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::rand::SystemRandom;
use std::collections::{HashMap, VecDeque};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

/// So long good credentials are believed.
pub(super) const BELIEVED: Duration = Duration::from_secs(5 * 60);

/// So many are kept; more push out the oldest.
pub(super) const KEPT: usize = 4096;

/// Credentials that were found good.
pub(super) struct Verified {
    /// None when the system has no randomness; nothing is kept then.
    key: Option<hmac::Key>,
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    /// When it was found good.
    since: HashMap<Proof, Instant>,
    /// The oldest first.
    order: VecDeque<Proof>,
}

/// What credentials are known by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Proof([u8; 32]);

impl Verified {
    pub(super) fn new() -> Self {
        Verified {
            key: hmac::Key::generate(HMAC_SHA256, &SystemRandom::new()).ok(),
            kept: RwLock::default(),
        }
    }

    pub(super) fn proof(&self, credentials: &Credentials) -> Option<Proof> {
        let tag = hmac::sign(self.key.as_ref()?, credentials.both());
        tag.as_ref().try_into().ok().map(Proof)
    }

    /// Whether these were found good, not too long before `now`.
    pub(super) fn has(&self, proof: &Option<Proof>, now: Instant) -> bool {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let since = proof.as_ref().and_then(|proof| kept.since.get(proof));
        since.is_some_and(|since| now.saturating_duration_since(*since) < BELIEVED)
    }

    /// These were found good.
    pub(super) fn note(&self, proof: Option<Proof>, now: Instant) {
        let Some(proof) = proof else {
            return;
        };
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.since.insert(proof, now).is_some() {
            return;
        }
        kept.order.push_back(proof);
        if kept.order.len() > KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.since.remove(&oldest);
        }
    }

    /// So many are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let kept = self.kept.read().unwrap();
        assert_eq!(kept.since.len(), kept.order.len());
        kept.since.len()
    }
}
