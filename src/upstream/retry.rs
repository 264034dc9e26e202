//! Whether a failed attempt is made again, at another backend.
//!
//! What nothing was sent of may go to another backend whatever it is. A request that a backend may have acted upon is sent again only
//! when that does no harm: its method is idempotent (RFC 9110 §9.2.2) or the operator says that it is safe, nothing of an answer has
//! reached the client, and its body is still held whole. Then it must be worth it: a backend that was not tried is left, attempts, time
//! and budget (`upstream/budget`) are not spent.
//!
//! A pooled connection that turns out to be closed says nothing of its backend: for a request that may be sent again it is no attempt.

use std::fmt;
use std::time::Duration;

use super::budget::Withdrawal;
use crate::config::{Retry, Trigger};

/// So many closed connections from the pool are passed over before one counts as a failure.
const STALE_CONNECTIONS: u32 = 4;

/// What is known when an attempt has failed.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// What it failed with; `None` for what is never tried again.
    pub trigger: Option<Trigger>,
    /// The request's method is idempotent.
    pub is_idempotent: bool,
    /// All of the request's body that was sent is still held, and can be sent again.
    pub body_is_whole: bool,
    /// Something of an answer has gone to the client.
    pub answer_has_begun: bool,
    /// A backend that this request has not tried could take it now.
    pub another_is_free: bool,
    /// Attempts so far that reached a backend, this one included.
    pub attempts: u32,
    /// Since the first attempt began.
    pub elapsed: Duration,
    /// The connection came from the pool, and was closed before anything was answered on it.
    pub is_stale: bool,
    /// Attempts so far that found such a connection, this one included.
    pub stale: u32,
}

/// What is to be done about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is made again.
    Again,
    /// The failure is the request's.
    GiveUp(Why),
}

/// Why an attempt is not made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing of this kind is tried again.
    Kind,
    /// The client has part of an answer.
    AnswerHasBegun,
    /// A backend may have acted on it, and its method is not idempotent.
    NotIdempotent,
    /// Its body was too large to be kept.
    BodyIsGone,
    /// As many attempts were made as may be.
    Attempts,
    /// The time for it is over.
    Deadline,
    /// No other backend is there.
    NoOther,
    /// Too many requests are tried again already.
    Budget {
        /// It was not so a moment ago.
        is_news: bool,
    },
}

impl fmt::Display for Decision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again => formatter.write_str("trying again"),
            Self::GiveUp(why) => write!(formatter, "giving up: {why}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kind => "this is not tried again (retry.on)",
            Self::AnswerHasBegun => "the client has part of the answer",
            Self::NotIdempotent => "the backend may have acted on it (retry.non_idempotent)",
            Self::BodyIsGone => "its body was too large to be kept",
            Self::Attempts => "it was tried often enough (retry.attempts)",
            Self::Deadline => "it has been tried for long enough (retry.deadline)",
            Self::NoOther => "no other backend is free",
            Self::Budget { .. } => "too many requests are tried again already (retry.budget)",
        })
    }
}

/// Decides, and takes from the budget when that is what it depends on last.
pub(super) fn decide(
    plan: Option<&Retry>,
    failed: &Failed,
    withdraw: impl FnOnce() -> Withdrawal,
) -> Decision {
    use Decision::{Again, GiveUp};
    if failed.answer_has_begun {
        return GiveUp(Why::AnswerHasBegun);
    }
    if failed.trigger == Some(Trigger::Connect) {
        return decide_unsent(plan, failed);
    }
    if !is_safe(plan, failed) {
        return GiveUp(Why::NotIdempotent);
    }
    if !failed.body_is_whole {
        return GiveUp(Why::BodyIsGone);
    }
    if failed.is_stale && failed.stale <= STALE_CONNECTIONS {
        return Again;
    }
    let Some((plan, trigger)) = plan.zip(failed.trigger) else {
        return GiveUp(Why::Kind);
    };
    let refused = if !plan.on.include(trigger) {
        Why::Kind
    } else if failed.attempts >= plan.attempts {
        Why::Attempts
    } else if is_over(plan, failed) {
        Why::Deadline
    } else if !failed.another_is_free {
        Why::NoOther
    } else if let Withdrawal::Refused { is_news } = withdraw() {
        Why::Budget { is_news }
    } else {
        return Again;
    };
    GiveUp(refused)
}

/// No connection was made, or nothing was done with what was sent: the request goes on until each backend was tried once.
fn decide_unsent(plan: Option<&Retry>, failed: &Failed) -> Decision {
    let Some(plan) = plan.filter(|plan| plan.on.include(Trigger::Connect)) else {
        return Decision::GiveUp(Why::Kind);
    };
    if is_over(plan, failed) {
        Decision::GiveUp(Why::Deadline)
    } else if !failed.another_is_free {
        Decision::GiveUp(Why::NoOther)
    } else {
        Decision::Again
    }
}

fn is_safe(plan: Option<&Retry>, failed: &Failed) -> bool {
    failed.is_idempotent || plan.is_some_and(|plan| plan.non_idempotent)
}

fn is_over(plan: &Retry, failed: &Failed) -> bool {
    plan.deadline
        .is_some_and(|deadline| failed.elapsed >= deadline)
}

#[cfg(test)]
mod tests;
