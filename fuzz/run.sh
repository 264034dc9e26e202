#!/bin/sh
# Builds the fuzzers on stable Rust and runs each for FUZZ_SECONDS, or those that are named: sh fuzz/run.sh head chunks
#
# The flags are what cargo-fuzz gives the compiler for coverage, without a sanitizer: that one needs a nightly, and a crate without unsafe
# code gains little from it. They are given for the target only, so that build scripts are not watched.
set -eu

cd "$(dirname "$0")"
seconds=${FUZZ_SECONDS:-10}
host=$(rustc -vV | sed -n 's/^host: //p')
targets=${*:-head chunks proxy_protocol forwarded path template configuration request answer}

export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
cargo build --release --target "$host"

for target in $targets; do
    # What is found new stays out of the corpus that is committed.
    found=target/corpus/$target
    mkdir -p "$found" "target/artifacts/$target"
    said=target/$target.log
    if ! "target/$host/release/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="target/artifacts/$target/" "$found" "corpus/$target" >"$said" 2>&1; then
        grep -v '^#' "$said" | tail -n 40
        exit 1
    fi
    echo "$target: nothing in $seconds s and $(sed -n 's/^stat::number_of_executed_units: *//p' "$said") inputs"
done
