# shellcheck shell=bash
# What compose-test needs around it: a Docker engine, docker compose, and the two base images.
#
# To be sourced, after `work`, `scratch` and `project` are set and scripts/http_checks.sh is sourced. What is there is
# used as it is. An engine that had to be started here has its own socket and its own data, and leaves the machine's
# network as it was.

: "${work:?is to be a folder that stays}" "${scratch:?is to be a folder}" "${project:?is to be a name}"

provide_engine() {
    ! docker info >/dev/null 2>&1 || return 0
    can_install || skip "no Docker engine runs, and this is not root on Debian, where one would be started"
    command -v dockerd >/dev/null || install docker.io iptables
    start_engine
}

# `docker compose` (v2) where it is, else docker-compose (v1.29).
provide_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose_command="docker compose"
    else
        command -v docker-compose >/dev/null || ! can_install || install docker-compose
        command -v docker-compose >/dev/null || skip "neither 'docker compose' nor docker-compose is installed"
        compose_command="docker-compose"
    fi
}

compose() { $compose_command --project-name "$project" "$@"; }

# The Dockerfile says what it is built from; a stand-in goes in by another name, so that no name ever lies.
provide_base_images() {
    RUNTIME_IMAGE=$(sed -n 's/^ARG RUNTIME_IMAGE=//p' Dockerfile)
    RUST_IMAGE=$(sed -n 's/^ARG RUST_IMAGE=//p' Dockerfile)
    export RUNTIME_IMAGE RUST_IMAGE
    ! { has_image "$RUNTIME_IMAGE" && has_image "$RUST_IMAGE"; } || return 0
    RUNTIME_IMAGE=stand-in/$RUNTIME_IMAGE RUST_IMAGE=stand-in/$RUST_IMAGE
    echo "STAND-IN: no registry can be reached; the base images are made from Debian's archive and this machine's Rust"
    ! { is_local "$RUNTIME_IMAGE" && is_local "$RUST_IMAGE"; } || return 0
    can_install || skip "no image registry can be reached, and this is not root on Debian, where stand-ins are made"
    make_stand_ins
}

has_image() { is_local "$1" || timeout 900 docker pull --quiet "$1"; }
is_local() { docker image inspect "$1" >/dev/null 2>&1; }

# The runtime image: Debian without what its slim image leaves out too. The build image: the same with Rust and
# nothing else, so that the build proves scripts/dependencies.sh on a fresh Debian.
make_stand_ins() {
    command -v debootstrap >/dev/null || install debootstrap
    local root=$scratch/root
    debootstrap --variant=minbase bookworm "$root" "$(debian_mirror)" >"$work/debootstrap.log" 2>&1 ||
        fail "debootstrap: $(tail -n 5 "$work/debootstrap.log")"
    rm -rf "$root"/usr/share/{doc,info,locale,man}/* "$root"/var/{cache/apt,lib/apt/lists,log}/*
    tar -C "$root" -c . | docker import - "$RUNTIME_IMAGE" >/dev/null
    add_rust "$root"
    tar -C "$root" -c . | docker import --change "ENV CARGO_HOME=/usr/local/cargo" - "$RUST_IMAGE" >/dev/null
    rm -rf "$root"
}

# Also what this machine needs to reach the registries: its certificates, and how its apt and cargo are set up.
add_rust() {
    local sysroot
    sysroot=$(rustc --print sysroot)
    cp -a "$sysroot"/bin/{cargo,rustc} "$1/usr/local/bin/"
    tar -C "$sysroot" --exclude=lib/rustlib/src -c lib | tar -C "$1/usr/local" -x
    mkdir -p "$1/usr/local/cargo" "$1/etc/ssl/certs"
    cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
    cp "${CARGO_HOME:-$HOME/.cargo}/config.toml" "$1/usr/local/cargo/" 2>/dev/null || true
    apt-config dump Acquire >"$1/etc/apt/apt.conf.d/80-as-on-the-host"
    # As in Debian's own images, security updates too; debootstrap knows of one archive only.
    [ ! -e /etc/apt/sources.list.d/debian.sources ] ||
        { cp /etc/apt/sources.list.d/debian.sources "$1/etc/apt/sources.list.d/" && : >"$1/etc/apt/sources.list"; }
}

debian_mirror() {
    local mirror
    # shellcheck disable=SC2016  # apt-get fills these in
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(CODENAME)' 'Created-By: Packages' |
        awk '$NF == "bookworm" { print $1; exit }')
    echo "${mirror:-http://deb.debian.org/debian}"
}

can_install() { [ "$(id -u)" -eq 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null; }

# No service is started by the installation: Debian asks /usr/sbin/policy-rc.d.
install() {
    echo "installing $*"
    local policy=/usr/sbin/policy-rc.d ours=
    if [ ! -e "$policy" ]; then
        ours=1
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; } \
        >"$work/apt.log" 2>&1 || {
        [ -z "$ours" ] || rm "$policy"
        fail "apt-get cannot install $*: $(tail -n 5 "$work/apt.log")"
    }
    [ -z "$ours" ] || rm "$policy"
}

# The containers' network must not take larger packets than the way out of this machine.
start_engine() {
    remember_network
    local device
    device=$(sed -n 's/^\([^\t]*\)\t00000000\t.*/\1/p' /proc/net/route | head -n 1)
    export DOCKER_HOST=unix://$scratch/docker.sock
    dockerd --host "$DOCKER_HOST" --data-root "$work/engine" --exec-root "$scratch/engine" \
        --pidfile "$scratch/dockerd.pid" --mtu "$(cat "/sys/class/net/${device:-lo}/mtu")" \
        >"$work/dockerd.log" 2>&1 &
    engine_pid=$!
    eventually 60 "dockerd starts: $work/dockerd.log" docker info
}

stop_engine() {
    [ -n "${engine_pid-}" ] || return 0
    kill "$engine_pid" 2>/dev/null
    wait "$engine_pid" 2>/dev/null
    restore_network
}

remember_network() {
    forwarding=$(cat /proc/sys/net/ipv4/ip_forward)
    forward_policy=$(iptables -S FORWARD 2>/dev/null | awk '$1 == "-P" { print $3 }')
    foreign_docker=$(iptables-save 2>/dev/null | grep -i docker || true)
}

# dockerd leaves its bridge, its rules and a closed FORWARD chain behind.
restore_network() {
    [ -z "$foreign_docker" ] || return 0
    ip link delete docker0 2>/dev/null
    iptables-save | grep -vi docker | iptables-restore
    iptables -P FORWARD "${forward_policy:-ACCEPT}"
    echo "$forwarding" >/proc/sys/net/ipv4/ip_forward
}

skip() {
    printf '\nSKIPPED, AND NOT PASSED: compose-test cannot run here: %s\n\n' "$1" >&2
    [ "${COMPOSE_TEST_MAY_SKIP-}" = 1 ] || exit 1
    exit 0
}
