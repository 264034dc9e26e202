#!/bin/sh
# The checks whose tools Rust does not bring: licences and sources of the dependencies (cargo-deny), that the
# fuzzers still build (libFuzzer is C++), and the shell scripts (shellcheck). A missing tool is said, never
# passed over in silence.
set -eu
cd "$(dirname "$0")/.."

if command -v cargo-deny >/dev/null 2>&1; then
    set -x
    cargo deny --locked check
    { set +x; } 2>/dev/null
else
    echo "NOT CHECKED: licences, advisories and sources of the dependencies (cargo install cargo-deny)"
fi

if command -v c++ >/dev/null 2>&1; then
    set -x
    cargo check --quiet --locked --manifest-path fuzz/Cargo.toml --target-dir target
    { set +x; } 2>/dev/null
else
    echo "NOT CHECKED: that the fuzzers still build (a C++ compiler, such as g++)"
fi

if command -v shellcheck >/dev/null 2>&1; then
    set -x
    shellcheck -x .ci/run scripts/*.sh tests/*/*.sh
else
    echo "NOT CHECKED: the shell scripts (shellcheck is in the packages of Debian, Fedora and Homebrew)"
fi
