//! Evenkeel beside stock Pingora, nginx, HAProxy, Envoy, Caddy, and a plain TCP relay as the floor: same host, same run, equal work.
//!
//! The figure that counts is the CPU time of the proxy for one request at a fixed rate, the same for everybody: it needs no saturated core
//! and no quiet machine. Everybody's answers are checked first, rounds are interleaved, and a figure is void, with its reason, when answers
//! failed, when something else than the proxy was the bottleneck, or when rounds lie too far apart.
//!
//! `make bench`; docs/performance.md explains the figures, and [`options`] how to choose a part. Run without `--bench`, as
//! `cargo test --benches` does, it measures nothing: it fills in all configurations. Linux only.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints figures, and ends at the first surprise"
)]

mod check;
mod contestants;
mod generators;
mod handshakes;
mod measure;
mod options;
mod origin;
mod process;
mod report;
mod run;
mod sample;
mod scenarios;
mod tools;

use std::process::ExitCode;

fn main() -> ExitCode {
    if !cfg!(target_os = "linux") {
        println!("compare: not run, since this is not Linux");
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &words[..] {
        ["slow-origin", ports @ ..] => origin::answer_slowly(ports),
        ["handshakes", load @ ..] => handshakes::generate(load),
        words if words.contains(&"--bench") => return whole(),
        _ => contestants::fill_in_all(),
    }
    ExitCode::SUCCESS
}

fn whole() -> ExitCode {
    let options = match options::Options::from_environment() {
        Ok(options) => options,
        Err(why) => {
            println!("compare: {why}");
            return ExitCode::FAILURE;
        }
    };
    let tools = tools::Tools::find();
    let report = run::run(&options, &tools);
    println!("the tables and the raw numbers are in target/bench/performance.md and .json");
    if options.record {
        report.record();
    }
    if report.is_void() {
        println!("compare: VOID in parts; the reasons stand below each table");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
