//! Evenkeel with an allocator that counts, and a filter that tells the counts: for tests/e2e/allocations.rs and tests/e2e/chaos.

use std::alloc::System;
use std::process::ExitCode;

use evenkeel::Evenkeel;
use evenkeel::config::Refusal;
use evenkeel::filter::{Answer, Facts, Filter, RequestHead, Verdict};
use evenkeel::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Answers with the number of allocations that the process has made, those that made one larger included, with the number of bytes that it
/// asked for in all of them, and with the number that it has now: those it has not given back, whatever its allocator keeps beside them.
#[derive(Debug, Deserialize)]
struct Allocations {}

impl Filter for Allocations {
    fn request(&self, _: &mut RequestHead<'_>, _: &Facts<'_>) -> Verdict {
        let made = COUNTED.stats();
        let counts = json!({
            "made": made.allocations + made.reallocations,
            "asked": made.bytes_allocated,
            "bytes": made.bytes_allocated - made.bytes_deallocated,
        });
        Answer::new(StatusCode::OK).text(counts.to_string()).into()
    }
}

fn main() -> ExitCode {
    Evenkeel::builder()
        .filter("allocations", |options: Allocations| {
            Ok::<_, Refusal>(options)
        })
        .run()
}
