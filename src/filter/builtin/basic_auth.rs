//! `basic_auth`: who is let in, by name and password (RFC 7617).
//!
//! A password is hashed at a cost that is meant to be felt, so that is done beside the workers ([`hashing`]) and, for
//! credentials that were found good, not again for a while ([`verified`]): a client sends them with every request.
//!
//! A name that nobody has costs as much as a wrong password: its password is checked against the hash of somebody else,
//! the same one each time, and the outcome is thrown away. Otherwise the time that a refusal takes would tell who has
//! an account.
//!
//! `Authorization` goes on to the backend, as with nginx; `request_headers` can remove it. Neither names nor passwords
//! are ever logged here.

mod hashing;
#[cfg(test)]
mod tests;
mod verified;

pub(in crate::filter) use hashing::Hashing;

use crate::config::{self, PasswordHash};
use crate::filter::{Answer, AsyncFilter, Deadline, Denial, Facts, Name, RequestHead, Verdict};
use crate::semantics::credentials::{Credentials, challenge};
use async_trait::async_trait;
use hashing::Busy;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use verified::Verified;

/// One check takes some seconds at the most, and some may wait before it.
const DEADLINE: Duration = Duration::from_secs(30);

/// The filter `basic_auth`.
pub(in crate::filter) struct BasicAuth {
    users: Users,
    verified: Verified,
    hashing: Arc<Hashing>,
    challenge: (Name, Option<HeaderValue>),
    later: (Name, HeaderValue),
}

impl BasicAuth {
    pub(in crate::filter) fn new(written: &config::BasicAuth, hashing: &Arc<Hashing>) -> Self {
        BasicAuth {
            users: Users::new(&written.users),
            verified: Verified::new(),
            hashing: Arc::clone(hashing),
            challenge: (
                Name::from_static("WWW-Authenticate"),
                challenge(&written.realm).try_into().ok(),
            ),
            later: (
                Name::from_static("Retry-After"),
                HeaderValue::from_static("1"),
            ),
        }
    }

    /// Whether these are the credentials of a user.
    async fn verify(&self, credentials: Credentials, facts: &Facts<'_>) -> Result<bool, Busy> {
        let proof = self.verified.proof(&credentials);
        if self.verified.has(&proof, facts.now()) {
            return Ok(true);
        }
        let Some((hash, is_user)) = self.users.find(credentials.name()) else {
            return Ok(false);
        };
        let hash = Arc::clone(hash);
        let check = move || hashing::verify(&hash, credentials.password());
        // Of several requests at once, all but the first find it done when it is their turn.
        let is_done = || self.verified.has(&proof, facts.now());
        let is_good = self.hashing.run(check, is_done).await? && is_user;
        if is_good && !is_done() {
            self.verified.note(proof, facts.now());
        }
        Ok(is_good)
    }

    fn ask(&self) -> Answer {
        let answer = Answer::denied(Denial::Unauthorized);
        match &self.challenge {
            (name, Some(value)) => answer.with(name, value.clone()),
            (_, None) => answer,
        }
    }
}

#[async_trait]
impl AsyncFilter for BasicAuth {
    fn deadline(&self) -> Deadline {
        Deadline::of(DEADLINE)
    }

    async fn request(&self, request: &mut RequestHead<'_>, facts: &Facts<'_>) -> Verdict {
        let Some(credentials) = sent(request.headers()) else {
            return self.ask().into();
        };
        match self.verify(credentials, facts).await {
            Ok(true) => Verdict::Pass,
            Ok(false) => self.ask().into(),
            Err(Busy) => {
                let (name, value) = &self.later;
                let answer = Answer::denied(Denial::Busy);
                answer.with(name, value.clone()).into()
            }
        }
    }

    fn reads_upstream_headers(&self) -> bool {
        false
    }
}

/// Says nothing of users and passwords.
impl fmt::Debug for BasicAuth {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BasicAuth")
    }
}

/// The credentials in a request; none when there are none, or several lines of them.
fn sent(headers: &HeaderMap) -> Option<Credentials> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Credentials::parse(line.as_bytes()),
        _ => None,
    }
}

/// The users, by name.
struct Users {
    hashes: Vec<Arc<PasswordHash>>,
    /// Where in `hashes` a user's is.
    by_name: HashMap<Vec<u8>, usize>,
    /// Chooses for others.
    choice: RandomState,
}

impl Users {
    fn new(written: &config::Users) -> Self {
        let names = written.iter().map(|(name, _)| name.as_bytes().to_vec());
        Users {
            by_name: names.zip(0..).collect(),
            hashes: written
                .iter()
                .map(|(_, hash)| Arc::new(hash.clone()))
                .collect(),
            choice: RandomState::new(),
        }
    }

    /// What to check a password against, and whether that is the user's own; always something when there is a user.
    fn find(&self, name: &[u8]) -> Option<(&Arc<PasswordHash>, bool)> {
        let own = self.by_name.get(name);
        let index = match own {
            Some(own) => *own,
            None => {
                let chosen = self.choice.hash_one(name) % (self.hashes.len().max(1) as u64);
                usize::try_from(chosen).unwrap_or_default()
            }
        };
        Some((self.hashes.get(index)?, own.is_some()))
    }
}
