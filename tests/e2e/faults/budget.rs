//! The retry budget is spent: the one cause that takes many requests.

use super::observe::{Visited, compare, lines, logged, outcome, settle};
use super::scenario::{Seen, Visit, ask};
use super::table::Row;
use crate::support::{Backend, Proxy, ok};

const CAUSE: &str = "the connection breaks off before the answer, and retry.budget is spent";
pub(super) const CAUSES: &[&str] = &[CAUSE];

/// Some of these requests are tried again, 100 and a few more, and others are not.
const REQUESTS: usize = 300;

#[test]
fn the_retry_budget_is_spent() {
    let resetting = Backend::resetting_after("");
    let fine = Backend::answering(|_| ok("fine"));
    // It is ejected when each of the requests has counted, and not before.
    let proxy = Proxy::start(&format!(
        "listeners:
  - address: 127.0.0.1:0
upstreams:
  hello:
    backends: [{}, {{ address: {}, backup: true }}]
    retry: {{ budget: 1% }}
    outlier: {{ failures: {REQUESTS}, within: 24h, max_ejected: 100% }}
routes:
  - upstream: hello
",
        resetting.address(),
        fine.address()
    ));
    let visits = (0..REQUESTS).map(|index| {
        let target = format!("/{index}");
        let visit = Visit {
            proxy: &proxy,
            method: "GET",
            target: &target,
        };
        let seen = ask(&visit);
        (target, seen)
    });
    let visits: Vec<_> = visits.collect();
    let is_spent = |seen: &Seen| matches!(seen, Seen::Whole(answer) if answer.status != 200);
    let (target, seen) = visits.into_iter().find(|(_, seen)| is_spent(seen)).unwrap();
    let logged = Some(logged(&proxy, &target));
    settle(&proxy);
    let is_tried_again = fine.asked_for(&target) > 0;
    let (status, error) = outcome(&Visited {
        target,
        seen,
        logged,
    });
    let lines = lines(&proxy);
    let is_said = |words: &str| lines.iter().any(|line| line.contains(words));
    compare(CAUSE, |row| Row {
        cause: CAUSE.to_owned(),
        status,
        error,
        again: if is_tried_again { "always" } else { "never" }.to_owned(),
        counts: if is_said(" is ejected ") { "yes" } else { "no" }.to_owned(),
        log: row
            .filter(|row| is_said(&row.log))
            .map_or_else(|| "something else".to_owned(), |row| row.log.clone()),
    });
}
