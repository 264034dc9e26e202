# What one types while working on Evenkeel. Thin on purpose: each line is a command that also works
# by hand. `make` alone lists the targets.

.DEFAULT_GOAL := help
.PHONY: help deps run test patched check compose-test interop soak bench bench-idle fuzz pgo sbom

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## Find what the build needs besides Rust, and install what is missing
	@sh scripts/dependencies.sh

run: deps ## The load balancer on port 8080, in front of two hello services of its own
	cargo run -- -c conf/lb.yaml

# What ships has patches/, and so has what `test`, `bench` and `pgo` build; the rest builds without, as `cargo run` does.
with_patches := --config target/patches/config.toml
patched: deps
	@sh scripts/patches.sh >/dev/null

# The documentation's examples run first, so that the last line is the verdict on the tests.
test: export EVENKEEL_PATCHED = yes
test: deps patched ## All tests, with cargo-nextest where it is installed
	cargo test $(with_patches) --workspace --doc
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run $(with_patches) --workspace; \
	else \
		set -x; cargo test $(with_patches) --workspace --all-targets; \
	fi

check: deps ## Formatting, lints, documentation; licences and shell scripts where the tools are installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --package evenkeel --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	@sh scripts/optional_checks.sh

compose-test: ## The Docker Compose example on a real engine; as root on Debian it brings its own
	bash tests/compose/run.sh

# CHAOS_SEED says what happens when; the seed of a run is its first line.
soak: deps ## What `make test` has for seconds, for SOAK_MINUTES (60): backends that fail, clients that vanish, reloads, and nothing may go wrong
	cargo build --example counting
	SOAK_MINUTES=$${SOAK_MINUTES:-60} cargo test --test e2e chaos::whatever -- --nocapture

# ONLY=small,tls AGAINST=evenkeel,nginx ROUNDS=3 SECONDS=2 WORKERS=1 choose a part; RECORD=yes writes docs/performance.md.
bench: deps patched ## Evenkeel beside stock Pingora, nginx, HAProxy, Envoy and Caddy: CPU time for a request, latencies, memory; 20 minutes
	bash scripts/bench_tools.sh
	cargo build --release --example stock_pingora
	cargo bench $(with_patches) --bench compare

bench-idle: deps ## What an idle connection costs in memory, in the clear and over TLS
	cargo bench --bench idle

interop: deps ## Evenkeel between clients and backends that nobody here wrote: curl, openssl, h2load, nginx, FastAPI, gRPC and more
	bash tests/interop/run.sh

pgo: deps ## target/pgo/evenkeel: the program, built with what was seen of it at work
	bash scripts/pgo.sh

fuzz: deps ## Each fuzzer for FUZZ_SECONDS (10); needs a C++ compiler
	sh fuzz/run.sh

sbom: deps ## What the program is made of, as CycloneDX: target/sbom/evenkeel.cdx.json
	bash scripts/sbom.sh
