//! Who goes to a backend at once, who waits for one, and who gets none.
//!
//! A request whose cookie names a backend goes there if it can: past the policy, which notices only that the backend has one request more.
//! Any other goes where the policy says. When all that could take it are full, it waits in the [`queue`](super::queue), if there is one.
//! When none could ever take it, since all are down or were tried, waiting would not help, and it is told so at once. While anybody waits,
//! newcomers line up behind, so nobody is overtaken; the one exception are sessions of a draining backend that has room, which is no use
//! to anybody else.

use std::sync::Arc;

use super::address::Address;
use super::backend::{Backend, Health};
use super::queue::{Place, Queue};
use super::roster::Lineup;
use super::selection::InFlight;
use super::sticky::Token;
use super::upstream::Upstream;
use crate::config::State;

/// So often in one turn a request tries to get a backend that seems to be free for it.
const TRIES: usize = 3;

/// A request that asks for a backend.
#[derive(Clone, Copy)]
pub struct Applicant<'a> {
    /// What [`Upstream::key`] stands for, or empty.
    pub key: &'a [u8],
    /// The token in its cookie.
    pub token: Option<Token>,
    /// Which backends it must not get again.
    pub tried: &'a (dyn Fn(&Backend) -> bool + Sync),
}

/// What a request is told.
#[derive(Debug)]
pub enum Admission {
    /// This is its backend; it counts from now on.
    Granted(InFlight),
    /// It may wait: call [`Upstream::wait`].
    Wait,
    /// It gets none.
    Refused(NotAdmitted),
}

/// Why a request gets no backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// All are down, or were tried.
    NoBackend,
    /// All have as many requests as they may, and none may wait.
    AllFull,
    /// As many wait as may.
    QueueFull,
    /// It has waited long enough.
    WaitOver,
}

impl Upstream {
    /// A backend for the request, if one is free and nobody waits for it.
    pub fn admit(&self, applicant: &Applicant<'_>) -> Admission {
        let queue = self.roster.queue();
        let granted = match queue {
            Some(queue) if !queue.is_empty() => self.take_own(applicant, is_draining),
            _ => self.take(applicant),
        };
        if let Some(in_flight) = granted {
            return Admission::Granted(in_flight);
        }
        let lineup = self.roster.lineup();
        match queue {
            _ if !Kind::of(applicant, &lineup).has_prospect(&lineup) => {
                Admission::Refused(NotAdmitted::NoBackend)
            }
            None => Admission::Refused(NotAdmitted::AllFull),
            Some(_) => Admission::Wait,
        }
    }

    /// Waits in line for a backend. Dropping the future leaves the line.
    ///
    /// # Errors
    /// The line is full, the wait took too long, or no backend is left that could take the request.
    pub async fn wait(&self, applicant: &Applicant<'_>) -> Result<InFlight, NotAdmitted> {
        let (Some(queue), Some(limits)) = (self.roster.queue(), &self.config().queue) else {
            return Err(NotAdmitted::AllFull);
        };
        let kind = Kind::of(applicant, &self.roster.lineup());
        let place = queue.join(kind.clone()).ok_or(NotAdmitted::QueueFull)?;
        log::debug!(
            "upstream {}: no backend has room: a request waits",
            self.name()
        );
        if has_room(queue, &self.roster.lineup()) {
            queue.wake();
        }
        let served = self.take_in_turn(queue, place, applicant, &kind);
        let waited = tokio::time::timeout(limits.timeout, served).await;
        waited.unwrap_or(Err(NotAdmitted::WaitOver))
    }

    async fn take_in_turn(
        &self,
        queue: &Queue<Kind>,
        place: Place<'_, Kind>,
        applicant: &Applicant<'_>,
        kind: &Kind,
    ) -> Result<InFlight, NotAdmitted> {
        loop {
            place.turn().await;
            let mut tries = 1..=TRIES;
            let (lineup, room) = loop {
                let granted = self.take(applicant);
                let lineup = self.roster.lineup();
                if let Some(in_flight) = granted {
                    place.leave(has_room(queue, &lineup));
                    return Ok(in_flight);
                }
                match kind.room(queue, &lineup) {
                    // It has just become free: not for those behind.
                    Room::Own if tries.next().is_some() => {}
                    room => break (lineup, room),
                }
            };
            if !kind.has_prospect(&lineup) {
                return Err(NotAdmitted::NoBackend);
            }
            match room {
                Room::Own | Room::Foreign => place.pass(),
                Room::None => place.rest(),
            }
        }
    }

    /// The backend that the cookie names or else one that the policy picks, with the cookie that goes with it.
    fn take(&self, applicant: &Applicant<'_>) -> Option<InFlight> {
        self.take_own(applicant, |_| true).or_else(|| {
            let in_flight = self.pick(applicant.key, applicant.tried)?;
            Some(in_flight.with_cookie(applicant.token))
        })
    }

    fn take_own(
        &self,
        applicant: &Applicant<'_>,
        may_be: impl Fn(&Backend) -> bool,
    ) -> Option<InFlight> {
        applicant.token?;
        let lineup = self.roster.lineup();
        let backend = own(applicant, &lineup).filter(|backend| may_be(backend))?;
        let in_flight = InFlight::begin(&backend, &lineup, &self.policy, &self.load)?;
        Some(in_flight.with_cookie(applicant.token))
    }
}

/// The backend that the request's cookie names, if it may go there.
pub(super) fn own(applicant: &Applicant<'_>, lineup: &Lineup) -> Option<Arc<Backend>> {
    let index = lineup.sessions.as_ref()?.find(applicant.token?)?;
    let backend = lineup.backends.get(index)?;
    let may_go = takes_sessions(backend) && !(applicant.tried)(backend);
    may_go.then(|| Arc::clone(backend))
}

fn takes_sessions(backend: &Backend) -> bool {
    backend.health() == Health::Up
        && !backend.member().is_ejected()
        && backend.state() != State::Disabled
}

fn is_draining(backend: &Backend) -> bool {
    backend.state() == State::Draining
}

/// What a waiter can use; those that are equal can use the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    tried: Vec<Address>,
    /// The draining backend that its cookie names.
    own: Option<Address>,
}

/// For whom there is room.
enum Room {
    /// For this request.
    Own,
    /// For others only.
    Foreign,
    /// For nobody.
    None,
}

impl Kind {
    fn of(applicant: &Applicant<'_>, lineup: &Lineup) -> Self {
        let backends = lineup.backends.iter();
        let tried = backends.filter(|backend| (applicant.tried)(backend));
        let own = own(applicant, lineup).filter(|backend| is_draining(backend));
        Self {
            tried: tried.map(|backend| backend.address().clone()).collect(),
            own: own.map(|backend| backend.address().clone()),
        }
    }

    fn can_use(&self, backend: &Backend) -> bool {
        let address = backend.address();
        if backend.member().is_available() {
            !self.tried.contains(address)
        } else {
            self.own.as_ref() == Some(address) && takes_sessions(backend)
        }
    }

    /// Whether there is a backend for it, now or later.
    fn has_prospect(&self, lineup: &Lineup) -> bool {
        lineup.backends.iter().any(|backend| self.can_use(backend))
    }

    fn has_room(&self, lineup: &Lineup) -> bool {
        let mut backends = lineup.backends.iter();
        backends.any(|backend| !backend.member().is_full() && self.can_use(backend))
    }

    fn room(&self, queue: &Queue<Self>, lineup: &Lineup) -> Room {
        if self.has_room(lineup) {
            Room::Own
        } else if has_room(queue, lineup) {
            Room::Foreign
        } else {
            Room::None
        }
    }
}

/// Whether there is room that anybody in the line could use.
fn has_room(queue: &Queue<Kind>, lineup: &Lineup) -> bool {
    queue.holds(|kind| kind.has_room(lineup))
}

#[cfg(test)]
mod tests;
