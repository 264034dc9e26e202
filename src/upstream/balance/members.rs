//! What a policy sees of an upstream: identity, weight, load and availability of its members.
//!
//! A [`Member`] is the live half of a backend and is shared: a reload makes new [`Members`] of the
//! old members that stay, so that counts and latencies go on. Weight, availability and ejection are
//! set through [`Members`], which bumps the generation that tells policies to look again; load is an
//! atomic of the member and is read at each pick.

use super::peak_ewma::Latency;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// What weight 1 of the configuration is here: weights are in thousandths, for ramps.
pub const FULL_WEIGHT: u32 = 1_000;

/// The largest weight of a member, in thousandths.
pub const WEIGHT_LIMIT: u32 = 1_000 * FULL_WEIGHT;

/// The members of one upstream, in the order of the file.
#[derive(Debug)]
pub struct Members {
    list: Box<[Arc<Member>]>,
    generation: Arc<AtomicU64>,
}

impl Members {
    /// Members in the order of the file; those of a former set may be among them.
    #[must_use]
    pub fn new(list: Vec<Arc<Member>>) -> Self {
        Self {
            list: list.into(),
            generation: Arc::default(),
        }
    }

    /// How many there are, usable or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The member at `index`, if there is one.
    #[must_use]
    pub fn member(&self, index: usize) -> Option<&Member> {
        self.list.get(index).map(AsRef::as_ref)
    }

    /// The member at `index` to keep: for a guard, or for the members after a reload.
    #[must_use]
    pub fn share(&self, index: usize) -> Option<Arc<Member>> {
        self.list.get(index).cloned()
    }

    /// Lets policies use the member at `index`, or not: healthy and active.
    pub fn set_available(&self, index: usize, available: bool) {
        if let Some(member) = self.member(index)
            && member.available.swap(available, Ordering::Relaxed) != available
        {
            self.changed();
        }
    }

    /// Lets policies use the member at `index` only when no other can take a request, or as before.
    pub fn set_ejected(&self, index: usize, ejected: bool) {
        if let Some(member) = self.member(index)
            && member.ejected.swap(ejected, Ordering::Relaxed) != ejected
        {
            self.changed();
        }
    }

    /// Sets the weight of the member at `index`, in thousandths, within 1 and [`WEIGHT_LIMIT`].
    pub fn set_weight(&self, index: usize, thousandths: u32) {
        let weight = thousandths.clamp(1, WEIGHT_LIMIT);
        if let Some(member) = self.member(index)
            && member.weight.swap(weight, Ordering::Relaxed) != weight
        {
            self.changed();
        }
    }

    /// Makes the member at `index` a backup, or a primary.
    pub fn set_backup(&self, index: usize, backup: bool) {
        if let Some(member) = self.member(index)
            && member.backup.swap(backup, Ordering::Relaxed) != backup
        {
            self.changed();
        }
    }

    /// The available members of one tier.
    pub(super) fn tier(&self, tier: Tier) -> impl Iterator<Item = (usize, &Member)> {
        self.list
            .iter()
            .map(AsRef::as_ref)
            .enumerate()
            .filter(move |(_, member)| member.is_available() && member.tier() == tier)
    }

    fn changed(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// Members are asked tier by tier: the next one only when none of those before can take a request.
///
/// An ejected member may still be able to serve, which is better than to refuse a request; one whose
/// checks fail is in no tier at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    Primary,
    Backup,
    EjectedPrimary,
    EjectedBackup,
}

impl Tier {
    /// All tiers, in the order in which they are asked.
    pub(super) const ALL: [Self; 4] = [
        Self::Primary,
        Self::Backup,
        Self::EjectedPrimary,
        Self::EjectedBackup,
    ];
}

/// The state of the members from which a policy derived what it keeps.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    members: Arc<AtomicU64>,
    generation: u64,
}

impl Seen {
    /// Take it before reading the members: what changes meanwhile is then seen the next time.
    pub(super) fn of(members: &Members) -> Self {
        Self {
            members: Arc::clone(&members.generation),
            generation: members.generation.load(Ordering::Acquire),
        }
    }

    /// Whether `members` are the same ones, and unchanged.
    pub(super) fn is_current(&self, members: &Members) -> bool {
        Arc::ptr_eq(&self.members, &members.generation)
            && self.generation == members.generation.load(Ordering::Acquire)
    }
}

/// A backend as a policy sees it.
#[derive(Debug)]
pub struct Member {
    identity: u64,
    backup: AtomicBool,
    max_requests: u32,
    weight: AtomicU32,
    available: AtomicBool,
    ejected: AtomicBool,
    in_flight: AtomicU32,
    latency: Latency,
}

impl Member {
    /// An available member without load.
    ///
    /// `identity` must be the same after a reload and differ from those of its siblings (a hash of
    /// the address); `thousandths` is the weight, within 1 and [`WEIGHT_LIMIT`].
    #[must_use]
    pub fn new(identity: u64, thousandths: u32) -> Self {
        Self {
            identity,
            backup: AtomicBool::new(false),
            max_requests: u32::MAX,
            weight: AtomicU32::new(thousandths.clamp(1, WEIGHT_LIMIT)),
            available: AtomicBool::new(true),
            ejected: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            latency: Latency::default(),
        }
    }

    /// The same as a backup: used only when no primary can take a request.
    #[must_use]
    pub fn backup(self) -> Self {
        Self {
            backup: AtomicBool::new(true),
            ..self
        }
    }

    /// The same, taking at most `max_requests` at a time.
    #[must_use]
    pub fn limited(self, max_requests: u32) -> Self {
        Self {
            max_requests,
            ..self
        }
    }

    /// Who it is, over reloads.
    #[must_use]
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// Its weight now, in thousandths.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    /// Whether it is used only when no primary can take a request.
    #[must_use]
    pub fn is_backup(&self) -> bool {
        self.backup.load(Ordering::Relaxed)
    }

    /// Whether policies may use it.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.available.load(Ordering::Relaxed)
    }

    /// Whether it is only used when no other member can take a request.
    #[must_use]
    pub fn is_ejected(&self) -> bool {
        self.ejected.load(Ordering::Relaxed)
    }

    fn tier(&self) -> Tier {
        match (self.is_ejected(), self.is_backup()) {
            (false, false) => Tier::Primary,
            (false, true) => Tier::Backup,
            (true, false) => Tier::EjectedPrimary,
            (true, true) => Tier::EjectedBackup,
        }
    }

    /// Requests that it has now.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it has as many requests as it may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.in_flight() >= self.max_requests
    }

    /// Requests in flight for each 1 of weight.
    pub(super) fn relative_load(&self) -> f64 {
        f64::from(self.in_flight()) * f64::from(FULL_WEIGHT) / f64::from(self.weight())
    }

    pub(super) fn latency(&self) -> &Latency {
        &self.latency
    }

    /// Counts one more request, unless it is full: then `false`. Only a caller that got `true`
    /// calls [`Member::end`].
    #[must_use]
    pub fn begin(&self) -> bool {
        self.in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |load| {
                (load < self.max_requests).then(|| load + 1)
            })
            .is_ok()
    }

    /// Counts one request less.
    pub fn end(&self) {
        let _ = self
            .in_flight
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |load| {
                load.checked_sub(1)
            });
    }
}
