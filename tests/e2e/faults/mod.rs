//! The table of faults in docs/faults.md, row by row: each cause is provoked for real, and every column is compared with what is seen.
//!
//! A file for each part of a request's way. A cause is the name of its row, its scenario, and a test; that the page and these files know
//! the same causes is a test too.

mod body;
mod budget;
mod client;
mod connecting;
mod head;
mod http2;
mod nobody;
mod observe;
mod request;
mod request_body;
mod scenario;
mod status;
mod table;
mod tls;
mod tunnel;

use std::collections::BTreeSet;

/// The tests of some rows: each scenario is a function of this name that stands beside, each cause the key of its row.
macro_rules! rows {
    ($($scenario:ident = $cause:literal,)*) => {
        pub(super) const CAUSES: &[&str] = &[$($cause),*];

        mod row {
            $(
                #[test]
                fn $scenario() {
                    crate::faults::observe::holds($cause, &super::$scenario());
                }
            )*
        }
    };
}
use rows;

const CAUSES: &[&[&str]] = &[
    request::CAUSES,
    nobody::CAUSES,
    connecting::CAUSES,
    tls::CAUSES,
    request_body::CAUSES,
    head::CAUSES,
    http2::CAUSES,
    budget::CAUSES,
    body::CAUSES,
    tunnel::CAUSES,
    status::CAUSES,
    client::CAUSES,
];

/// A table that was not found, or lost its half, must not pass.
const AT_LEAST: usize = 45;

#[test]
fn every_row_is_provoked_and_every_cause_has_a_row() {
    let (rows, causes) = (table::rows(), CAUSES.concat());
    let written: BTreeSet<_> = rows.iter().map(|row| row.cause.as_str()).collect();
    let provoked: BTreeSet<_> = causes.iter().copied().collect();
    let odd: Vec<_> = written.symmetric_difference(&provoked).collect();
    assert!(odd.is_empty(), "a row or a scenario is missing: {odd:#?}");
    assert_eq!(rows.len(), written.len(), "a cause has two rows");
    assert_eq!(causes.len(), provoked.len(), "a cause has two scenarios");
    assert!(rows.len() >= AT_LEAST, "{} rows", rows.len());
}
