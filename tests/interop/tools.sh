# shellcheck shell=bash
# The tools of the suites, from where a machine that has none of them can get them: PyPI, into a virtual environment, and Debian's
# archive, unpacked and not installed. All of it stays under `work`: target/interop, or target/bench/tools for scripts/bench_tools.sh.
#
# To be sourced, after `work` (a folder that stays), `here`, `scratch` and scripts/http_checks.sh.

: "${work:?is to be a folder}" "${here:?is to be the folder of the suites}" "${scratch:?is to be a folder}" "${openssl=}"

provide_python() {
    if ! "$work/venv/bin/python" -c 'import fastapi, grpc_health, uvicorn, websockets' 2>/dev/null; then
        python3 -m venv "$work/venv" ||
            fail "no Python with venv here; type: apt-get install python3-venv, dnf install python3 or brew install python"
        "$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    fi
}

# provide COMMAND PACKAGE: sets tool to how it is called here. An installed nginx would start serving on port 80; an unpacked one does
# nothing by itself.
provide() {
    tool=$(PATH=$PATH:/usr/sbin command -v "$1" || true)
    [ -z "$tool" ] || return 0
    tool=$work/bin/$1
    [ -x "$tool" ] || unpack "$1" "$2"
}

# unpack COMMAND PACKAGE
unpack() {
    command -v dpkg-deb >/dev/null || fail "$1 is not here; type: dnf install $2 or brew install $2"
    local folder=$work/unpacked/$2 packages found
    mkdir -p "$folder" "$work/bin"
    apt-cache show "$2" >/dev/null 2>&1 || apt-get update -q || fail "no list of packages; type: apt-get update (as root)"
    mapfile -t packages < <(echo "$2" && libraries_of "$2")
    (cd "$folder" && rm -f ./*.deb && { download "${packages[@]}" || { apt-get update -q && download "${packages[@]}"; }; }) ||
        fail "$1 cannot be downloaded; type: apt-get update && apt-get install $2 (as root)"
    for package in "$folder"/*.deb; do
        dpkg-deb --extract "$package" "$folder"
    done
    found=$(find "$folder/usr" ! -type d -name "$1" -path '*bin/*' | head -n 1)
    [ -n "$found" ] || fail "$1 is not in Debian's package $2"
    # Where openssl is not installed, neither are the settings that it looks for.
    local settings=
    [ ! -e "$folder/etc/ssl/openssl.cnf" ] || settings="OPENSSL_CONF=$folder/etc/ssl/openssl.cnf; export OPENSSL_CONF"
    cat >"$work/bin/$1" <<END
#!/bin/sh
$settings
LD_LIBRARY_PATH=$(printf '%s:' "$folder"/usr/lib/*-linux-gnu "$folder"/lib/*-linux-gnu)
export LD_LIBRARY_PATH
exec "$found" "\$@"
END
    chmod +x "$work/bin/$1"
}

# What it needs besides the libraries that every system has in a version of its own.
libraries_of() {
    apt-cache depends --recurse --no-pre-depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$1" |
        grep -E '^lib' | sort -u | grep -vE '^(libc6|libgcc-s1|libcrypt1|libstdc\+\+6|libc-.*|libpam.*|libsystemd.*)$|:'
}

# apt-get would rather download as a user of its own, who may not write here.
download() { apt-get download -q -o APT::Sandbox::User=root "$@"; }

# Nobody listens on it at this moment.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

# Certificates that the suites believe in: an authority, a server's for `localhost`, and a client's.
provide_certificates() {
    certificates=$scratch/certificates
    mkdir -p "$certificates"
    (
        set -e
        cd "$certificates"
        "$openssl" req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj '/CN=interop' 2>/dev/null
        for name in server client; do
            "$openssl" req -newkey rsa:2048 -nodes -keyout "$name.key" -out "$name.csr" -subj "/CN=$name" 2>/dev/null
            printf 'subjectAltName=DNS:localhost\n' >"$name.ext"
            "$openssl" x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$name.pem" \
                -extfile "$name.ext" 2>/dev/null
        done
    )
    [ -s "$certificates/client.pem" ] || fail "openssl makes no certificates"
}
