//! Draws members in proportion to their weights.
//!
//! A draw looks up one random number among the running sums of the weights, in O(log n), and is
//! repeated when it falls on a member that cannot take the request. After some repeats the few
//! that can are drawn from directly, in O(n): the proportions among them are the same either way.

use super::{Members, Request, Standing, Tier};

/// So many draws before the free members are looked for one by one.
const DRAWS: usize = 16;

/// One lottery for each tier.
#[derive(Debug)]
pub(super) struct Lotteries([Lottery; 4]);

impl Lotteries {
    pub(super) fn of(members: &Members) -> Self {
        Self(Tier::ALL.map(|tier| Lottery::of(members, tier)))
    }

    /// One free member of the first tier that has any.
    pub(super) fn draw(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        self.0.iter().find_map(|lottery| {
            let slot = lottery.draw(members, request, None)?;
            Some(lottery.tickets[slot].index)
        })
    }

    /// Two free members of that tier, or the same one twice when there is no other.
    pub(super) fn draw_two(
        &self,
        members: &Members,
        request: &mut Request<'_>,
    ) -> Option<(usize, usize)> {
        self.0.iter().find_map(|lottery| {
            let first = lottery.draw(members, request, None)?;
            let second = lottery.draw(members, request, Some(first)).unwrap_or(first);
            Some((lottery.tickets[first].index, lottery.tickets[second].index))
        })
    }

    /// The sum of the weights, and the number, of the tier that the member at `index` is in.
    pub(super) fn tier_of(&self, index: usize) -> Option<(u64, usize)> {
        self.0.iter().find_map(|lottery| {
            let found = lottery.tickets.binary_search_by_key(&index, |t| t.index);
            found.ok().map(|_| (lottery.total(), lottery.tickets.len()))
        })
    }
}

#[derive(Debug)]
struct Lottery {
    tickets: Vec<Ticket>,
}

/// A member has the numbers from `from` to before `to`.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    index: usize,
    from: u64,
    to: u64,
}

impl Lottery {
    fn of(members: &Members, tier: Tier) -> Self {
        let mut to = 0;
        let tickets = members.tier(tier).map(|(index, member)| {
            let from = to;
            to += u64::from(member.weight());
            Ticket { index, from, to }
        });
        Self {
            tickets: tickets.collect(),
        }
    }

    fn total(&self) -> u64 {
        self.tickets.last().map_or(0, |ticket| ticket.to)
    }

    fn draw(
        &self,
        members: &Members,
        request: &mut Request<'_>,
        except: Option<usize>,
    ) -> Option<usize> {
        let skipped = except.map_or(
            Ticket {
                index: 0,
                from: u64::MAX,
                to: u64::MAX,
            },
            |slot| self.tickets[slot],
        );
        let total = self.total() - (skipped.to - skipped.from);
        for _ in 0..DRAWS.min(self.tickets.len()) {
            let mut number = below(total, (request.random)())?;
            if number >= skipped.from {
                number += skipped.to - skipped.from;
            }
            let slot = self.tickets.partition_point(|ticket| ticket.to <= number);
            if request.standing(members, self.tickets[slot].index) == Standing::Free {
                return Some(slot);
            }
        }
        self.draw_among_the_free(members, request, except)
    }

    fn draw_among_the_free(
        &self,
        members: &Members,
        request: &mut Request<'_>,
        except: Option<usize>,
    ) -> Option<usize> {
        // One pass, because loads change meanwhile: each takes the place with its share so far.
        let (mut total, mut chosen) = (0, None);
        for (slot, ticket) in self.tickets.iter().enumerate() {
            if Some(slot) == except || request.standing(members, ticket.index) != Standing::Free {
                continue;
            }
            total += ticket.to - ticket.from;
            if below(total, (request.random)())? < ticket.to - ticket.from {
                chosen = Some(slot);
            }
        }
        chosen
    }
}

/// A number below `limit`, as even as `random` is; none below 0.
fn below(limit: u64, random: u64) -> Option<u64> {
    let scaled = (u128::from(random) * u128::from(limit)) >> 64;
    (limit > 0).then_some(scaled as u64)
}
