# shellcheck shell=bash
# Clients that nobody here wrote, each with what it alone can see: curl, openssl, the websockets library, h2load and slowhttptest.
#
# To be sourced by run.sh. Every suite counts what it has seen: one that ran nothing fails.

: "${work:?}" "${here:?}" "${scratch:?}" "${port=}" "${base=}" "${certificates=}" "${openssl=}" "${h2load=}" "${slowhttptest=}"

check_clients() {
    provide_certificates
    start_nginx clients
    web=127.0.0.1:$port
    backend=$web
    check_curl
    check_openssl
    check_h2load
    check_websockets
    check_slowloris
}

# run_listener NAME [LINE…]: Evenkeel in front of the backend, with these keys of its listener; sets base.
run_listener() {
    local name=$1
    shift
    run_evenkeel "$name" <<END
listeners:
  - address: 127.0.0.1:0
$(printf '    %s\n' "$@")
access_log: { path: "off" }
upstreams:
  web:
    backends: ["$backend"]
routes:
  - upstream: web
END
    over_tls=https://localhost:${base##*:}
    eventually 10 "the listener of $name" curl -sk -o /dev/null --max-time 2 "$base"
}

tls_keys="tls: { certificates: [{ cert: \"%s/server.pem\", key: \"%s/server.key\" }]%s }"

# run_tls_listener NAME KEYS: the same over TLS, with more keys of `tls`.
run_tls_listener() {
    # shellcheck disable=SC2059  # the format is the one above
    run_listener "$1" "$(printf "$tls_keys" "$certificates" "$certificates" "$2")"
}

check_curl() {
    echo "== curl"
    local seen=0
    run_listener clear
    for version in http1.0:1.0 http1.1:1.1 http2:1.1 http2-prior-knowledge:2; do
        curl_sees "$base" "${version%:*}" "${version#*:}"
    done
    run_tls_listener tls ""
    for version in http1.0:1.0 http1.1:1.1 http2:2; do
        curl_sees "$over_tls" "${version%:*}" "${version#*:}"
    done
    [ "$seen" -eq 7 ] || fail "curl: $seen of 7 ways were tried"
    passed "curl: --http1.0, --http1.1, --http2 and --http2-prior-knowledge, in the clear and over TLS"
}

# curl_sees BASE OPTION VERSION: 20 answers, 10 MiB unchanged, a HEAD and a POST, all in this version.
curl_sees() {
    local curl=(curl -sS --max-time 20 "--$2" --cacert "$certificates/ca.pem") got
    got=$(twenty_times "$2" "${curl[@]}" -o /dev/null -w '%{http_code} %{http_version}\n' "$1/" | sort | uniq -c | tr -s ' ')
    # Of an upgrade to HTTP/2 in the clear nothing comes, and HTTP/1.0 may be answered as HTTP/1.1.
    case "$got" in
    " 20 200 $3") ;;
    " 20 200 1.1") [ "$2" = http1.0 ] || fail "curl --$2 $1: $got" ;;
    *) fail "curl --$2 $1: $got" ;;
    esac
    cmp <("${curl[@]}" -f "$1/large") "$scratch/clients/large" || fail "curl --$2: 10 MiB came out changed"
    "${curl[@]}" -fI "$1/large" | tr -d '\r' | grep -i '^content-length: 10485760$' >/dev/null || fail "curl --$2: HEAD"
    got=$("${curl[@]}" -o /dev/null -w '%{http_code}' --data-binary "@$scratch/clients/large" "$1/large")
    [ "$got" = 405 ] || fail "curl --$2: a POST that nginx answers with 405 was answered with $got"
    seen=$((seen + 1))
}

# On one connection; but curl 7.88 spoils one of prior knowledge with its second request, in front of nginx too.
twenty_times() {
    local option=$1 url=${*: -1}
    shift
    if [ "$option" = http2-prior-knowledge ]; then
        for _ in {1..20}; do "$@"; done
    else
        "${@:1:$#-1}" "$url?[1-20]"
    fi
}

check_openssl() {
    echo "== openssl s_client"
    run_tls_listener handshakes ""
    local connect=(-connect "${over_tls#https://}" -servername localhost -CAfile "$certificates/ca.pem" -verify_return_error)
    for version in tls1_2 tls1_3; do
        shake_hands "-$version" "${connect[@]}" | says 'Verify return code: 0' || fail "openssl: no $version"
        # With TLS 1.3 a ticket comes behind the handshake, so something is asked for before the session is kept.
        ask_over_tls "-$version" "${connect[@]}" -sess_out "$scratch/session" | says '200 OK' || fail "openssl: no answer over $version"
        [ -s "$scratch/session" ] || fail "openssl: no session of $version to keep"
        ask_over_tls "-$version" "${connect[@]}" -sess_in "$scratch/session" | says '^Reused, TLSv1' || fail "openssl: $version is not resumed"
    done
    shake_hands -alpn h2 "${connect[@]}" | says '^ALPN protocol: h2' || fail "openssl: ALPN does not come to h2"
    shake_hands -alpn http/1.1 "${connect[@]}" | says '^ALPN protocol: http/1.1' || fail "openssl: ALPN does not come to http/1.1"
    ! shake_hands -tls1_1 -cipher 'ALL:@SECLEVEL=0' "${connect[@]}" >/dev/null || fail "openssl: TLS 1.1 is spoken"
    run_tls_listener mutual ", client_ca: \"$certificates/ca.pem\", client_auth: required"
    connect[1]=${over_tls#https://}
    ask_over_tls "${connect[@]}" -cert "$certificates/client.pem" -key "$certificates/client.key" | says '200 OK' ||
        fail "openssl: no answer for a client with a certificate"
    ! ask_over_tls "${connect[@]}" | says '200 OK' || fail "openssl: an answer for a client without a certificate"
    passed "openssl: TLS 1.2 and 1.3, resumed; ALPN; not TLS 1.1; a client's certificate, and none"
}

# says PATTERN: whether it is in what comes, which is read to its end: whoever writes it is not to be stopped.
says() { grep -- "$1" >/dev/null; }

shake_hands() { "$openssl" s_client "$@" </dev/null 2>&1; }

ask_over_tls() {
    { printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' && sleep 1; } | "$openssl" s_client -ign_eof "$@" 2>&1
}

check_h2load() {
    echo "== h2load"
    run_listener load
    load "$base" "h2c" -n 5000 -c 10 -m 100
    load "$base" "HTTP/1.1" -n 5000 -c 50 --h1
    run_tls_listener load_tls ""
    load "https://127.0.0.1:${base##*:}" "HTTP/2 over TLS" -n 5000 -c 10 -m 100
}

# load URL WHAT OPTION…: all of the 5,000 requests must have succeeded.
load() {
    local url=$1 what=$2
    shift 2
    "$h2load" "$@" "$url/" >"$scratch/h2load" 2>&1 || fail "h2load: $(cat "$scratch/h2load")"
    for wanted in '5000 total, 5000 started, 5000 done, 5000 succeeded, 0 failed, 0 errored, 0 timeout' 'status codes: 5000 2xx'; do
        grep -q "$wanted" "$scratch/h2load" || fail "h2load, $what: $(cat "$scratch/h2load")"
    done
    passed "h2load: 5000 requests of 5000 over $what"
}

check_websockets() {
    echo "== the websockets library for Python, on both sides"
    local log=$scratch/websockets.log
    "$work/venv/bin/python" "$here/websocket_calls.py" serve >"$log" 2>&1 &
    started "$!"
    eventually 20 "the WebSocket server listens: $log" grep -q 'running on' "$log"
    backend=127.0.0.1:$(sed -n 's/running on //p' "$log")
    run_listener sockets
    call_websockets "ws://${base#http://}"
    run_tls_listener sockets_tls ""
    call_websockets "wss://${over_tls#https://}"
}

call_websockets() {
    local told
    told=$("$work/venv/bin/python" "$here/websocket_calls.py" call "$1" "$certificates/ca.pem") || fail "websockets over $1: $told"
    [ "$told" = "320 connections" ] || fail "websockets over $1: it is to tell of 320 connections, and tells: $told"
    passed "websockets over ${1%%:*}: echo, 1 MiB, ping, close by either side, 300 at once: $told"
}

# A thousand clients that never come to the end of their heads, for half a minute.
check_slowloris() {
    echo "== slowhttptest, slowloris"
    backend=$web
    run_listener slow "timeouts: { header: 4s }"
    start_request_loop
    "$slowhttptest" -c 1000 -H -i 1 -r 250 -l 20 -x 10 -p 5 -u "$base/" >"$scratch/slowhttptest" 2>&1 ||
        fail "slowhttptest: $(tail -n 20 "$scratch/slowhttptest")"
    stop_request_loop "1000 clients that send their heads a line at a time"
    local refused
    refused=$(grep -c 'refused' "$scratch/slow.log")
    [ "$refused" -ge 900 ] || fail "slowhttptest: only $refused of 1000 were refused"
    passed "slowhttptest: $refused slow heads were refused"
}
