# One image with both binaries: `evenkeel`, and `hello`, which is the demo backend and, with --check, a health check
# that needs no curl. The two base images are arguments for machines that must take them from elsewhere. `--build-arg PGO=yes` builds
# `evenkeel` with what was seen of it at work (scripts/pgo.sh), which takes ten to twenty minutes more.
ARG RUST_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /build
COPY scripts/dependencies.sh scripts/
RUN sh scripts/dependencies.sh
ENV CARGO_PROFILE_RELEASE_STRIP=symbols

# The dependencies compile in a layer of their own, against empty sources, and are built again only when a manifest
# or the lock file changes. Cargo does not read a manifest whose benchmarks are missing.
COPY Cargo.toml Cargo.lock ./
COPY backend/Cargo.toml backend/
COPY benches benches
COPY patches patches
COPY scripts/patches.sh scripts/
RUN mkdir src backend/src \
    && touch src/lib.rs backend/src/lib.rs \
    && echo 'fn main() {}' | tee src/main.rs > backend/src/main.rs \
    && cargo --config "$(sh scripts/patches.sh)" build --release --locked --workspace --bins \
    && rm -r src backend/src

# Cargo goes by file times, and those of the checkout are older than the empty sources were.
COPY src src
COPY backend backend
RUN find src backend/src -name '*.rs' -exec touch {} + \
    && cargo --config "$(sh scripts/patches.sh)" build --release --locked --workspace --bins

ARG PGO=no
COPY scripts scripts
COPY tests/interop/tools.sh tests/interop/
RUN [ "$PGO" != yes ] || { bash scripts/pgo.sh && cp target/pgo/evenkeel target/release/; }

FROM ${RUNTIME_IMAGE}
# Upstreams that speak TLS are verified against these.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /build/target/release/evenkeel /build/target/release/hello /usr/local/bin/
COPY conf/lb.yaml /etc/evenkeel/lb.yaml
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/evenkeel"]
CMD ["-c", "/etc/evenkeel/lb.yaml"]
