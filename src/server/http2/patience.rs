//! How many requests a client may give up, or get wrong.
//!
//! A request that is reset as soon as it is sent costs the client a few bytes, and this side the work of beginning it; it does not count
//! against the limit of requests at once either (CVE-2023-44487). A browser whose user goes on to another page does the same, a few times.
//! So each such request takes something away that each request with an answer gives back, and a client that has nothing left is sent away.

/// So many requests may be given up in a row.
const MOST: u32 = 200;

/// What is left of it, for one connection.
#[derive(Debug, Default)]
pub(super) struct Patience {
    given_up: u32,
}

impl Patience {
    /// Notes a request that is over, and tells whether it was one too many.
    pub(super) fn ends_with(&mut self, was_given_up: bool) -> bool {
        self.given_up = if was_given_up {
            self.given_up.saturating_add(1)
        } else {
            self.given_up.saturating_sub(1)
        };
        self.given_up > MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_requests_that_are_given_up_one_after_the_other() {
        let mut patience = Patience::default();
        let borne = (0..MOST).filter(|_| !patience.ends_with(true)).count();
        assert_eq!(borne, 200);
        assert!(patience.ends_with(true));
    }

    #[test]
    fn it_does_not_end_when_half_of_the_requests_have_an_answer() {
        let mut patience = Patience::default();
        for _ in 0..10_000 {
            assert!(!patience.ends_with(true));
            assert!(!patience.ends_with(false));
        }
    }
}
