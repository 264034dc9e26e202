//! The power of two choices: two members by chance, and of these the one with less load.
//!
//! Source: M. Mitzenmacher, "The power of two choices in randomized load balancing", IEEE TPDS 12
//! (2001): the longest queue grows with log log n instead of log n, and no herd runs to the one
//! that looked idle. With weights both are drawn in proportion to them and compared by requests in
//! flight ÷ weight (Berenbrink et al., "Balls into non-uniform bins", JPDC 74, 2014); at a tie the
//! first drawn goes, so that idle members get their shares. The two are distinct, so the most
//! loaded member is never taken. A pick costs O(log n) and takes no lock.

use super::derived::Derived;
use super::lottery::Lotteries;
use super::{Member, Members, Policy, Request};
use std::time::Duration;

/// The policy `p2c`.
#[derive(Debug, Default)]
pub struct P2c {
    lotteries: Derived<Lotteries>,
}

impl Policy for P2c {
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        let (first, second) = self.lotteries.read(
            members,
            |members, _| Lotteries::of(members),
            |lotteries| lotteries.draw_two(members, request),
        )?;
        let less = is_less_loaded(members.member(second)?, members.member(first)?);
        Some(if less { second } else { first })
    }

    /// Requests in flight ÷ weight.
    fn score(&self, members: &Members, index: usize, _now: Duration) -> Option<f64> {
        members.member(index).map(Member::relative_load)
    }

    fn is_by_chance(&self) -> bool {
        true
    }
}

fn is_less_loaded(left: &Member, right: &Member) -> bool {
    let product =
        |load: &Member, weight: &Member| u64::from(load.in_flight()) * u64::from(weight.weight());
    product(left, right) < product(right, left)
}

#[cfg(test)]
mod tests;
