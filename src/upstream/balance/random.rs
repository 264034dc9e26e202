//! Chance in proportion to weights.
//!
//! Needs no state that threads or proxies would share, and so many proxies do not fall into step.
//! Spreads less evenly than `round_robin`: of N requests a member of share λ gets λ·N give or take
//! the square root of that. A pick costs O(log n) and takes no lock.

use super::derived::Derived;
use super::lottery::Lotteries;
use super::{Members, Policy, Request};

/// The policy `random`.
#[derive(Debug, Default)]
pub struct Random {
    lotteries: Derived<Lotteries>,
}

impl Policy for Random {
    fn pick(&self, members: &Members, request: &mut Request<'_>) -> Option<usize> {
        self.lotteries.read(
            members,
            |members, _| Lotteries::of(members),
            |lotteries| lotteries.draw(members, request),
        )
    }

    fn is_by_chance(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
