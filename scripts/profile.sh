#!/usr/bin/env bash
# Where the time of a request goes: perf over the thread that serves, one kind of load after the other, and whose code was running.
#
# bash scripts/profile.sh [BINARY], by default target/release/evenkeel, prints a table of shares in percent. It needs Linux's perf; the rest is
# what `make bench` uses. The top of each profile stays in target/profile/.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$(realpath "${1:-target/release/evenkeel}")
out=$PWD/target/profile
work=$PWD/target/interop here=$PWD/tests/interop openssl=openssl
scratch=$(mktemp -d)
pids=()
seconds=4
# shellcheck source=scripts/http_checks.sh
. scripts/http_checks.sh
# shellcheck source=tests/interop/tools.sh
. tests/interop/tools.sh

main() {
    trap clean_up EXIT
    command -v perf >/dev/null || fail "perf is not here; type: apt-get install linux-perf (as root)"
    mkdir -p "$out" "$work"
    provide_certificates
    origin=$(free_port) clear=$(free_port) tls=$(free_port)
    start
    echo '| | kernel | Evenkeel | Pingora | HTTP/2 | heads | TLS | runtime | memory | rest |'
    echo '|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|'
    profile small "$(tool wrk)" -t1 -c64 -d"$seconds" "http://127.0.0.1:$clear/"
    profile large "$(tool wrk)" -t1 -c32 -d"$seconds" "http://127.0.0.1:$clear/large"
    profile upload "$(tool wrk)" -t1 -c16 -d"$seconds" -s benches/compare/conf/upload.lua "http://127.0.0.1:$clear/upload"
    profile new "$(tool wrk)" -t1 -c32 -d"$seconds" -H 'Connection: close' "http://127.0.0.1:$clear/"
    profile tls "$(tool wrk)" -t1 -c64 -d"$seconds" "https://127.0.0.1:$tls/"
    profile handshake "$(tool wrk)" -t1 -c32 -d"$seconds" -H 'Connection: close' "https://127.0.0.1:$tls/"
    profile h2 "$(tool h2load)" -c4 -m100 -t1 -D"$seconds" "https://127.0.0.1:$tls/"
}

tool() { sed -n "s/^$1 //p" target/bench/tools/paths; }

start() {
    # The origin's workers are of another user.
    chmod 755 "$scratch"
    mkdir "$scratch/www"
    head -c 102400 /dev/zero >"$scratch/www/large"
    cat >"$scratch/nginx.conf" <<END
worker_processes 1; daemon off; pid $scratch/nginx.pid; error_log $scratch/nginx.log;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; client_max_body_size 0; client_body_buffer_size 2m; client_body_temp_path $scratch/body;
server { listen 127.0.0.1:$origin; root $scratch/www;
location = / { return 200 "0123456789012345678901234567890123456789"; } location /large { }
# Read whole before it is answered.
location /upload { proxy_method GET; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass http://127.0.0.1:$origin/; } } }
END
    cat >"$scratch/evenkeel.yaml" <<END
server: { threads: 1 }
access_log: { path: $scratch/access.log }
listeners:
  - address: 127.0.0.1:$clear
  - { address: "127.0.0.1:$tls", tls: { certificates: [{ cert: "$certificates/server.pem", key: "$certificates/server.key" }] } }
upstreams: { web: { backends: ["127.0.0.1:$origin"] } }
routes: [{ upstream: web }]
END
    "$(tool nginx)" -c "$scratch/nginx.conf" &
    pids+=("$!")
    "$binary" -c "$scratch/evenkeel.yaml" 2>"$scratch/log" &
    pids+=("$!")
    eventually 30 "Evenkeel listens" curl -fsS -o "$scratch/answer" "http://127.0.0.1:$clear/"
    # The one that has the most to do: with one worker it is alone with the sockets.
    thread=$(grep -l 'front door' /proc/"${pids[1]}"/task/*/comm | head -n 1 | cut -d/ -f5)
}

# profile NAME COMMAND…: of the load that the command makes, the middle.
profile() {
    local name=$1 load
    shift
    "$@" >"$scratch/load" 2>&1 &
    load=$!
    sleep 1
    perf record -q -e cpu-clock -F 4000 -t "$thread" -o "$scratch/perf" -- sleep $((seconds - 2)) 2>"$scratch/said" || fail "$(cat "$scratch/said")"
    kill "$load" 2>/dev/null || true
    wait "$load" || true
    perf report -q -i "$scratch/perf" --no-children --sort symbol 2>"$scratch/said" | sed '/^ *$/d' >"$out/$name"
    awk -v name="$name" '
        { share = $1 + 0; $1 = ""; where = $2; $2 = ""; symbol = $0; sub(/^ +/, "", symbol) }
        where == "[k]" { group["kernel"] += share; next }
        symbol ~ /^_?_?(mi|_mi)_|mem(cpy|move|set|cmp)|^je_|malloc|^free/ { group["memory"] += share; next }
        symbol ~ /evenkeel::/ && symbol !~ /^<?pingora/ { group["evenkeel"] += share; next }
        symbol ~ /pingora/ { group["pingora"] += share; next }
        symbol ~ /(^|<|&mut )h2::/ { group["h2"] += share; next }
        symbol ~ /rustls|aws_lc|webpki|x509|^(p256|ecp|bn_|EVP|sha|aes|gcm|chacha|poly1305|CRYPTO|mlkem|fiat|x25519|curve)/ { group["tls"] += share; next }
        symbol ~ /http::|httparse|bytes::|hpack/ { group["heads"] += share; next }
        symbol ~ /tokio|mio::|parking_lot|futures|arc_swap/ { group["runtime"] += share; next }
        { group["rest"] += share }
        END {
            printf "| `%s` | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n", name, group["kernel"], group["evenkeel"],
                group["pingora"], group["h2"], group["heads"], group["tls"], group["runtime"], group["memory"], group["rest"]
        }' "$out/$name"
}

clean_up() {
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    rm -rf "$scratch"
}

main
