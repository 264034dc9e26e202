# shellcheck shell=bash
# What tests/compose and tests/interop ask of Evenkeel from outside, with curl alone.
#
# To be sourced, after `base` (http://host:port) and `scratch` (a folder for the request loop) are set. A backend is
# told apart by the `hostname` in its answer. Every wait polls until a deadline; every failure ends the script.

: "${scratch:?is to be a folder}" "${base=}"

# passed WHAT
passed() { printf 'ok    %s\n' "$*"; }

# fail WHAT
fail() {
    printf 'FAIL  %s\n' "$*" >&2
    exit 1
}

# eventually SECONDS WHAT COMMAND…: polls until the command succeeds.
eventually() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || fail "not within the deadline: $what"
        sleep 0.1
    done
}

# 200 requests, 100 answers from each backend, never the same one twice in a row.
# expect_alternation NAME NAME: on one connection, then on one connection each.
expect_alternation() {
    hostnames < <(curl -sS "$base/?[1-200]") | expect_turns "$1" "$2" "on one connection"
    hostnames < <(for _ in {1..200}; do curl -sS "$base/"; done) | expect_turns "$1" "$2" "on 200 connections"
}

hostnames() { grep -oE '"hostname": ?"[^"]*"' | cut -d '"' -f 4; }

expect_turns() {
    awk -v first="$1" -v second="$2" '
        { count[$1]++; again += $1 == before; before = $1 }
        END {
            printf "%d answers: %s %d, %s %d, %d times the same twice in a row\n", \
                NR, first, count[first], second, count[second], again
            exit NR != 200 || count[first] != 100 || count[second] != 100 || again
        }' >"$scratch/turns" || fail "alternation $3: $(cat "$scratch/turns")"
    passed "alternation $3: $(cat "$scratch/turns")"
}

# A client that tries to pass itself off as somebody else, seen from a backend's /headers.
# expect_forwarded_headers PEER
expect_forwarded_headers() {
    curl -sSf -H 'Host: shop.example' -H 'X-Real-IP: 6.6.6.6' -H 'X-Forwarded-For: 6.6.6.6' \
        -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-Host: bank.example' "$base/headers" >"$scratch/headers"
    expect_header Host shop.example
    expect_header X-Real-IP "$1"
    expect_header X-Forwarded-For "6.6.6.6, $1"
    expect_header X-Forwarded-Proto http
    expect_header X-Forwarded-Host shop.example
    passed "forwarded headers: the peer is $1, and what the client claimed is not believed"
}

# expect_header NAME VALUE, in [["name", "value"], …]
expect_header() {
    local found
    found=$(grep -oiE "\[\"$1\", ?\"[^\"]*\"\]" "$scratch/headers" | cut -d '"' -f 4)
    [ "$found" = "$2" ] || fail "header $1 should reach the backend once as '$2', and is '$found' in: $(cat "$scratch/headers")"
}

# One line for each request, until stopped: the status, and who answered.
start_request_loop() {
    : >"$scratch/loop"
    request_loop &
    loop_pid=$!
    eventually 10 "50 requests in the loop" answers_beyond 50
}

# `000` is what curl writes where no answer came at all.
request_loop() {
    while :; do
        printf '%s %s\n' \
            "$(curl -s -m 10 -o "$scratch/answer" -w '%{http_code}' "$base/")" \
            "$(hostnames <"$scratch/answer")"
    done >>"$scratch/loop"
}

answers() { wc -l <"$scratch/loop"; }
answers_beyond() { (($(answers) > $1)); }

# answered_after LINE NAME: whether that backend has answered since.
answered_after() { tail -n +"$(($1 + 1))" "$scratch/loop" | grep -qx "200 $2"; }

# stop_request_loop WHAT: no request of the loop may have failed.
stop_request_loop() {
    end_request_loop
    local all failed
    all=$(grep -c . "$scratch/loop")
    failed=$(grep -vc '^200 ' "$scratch/loop" || true)
    [ "$failed" -eq 0 ] || fail "$1: $failed of $all requests failed: $(grep -v '^200 ' "$scratch/loop" | sort | uniq -c)"
    passed "$1: 0 of $all requests failed"
}

# Also for clean-up, where no loop may be running.
end_request_loop() {
    [ -n "${loop_pid-}" ] || return 0
    kill "$loop_pid" 2>/dev/null || true
    wait "$loop_pid" 2>/dev/null || true
    loop_pid=
}
