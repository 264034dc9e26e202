#!/usr/bin/env bash
# docker-compose.yml as a user starts it, on a real engine: turns, headers, a backend stopped and started under load.
#
# Where no engine runs, and this is root on Debian, Docker is installed from Debian and an engine of our own is started
# and ended here; its data stays under target/compose-test as a cache. Where no registry can be reached, engine.sh
# makes stand-ins for the base images. Where none of that is possible the test is SKIPPED and this exits with 1, or
# with 0 when COMPOSE_TEST_MAY_SKIP=1 says that this is expected.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$PWD/target/compose-test
scratch=$(mktemp -d)
base=
project=evenkeel-compose-test
# shellcheck source=scripts/http_checks.sh
. scripts/http_checks.sh
# shellcheck source=tests/compose/engine.sh
. tests/compose/engine.sh

main() {
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    mkdir -p "$work"
    provide_engine
    provide_compose
    provide_base_images

    # Port 0: Docker takes a free one. docker-compose v1 gives up after a minute where a build is slow.
    export EVENKEEL_PORT=0 COMPOSE_HTTP_TIMEOUT=600
    compose build
    compose up -d
    lb=$(compose ps -q lb) app1=$(compose ps -q app1)
    eventually 60 "the load balancer is healthy" is_healthy "$lb"
    base=http://127.0.0.1:$(compose port lb 8080 | sed 's/.*://')

    check_answers
    check_a_backend_that_stops_and_starts
    check_confinement
    check_the_end
    echo "compose-test: all passed (image of $(($(docker image inspect -f '{{.Size}}' evenkeel) / 1000000)) MB)"
}

check_answers() {
    expect_alternation app1 app2
    expect_forwarded_headers "$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' "${project}_evenkeel")"
}

check_a_backend_that_stops_and_starts() {
    start_request_loop
    compose stop app1
    eventually 30 "100 requests after the stop" answers_beyond $(($(answers) + 100))
    local before
    before=$(answers)
    compose start app1
    eventually 30 "app1 answers again" answered_after "$before" app1
    stop_request_loop "app1 stopped and started again"
}

check_confinement() {
    [ "$(docker exec "$lb" id -u)" != 0 ] || fail "the load balancer runs as root"
    ! docker exec "$lb" touch /tmp/file 2>/dev/null || fail "the load balancer's file system can be written to"
    [ -z "$(docker port "$app1")" ] || fail "app1 is reachable from outside: $(docker port "$app1")"
    passed "no root, no writable file system, no backend reachable from outside"
}

# 137 is what Docker's own kill leaves after a SIGTERM that nobody heard.
check_the_end() {
    compose stop lb
    local status
    status=$(docker inspect -f '{{.State.ExitCode}}' "$lb")
    [ "$status" = 0 ] || fail "after 'stop', the load balancer exits with $status"
    passed "SIGTERM reaches the load balancer, which exits with 0"
}

is_healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ]; }

clean_up() {
    local status=$?
    set +e
    end_request_loop
    if [ -n "${compose_command-}" ] && docker info >/dev/null 2>&1; then
        [ "$status" -eq 0 ] || compose logs --tail 30
        compose down --volumes --remove-orphans --timeout 5 >"$scratch/down.log" 2>&1 || cat "$scratch/down.log"
    fi
    stop_engine
    rm -rf "$scratch"
    [ "$status" -eq 0 ] || echo "compose-test: FAILED or skipped" >&2
}

main "$@"
