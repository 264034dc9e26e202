//! How long is waited for the backend's next step.

use std::future::pending;
use std::time::Duration;

use pingora_core::{Error, ErrorType, Result};
use tokio::time::Instant;

use super::Exchange;
use crate::clock::Alarm;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// That the backend takes more of the request: `timeouts.write`.
    Write,
    /// The head of the answer: `timeouts.response`.
    Response,
    /// The next piece of its body: `timeouts.read`.
    Read,
}

/// The step that is due, and by when.
#[derive(Debug)]
pub(super) struct Deadline {
    due: Option<(Step, Duration)>,
    has_gone_on: bool,
    until: Option<Instant>,
    /// Kept with the connection for the next request.
    alarm: Alarm,
}

impl Deadline {
    /// Nothing is due. `alarm` is one that is not needed any more.
    pub(super) fn new(alarm: Alarm) -> Self {
        Self {
            due: None,
            has_gone_on: false,
            until: None,
            alarm,
        }
    }

    /// The alarm, which is not needed any more.
    pub(super) fn take_alarm(&mut self) -> Alarm {
        std::mem::take(&mut self.alarm)
    }

    /// There was progress: the time begins anew.
    pub(super) fn goes_on(&mut self) {
        self.has_gone_on = true;
    }

    /// This is due now, and it has its time from now on if it was not due before or if there was progress.
    fn set(&mut self, due: Option<(Step, Duration)>) {
        if self.due != due || self.has_gone_on {
            self.due = due;
            self.until = None;
            self.has_gone_on = false;
        }
    }

    /// Returns when it is too late for what is due.
    pub(super) async fn passed(&mut self) -> (Step, Duration) {
        let Some((step, limit)) = self.due else {
            return pending().await;
        };
        let until = *self.until.get_or_insert_with(|| Instant::now() + limit);
        self.alarm.at(until).await;
        (step, limit)
    }
}

impl Exchange<'_> {
    /// While the client still sends, a silent backend owes nothing: the listener's `timeouts.body` holds, which is the client's.
    pub(super) fn set_deadline(&mut self) {
        let Some(upstream) = &self.ctx.upstream else {
            return;
        };
        let timeouts = &upstream.config().timeouts;
        let due = if !self.carrier.has_written() {
            Some((Step::Write, timeouts.write))
        } else if self.carrier.is_answered() || !self.outgoing.is_due_an_answer() {
            None
        } else if self.ctx.has_answer() {
            Some((Step::Read, timeouts.read))
        } else {
            Some((Step::Response, timeouts.response))
        };
        self.deadline.set(due);
    }

    /// The backend has let a deadline pass.
    ///
    /// # Errors
    /// Always, unless all that matters is done.
    pub(super) fn give_up(&mut self, (step, limit): (Step, Duration)) -> Result<()> {
        if self.carrier.is_answered() {
            self.outgoing.abandon();
            return Ok(());
        }
        self.carrier.give_up();
        let (kind, key) = match step {
            Step::Write => (ErrorType::WriteTimedout, "write"),
            Step::Response => (ErrorType::ReadTimedout, "response"),
            Step::Read => (ErrorType::ReadTimedout, "read"),
        };
        let what = match step {
            Step::Write => format!("nothing taken within timeouts.{key}, {limit:?}"),
            _ => format!("nothing within timeouts.{key}, {limit:?}"),
        };
        Err(Error::explain(kind, what).into_up())
    }
}
