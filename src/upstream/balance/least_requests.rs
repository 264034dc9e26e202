//! The member with the fewest requests in flight ÷ weight; ties in rotation.
//!
//! Slow backends get fewer requests, without anything being measured. A tournament over the members
//! knows the least loaded one; a pick replays one path of it, O(log n) under a short lock. Its view
//! of a load may be old: the winner is checked against its true load, [`Policy::released`] brings
//! what went down, and each pick looks at two more in rotation, so that a load that nobody told of
//! is found after n/2 picks. Nobody is found to be free only after a look at all.
//!
//! Among equals the rotation is start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996): idle
//! members get shares by weight, equal weights go round, and a member that was long busy or away
//! has nothing to catch up with.

use super::members::Seen;
use super::{Member, Members, Policy, Request, Standing, Tier};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a pick moves a member of weight 1/1000 on in the rotation.
const STEP: u128 = 1 << 40;

/// How many members a pick looks at in rotation.
const LOOKS: usize = 2;

/// The policy `least_requests`.
#[derive(Debug, Default)]
pub struct LeastRequests {
    state: Mutex<State>,
}

impl Policy for LeastRequests {
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        let mut state = self.lock();
        if !state.is_current(members) {
            state.follow(members);
        }
        let State { tiers, now, .. } = &mut *state;
        tiers
            .iter_mut()
            .find_map(|tier| tier.pick(members, request, now))
    }

    fn hand_back(&self, members: &Members, index: usize) {
        let mut state = self.lock();
        if state.is_current(members) {
            let tiers = &mut state.tiers;
            tiers
                .iter_mut()
                .for_each(|tier| tier.hand_back(members, index));
        }
    }

    fn released(&self, members: &Members, index: usize) {
        let mut state = self.lock();
        let Some(member) = members.member(index) else {
            return;
        };
        // The request may have been picked before a reload, so its index may be of other members.
        let identity = member.identity();
        for tier in &mut state.tiers {
            tier.note(identity, member.in_flight(), member.is_full());
        }
    }

    /// Requests in flight ÷ weight.
    fn score(&self, members: &Members, index: usize, _now: Duration) -> Option<f64> {
        members.member(index).map(Member::relative_load)
    }

    fn fork(&self) -> Option<Box<dyn Policy>> {
        let state = Mutex::new(self.lock().clone());
        Some(Box::new(Self { state }))
    }
}

impl LeastRequests {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves at worst an old view of a load.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    seen: Option<Seen>,
    tiers: [Tournament; 4],
    /// Where the rotation is.
    now: u128,
}

impl State {
    fn is_current(&self, members: &Members) -> bool {
        self.seen
            .as_ref()
            .is_some_and(|seen| seen.is_current(members))
    }

    fn follow(&mut self, members: &Members) {
        self.seen = Some(Seen::of(members));
        let turns: HashMap<u64, u128> = self.tiers.iter().flat_map(Tournament::turns).collect();
        self.tiers = Tier::ALL.map(|tier| Tournament::of(members, tier, &turns));
    }
}

/// Players, and who of them wins each match: match k is between the winners of 2k and 2k+1.
#[derive(Clone, Debug, Default)]
struct Tournament {
    players: Vec<Player>,
    by_identity: HashMap<u64, usize>,
    winners: Vec<usize>,
    aside: Vec<usize>,
    next_look: usize,
}

#[derive(Clone, Copy, Debug)]
struct Player {
    index: usize,
    identity: u64,
    load: u32,
    weight: u32,
    /// Cannot take the request at hand, or any.
    out: bool,
    turn: u128,
    turn_before: u128,
}

impl Tournament {
    fn of(members: &Members, tier: Tier, turns: &HashMap<u64, u128>) -> Self {
        let turn = |member: &Member| turns.get(&member.identity()).copied().unwrap_or(0);
        let players: Vec<Player> = members
            .tier(tier)
            .map(|(index, member)| Player {
                index,
                identity: member.identity(),
                load: member.in_flight(),
                weight: member.weight(),
                out: member.is_full(),
                turn: turn(member),
                turn_before: turn(member),
            })
            .collect();
        let mut tournament = Self {
            by_identity: players
                .iter()
                .map(|player| player.identity)
                .zip(0..)
                .collect(),
            winners: vec![0; 2 * players.len()],
            players,
            aside: Vec::new(),
            next_look: 0,
        };
        let count = tournament.players.len();
        for player in 0..count {
            tournament.winners[count + player] = player;
        }
        for place in (1..count).rev() {
            tournament.decide(place);
        }
        tournament
    }

    fn turns(&self) -> impl Iterator<Item = (u64, u128)> {
        self.players
            .iter()
            .map(|player| (player.identity, player.turn))
    }

    fn pick(&mut self, members: &Members, request: &Request<'_>, now: &mut u128) -> Option<usize> {
        for _ in 0..LOOKS.min(self.players.len()) {
            self.next_look = (self.next_look + 1) % self.players.len();
            self.look(members, self.next_look);
        }
        let chosen = self.least_loaded(members, request).or_else(|| {
            (0..self.players.len()).for_each(|player| self.look(members, player));
            self.least_loaded(members, request)
        });
        if let Some(player) = chosen {
            let chosen = &mut self.players[player];
            *now = chosen.turn.max(*now);
            chosen.turn_before = chosen.turn;
            chosen.turn = *now + STEP / u128::from(chosen.weight);
            self.replay(player);
        }
        while let Some(player) = self.aside.pop() {
            self.look(members, player);
        }
        chosen.map(|player| self.players[player].index)
    }

    fn least_loaded(&mut self, members: &Members, request: &Request<'_>) -> Option<usize> {
        loop {
            let player = self.winner()?;
            let Player { index, load, .. } = self.players[player];
            match request.standing(members, index) {
                Standing::Excluded => {
                    self.players[player].out = true;
                    self.aside.push(player);
                    self.replay(player);
                }
                Standing::Free if members.member(index)?.in_flight() == load => {
                    return Some(player);
                }
                Standing::Free | Standing::Full => self.look(members, player),
            }
        }
    }

    fn winner(&self) -> Option<usize> {
        let player = *self.winners.get(1)?;
        (!self.players[player].out).then_some(player)
    }

    fn hand_back(&mut self, members: &Members, index: usize) {
        let found = self
            .players
            .binary_search_by_key(&index, |player| player.index);
        if let Ok(player) = found {
            self.players[player].turn = self.players[player].turn_before;
            self.look(members, player);
        }
    }

    fn look(&mut self, members: &Members, player: usize) {
        if let Some(member) = members.member(self.players[player].index) {
            self.set(player, member.in_flight(), member.is_full());
        }
    }

    fn note(&mut self, identity: u64, load: u32, full: bool) {
        if let Some(&player) = self.by_identity.get(&identity) {
            self.set(player, load, full);
        }
    }

    fn set(&mut self, player: usize, load: u32, full: bool) {
        self.players[player].load = load;
        self.players[player].out = full;
        self.replay(player);
    }

    fn replay(&mut self, player: usize) {
        let mut place = (self.players.len() + player) / 2;
        while place > 0 {
            self.decide(place);
            place /= 2;
        }
    }

    fn decide(&mut self, place: usize) {
        let (left, right) = (self.winners[2 * place], self.winners[2 * place + 1]);
        let right_wins = compare(&self.players[right], &self.players[left]).is_lt();
        self.winners[place] = if right_wins { right } else { left };
    }
}

fn compare(left: &Player, right: &Player) -> Ordering {
    let load = u64::from(left.load) * u64::from(right.weight);
    let other = u64::from(right.load) * u64::from(left.weight);
    left.out
        .cmp(&right.out)
        .then(load.cmp(&other))
        .then(left.turn.cmp(&right.turn))
        .then(left.index.cmp(&right.index))
}

#[cfg(test)]
mod tests;
