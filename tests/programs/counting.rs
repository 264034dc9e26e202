//! Evenkeel with an allocator that counts, and a filter that tells the count: for tests/e2e/allocations.rs.

use std::alloc::System;
use std::process::ExitCode;

use evenkeel::Evenkeel;
use evenkeel::config::Refusal;
use evenkeel::filter::{Answer, Facts, Filter, RequestHead, Verdict};
use evenkeel::http::StatusCode;
use serde::Deserialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Answers with the number of allocations that the process has made, those that made one larger included.
#[derive(Debug, Deserialize)]
struct Allocations {}

impl Filter for Allocations {
    fn request(&self, _: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        let made = COUNTED.stats();
        let count = made.allocations + made.reallocations;
        Answer::new(StatusCode::OK).text(count.to_string()).into()
    }
}

fn main() -> ExitCode {
    Evenkeel::builder()
        .filter("allocations", |options: Allocations| {
            Ok::<_, Refusal>(options)
        })
        .run()
}
