#!/usr/bin/env bash
# Builds Evenkeel with profile-guided optimisation: once to watch itself at work, once with what was seen. The result is
# target/pgo/evenkeel. It has what is in patches/.
#
# What it is trained with is what benchmarks measure and most requests are: small answers and large ones, uploads, connections that are
# kept and that are not, over HTTP/1 and HTTP/2, in the clear and over TLS. The load comes from h2load; profiles are read by the
# llvm-profdata of the compiler's own version. Both come from the system or, unpacked and not installed, from Debian's archive.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/target/interop here=$PWD/tests/interop openssl=
out=$PWD/target/pgo
scratch=$(mktemp -d)
pids=()
# shellcheck source=scripts/http_checks.sh
. scripts/http_checks.sh
# shellcheck source=tests/interop/tools.sh
. tests/interop/tools.sh

main() {
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    mkdir -p "$work" "$out"
    provide openssl openssl
    openssl=$tool
    provide h2load nghttp2-client
    h2load=$tool
    provide_profdata
    provide_certificates
    patches=$(sh scripts/patches.sh)
    host=$(rustc -vV | sed -n 's/^host: //p')

    rm -rf "$out/raw"
    build "-Cprofile-generate=$out/raw"
    train
    "$profdata" merge -o "$out/evenkeel.profdata" "$out"/raw/*.profraw
    # Loops over bytes count so high that LLVM takes what runs once for each request for cold, and would make it small, not fast.
    build "-Cprofile-use=$out/evenkeel.profdata -Cllvm-args=-pgso=false"
    cp "$out/target/$host/release/evenkeel" "$out/evenkeel"
    echo "pgo: $out/evenkeel"
}

# With the target named, the flags are for the program alone, and not for what runs while it is built.
build() {
    RUSTFLAGS="${RUSTFLAGS:-} $1" cargo --config "$patches" build --release --locked --package evenkeel --bin evenkeel --target "$host" --target-dir "$out/target"
}

provide_profdata() {
    local version
    version=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    profdata=$(find "$(rustc --print sysroot)" -name llvm-profdata -type f | head -n 1)
    if [ -z "$profdata" ]; then
        provide "llvm-profdata-$version" "llvm-$version"
        profdata=$tool
    fi
}

train() {
    configuration >"$scratch/train.yaml"
    "$out/target/$host/release/evenkeel" -c "$scratch/train.yaml" 2>"$scratch/train.log" &
    pids+=("$!")
    eventually 30 "all listeners are open: $(cat "$scratch/train.log")" listening 3
    local clear tls
    clear=http://$(address 2) tls=https://$(address 3)
    head -c 1048576 /dev/zero >"$scratch/upload"
    load "$clear/" -n 60000 -c 32 --h1
    load "$clear/headers" -n 20000 -c 16 --h1 -H 'user-agent: Mozilla/5.0' -H 'accept: */*' -H 'accept-encoding: gzip' -H 'cookie: a=b'
    load "$clear/large" -n 4000 -c 16 --h1
    load "$clear/headers" -n 200 -c 8 --h1 -d "$scratch/upload"
    load "$clear/" -n 20000 -c 4 -m 25
    load "$tls/" -n 20000 -c 16 --h1
    load "$tls/" -n 20000 -c 4 -m 25
    for _ in {1..20}; do
        load "$clear/" -n 100 -c 100 --h1
        load "$tls/" -n 50 -c 50 --h1
    done
    # It writes its profile when it ends in order.
    kill -TERM "${pids[0]}"
    wait "${pids[0]}"
    pids=()
}

# load URL OPTION…: every request must succeed, or what was watched is not what was meant.
load() {
    local url=$1
    shift
    "$h2load" "$@" "$url" >"$scratch/h2load" 2>&1 || fail "h2load: $(cat "$scratch/h2load")"
    grep -q ' 0 failed, 0 errored, 0 timeout' "$scratch/h2load" || fail "h2load, $url: $(cat "$scratch/h2load")"
}

listening() { [ "$(grep -c 'listening on' "$scratch/train.log")" -eq "$1" ]; }

# address N: that of the listener which was the Nth to open.
address() { sed -n 's/.*listening on //p' "$scratch/train.log" | sed -n "$1p"; }

# Its backends are in the process too: two hello services, and a listener whose answers are large.
configuration() {
    local app1 app2 origin
    app1=127.0.0.1:$(free_port) app2=127.0.0.1:$(free_port) origin=127.0.0.1:$(free_port)
    cat <<END
server: { threads: 1 }
access_log: { path: "$scratch/access.log" }
embedded_backends:
  - { name: app1, address: "$app1" }
  - { name: app2, address: "$app2" }
listeners:
  - { address: "$origin", name: origin }
  - { address: "127.0.0.1:0", name: clear }
  - address: 127.0.0.1:0
    name: tls
    tls: { certificates: [{ cert: "$certificates/server.pem", key: "$certificates/server.key" }] }
upstreams:
  hello:
    backends: ["$app1", "$app2"]
    health_check: { http: { path: /health }, interval: 1s }
  origin: { backends: ["$origin"] }
routes:
  - match: { listener: origin, path: /large }
    respond: { status: 200, body: "$(head -c 102400 /dev/zero | tr '\0' x)" }
  - match: { path: /large }
    upstream: origin
  - upstream: hello
END
}

clean_up() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    rm -rf "$scratch"
}

main
