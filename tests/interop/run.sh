#!/usr/bin/env bash
# Evenkeel between real clients and backends that nobody here wrote: two FastAPI apps on uvicorn, two nginx, and gRPC: its health
# service, and calls from its client to its server. The clients that are suites of their own are in clients.sh.
#
# Where the tools come from says tools.sh. Nothing has a fixed port, everything listens on loopback, and every process started here
# is ended here. Exits 0 only when every check has passed.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$PWD/target/interop
here=$PWD/tests/interop
scratch=$(mktemp -d)
base=
pids=()
# shellcheck source=scripts/http_checks.sh
. scripts/http_checks.sh
# shellcheck source=tests/interop/tools.sh
. tests/interop/tools.sh
# shellcheck source=tests/interop/clients.sh
. tests/interop/clients.sh

main() {
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    mkdir -p "$work"
    provide_tools
    cargo build --locked --package evenkeel
    evenkeel=${CARGO_TARGET_DIR:-target}/debug/evenkeel

    check_fastapi
    check_nginx
    check_grpc_health
    check_grpc_calls
    check_clients
    echo "interop: all passed"
}

# The tools of each suite; openssl makes the certificates of the others too.
provide_tools() {
    provide_python
    provide nginx nginx
    nginx=$tool
    provide openssl openssl
    openssl=$tool
    provide h2load nghttp2-client
    h2load=$tool
    provide slowhttptest slowhttptest
    slowhttptest=$tool
}

check_fastapi() {
    echo "== two FastAPI apps on uvicorn"
    start_app app1 0
    app1=$pid app1_port=$port
    start_app app2 0
    start_evenkeel fastapi "127.0.0.1:$app1_port" "127.0.0.1:$port"
    expect_alternation app1 app2
    expect_forwarded_headers 127.0.0.1

    start_request_loop
    kill -KILL "$app1"
    wait "$app1" 2>/dev/null || true
    eventually 10 "100 requests after the kill" answers_beyond $(($(answers) + 100))
    local before
    before=$(answers)
    start_app app1 "$app1_port"
    eventually 20 "app1 answers again" answered_after "$before" app1
    stop_request_loop "app1 killed and started again"
}

check_nginx() {
    echo "== two nginx"
    start_nginx web1
    local web1_port=$port
    start_nginx web2
    start_evenkeel nginx "127.0.0.1:$web1_port" "127.0.0.1:$port"
    expect_alternation web1 web2
    expect_forwarded_headers 127.0.0.1
    expect_upload_and_download
}

# An app whose health is told by a gRPC server beside it.
check_grpc_health() {
    echo "== the health service of gRPC for Python"
    start_app app1 0
    local app_port=$port log=$scratch/grpc_server.log
    "$work/venv/bin/python" "$here/grpc_server.py" >"$log" 2>&1 &
    started "$!"
    local health=$pid
    eventually 20 "the gRPC server listens: $log" grep -q 'running on' "$log"
    port=$(sed -n 's/running on //p' "$log")
    run_evenkeel grpc <<END
listeners:
  - address: 127.0.0.1:0
access_log: { path: "off" }
upstreams:
  server:
    backends: ["127.0.0.1:$app_port"]
    health_check: { grpc: {}, port: $port, interval: 500ms }
  service:
    backends: ["127.0.0.1:$app_port"]
    health_check: { grpc: { service: shop.v1.Orders }, port: $port, interval: 500ms }
  stranger:
    backends: ["127.0.0.1:$app_port"]
    health_check: { grpc: { service: nobody }, port: $port, interval: 500ms }
routes:
  - upstream: server
  - match: { path: /service/ }
    upstream: service
END
    expect_log grpc 'stranger: backend .* is down: it has no service "nobody" (grpc-status 5 NOT_FOUND'
    eventually 10 "the app is up" answers_with 200 /
    eventually 10 "the app is up for its service" answers_with 404 /service/
    kill -USR1 "$health"
    eventually 10 "the app is down" answers_with 503 /
    eventually 10 "the app is down for its service" answers_with 503 /service/
    expect_log grpc 'server: backend .* is down: it says that it does not serve (NOT_SERVING) (3 checks in a row)'
    kill -USR2 "$health"
    eventually 10 "the app is up again" answers_with 200 /
    expect_log grpc 'server: backend .* is up again'
    passed "gRPC health: SERVING, NOT_SERVING, SERVING, and a service that is not there"
}

# Calls of all four kinds between gRPC for Python and itself.
check_grpc_calls() {
    echo "== calls between gRPC for Python and itself"
    local log=$scratch/grpc_calls.log
    "$work/venv/bin/python" "$here/grpc_calls.py" serve >"$log" 2>&1 &
    started "$!"
    eventually 20 "the gRPC server listens: $log" grep -q 'running on' "$log"
    port=$(sed -n 's/running on //p' "$log")
    run_evenkeel calls <<END
listeners:
  - address: 127.0.0.1:0
access_log: { path: "off" }
upstreams:
  calls:
    backends: ["127.0.0.1:$port"]
    protocol: http2
routes:
  - upstream: calls
END
    "$work/venv/bin/python" "$here/grpc_calls.py" call "${base#http://}" || fail "a call did not come to what it should"
    passed "gRPC calls: unary, client, server and both streaming, an error, a deadline, 3 MiB, 200 at once"
}

# answers_with STATUS PATH
answers_with() { [ "$(curl -sS -o /dev/null -w '%{http_code}' "$base$2")" = "$1" ]; }

# expect_log NAME PATTERN
expect_log() { eventually 10 "in $scratch/$1.log: $2" grep -q -- "$2" "$scratch/$1.log"; }

# nginx says 405 to a POST of a file, and must still have read the body; the file's bytes must come back unchanged.
expect_upload_and_download() {
    cmp <(curl -sSf "$base/large") "$scratch/web1/large" || fail "10 MiB through nginx and Evenkeel came out changed"
    local status
    status=$(curl -sS -o /dev/null -w '%{http_code}' --data-binary "@$scratch/web1/large" "$base/large")
    [ "$status" = 405 ] || fail "a POST of 10 MiB that nginx answers with 405 was answered with $status"
    passed "10 MiB down and up through nginx"
}

# start_app NAME PORT (0: a free one); sets pid and port.
start_app() {
    local log=$scratch/$1.log
    : >"$log"
    APP_HOSTNAME=$1 "$work/venv/bin/uvicorn" --app-dir "$here" --host 127.0.0.1 --port "$2" main:app >"$log" 2>&1 &
    started "$!"
    eventually 20 "uvicorn $1 listens: $log" grep -q 'running on http' "$log"
    port=$(sed -n 's#.*running on http://127\.0\.0\.1:\([0-9]*\).*#\1#p' "$log" | head -n 1)
}

# start_nginx NAME; sets pid and port. nginx cannot be told to take a free port, so it is given one that was free a
# moment ago, and another when it was not free any more.
start_nginx() {
    local folder=$scratch/$1
    mkdir -p "$folder/temporary"
    head -c 10485760 /dev/urandom >"$folder/large"
    for _ in 1 2 3; do
        port=$(free_port)
        nginx_configuration "$1" "$folder" >"$folder/nginx.conf"
        "$nginx" -p "$folder" -e stderr -c "$folder/nginx.conf" 2>"$folder/nginx.log" &
        started "$!"
        eventually 10 "nginx $1 listens or gives up: $folder/nginx.log" nginx_has_decided
        ! kill -0 "$pid" 2>/dev/null || return 0
    done
    fail "nginx $1 does not start: $(cat "$folder/nginx.log")"
}

nginx_has_decided() { ! kill -0 "$pid" || curl -sf "http://127.0.0.1:$port/health"; }

# nginx_configuration NAME FOLDER
nginx_configuration() {
    cat <<END
daemon off;
user $(id -un) $(id -gn);
worker_processes 1;
pid $2/pid;
events { worker_connections 4096; }
http {
    access_log off;
    default_type application/json;
    client_max_body_size 20m;
    client_body_temp_path $2/temporary;
    proxy_temp_path $2/temporary;
    fastcgi_temp_path $2/temporary;
    uwsgi_temp_path $2/temporary;
    scgi_temp_path $2/temporary;
    server {
        listen 127.0.0.1:$port;
        location = / { return 200 '{"message": "Hello from nginx", "hostname": "$1"}'; }
        location = /health { return 200 '{"status": "ok"}'; }
        location = /headers {
            return 200 '{"headers": [["Host", "\$http_host"], ["X-Real-IP", "\$http_x_real_ip"], ["X-Forwarded-For", "\$http_x_forwarded_for"], ["X-Forwarded-Proto", "\$http_x_forwarded_proto"], ["X-Forwarded-Host", "\$http_x_forwarded_host"]]}';
        }
        location = /large { root $2; }
    }
}
END
}

# start_evenkeel UPSTREAM BACKEND BACKEND; sets base.
start_evenkeel() {
    run_evenkeel "$1" <<END
listeners:
  - address: 127.0.0.1:0
access_log: { path: "off" }
upstreams:
  $1:
    backends: ["$2", "$3"]
    health_check: { http: { path: /health }, interval: 500ms }
routes:
  - upstream: $1
END
    eventually 10 "the first answer through evenkeel" curl -sf "$base/"
}

# run_evenkeel NAME, with the configuration on standard input; sets base.
run_evenkeel() {
    local file=$scratch/$1.yaml log=$scratch/$1.log
    cat >"$file"
    "$evenkeel" -c "$file" >"$log" 2>&1 &
    started "$!"
    eventually 20 "evenkeel listens: $log" grep -q 'listening on 127\.0\.0\.1:' "$log"
    base=http://$(grep -o '127\.0\.0\.1:[0-9]*' <(grep 'listening on' "$log") | head -n 1)
}

started() {
    pid=$1
    pids+=("$1")
}

clean_up() {
    local status=$?
    set +e
    end_request_loop
    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null
    done
    wait
    if [ "$status" -eq 0 ]; then
        rm -rf "$scratch"
    else
        echo "interop: FAILED, the logs are in $scratch" >&2
    fi
}

main "$@"
