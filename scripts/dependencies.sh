#!/bin/sh
# Finds what the build needs besides Rust, and installs what is missing.
#
# Pingora compresses with zlib-ng, which is C and built by cmake and make; TLS (aws-lc) and the
# allocator (mimalloc) are C as well; patch applies what is in patches/. Silent and quick when everything is there. Uses apt-get, dnf
# or brew (with sudo when needed); anywhere else it says what to type and exits 1.
set -eu

main() {
    check_rust
    missing=$(missing_tools)
    [ -n "$missing" ] || return 0
    echo "Evenkeel needs, and this machine lacks:$missing" >&2
    install_for_this_system
    missing=$(missing_tools)
    [ -z "$missing" ] || stop "still missing after the installation:$missing" "$(advice)"
}

# The oldest Rust that builds is written once, in Cargo.toml.
check_rust() {
    command -v cargo >/dev/null 2>&1 || stop "cargo, the build tool of Rust, is not in PATH" \
        "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    manifest=$(dirname "$0")/../Cargo.toml
    wanted=$(sed -n 's/^rust-version = "\([0-9]*\.[0-9]*\).*/\1/p' "$manifest" 2>/dev/null | head -n 1)
    found=$(rustc --version | sed -n 's/^rustc \([0-9]*\.[0-9]*\).*/\1/p')
    [ -n "$wanted" ] && [ -n "$found" ] || return 0
    [ "${found%%.*}" -gt "${wanted%%.*}" ] || [ "${found#*.}" -ge "${wanted#*.}" ] ||
        stop "Rust $found is too old, Evenkeel needs $wanted or newer" "rustup update stable"
}

missing_tools() {
    has_c_compiler || printf ' a C compiler'
    command -v make >/dev/null 2>&1 || printf ' make'
    command -v cmake >/dev/null 2>&1 || printf ' cmake'
    command -v patch >/dev/null 2>&1 || printf ' patch'
}

# A compiler without the C library's headers is not enough, so one is read. On macOS, `cc` without
# the command line tools opens a window; xcode-select tells without doing so.
has_c_compiler() {
    if [ "$(uname -s)" = Darwin ]; then
        xcode-select -p >/dev/null 2>&1 || return 1
    fi
    command -v cc >/dev/null 2>&1 && echo '#include <stdlib.h>' | cc -E -x c - >/dev/null 2>&1
}

# shellcheck disable=SC2086  # one argument for each package
install_for_this_system() {
    if [ "$(uname -s)" = Darwin ]; then
        install_on_macos
    elif command -v apt-get >/dev/null 2>&1; then
        as_root apt-get update -q
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $apt_packages
    elif command -v dnf >/dev/null 2>&1; then
        as_root dnf install -y $dnf_packages
    else
        stop "no package manager that this script knows" "$(advice)"
    fi
}

# The command line tools come with a dialogue that only a person can answer.
install_on_macos() {
    has_c_compiler || stop "the command line tools of Xcode are not installed" "xcode-select --install"
    command -v brew >/dev/null 2>&1 || stop "Homebrew, which would install cmake, is not here" \
        "/bin/bash -c \"\$(curl -fsSL https://raw.githubusercontent.com/Homebrew/install/HEAD/install.sh)\" && brew install cmake"
    brew install cmake
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        echo "+ sudo $*" >&2
        sudo "$@"
    else
        stop "not root, and sudo is not installed" "$(advice)   (as root)"
    fi || stop "this failed: $*" "$(advice)"
}

advice() {
    if [ "$(uname -s)" = Darwin ]; then
        echo "xcode-select --install; brew install cmake"
    elif command -v apt-get >/dev/null 2>&1; then
        echo "apt-get update && apt-get install $apt_packages"
    elif command -v dnf >/dev/null 2>&1; then
        echo "dnf install $dnf_packages"
    elif command -v pacman >/dev/null 2>&1; then
        echo "pacman -S --needed gcc make cmake patch"
    elif command -v zypper >/dev/null 2>&1; then
        echo "zypper install gcc make cmake patch"
    elif command -v apk >/dev/null 2>&1; then
        echo "apk add gcc musl-dev make cmake patch"
    else
        echo "(install a C compiler, make, cmake and patch with your package manager)"
    fi
}

# What is wrong, then what to type.
stop() {
    printf 'dependencies: %s\ntype this, then try again:\n    %s\n' "$1" "$2" >&2
    exit 1
}

apt_packages="gcc libc6-dev make cmake patch"
dnf_packages="gcc glibc-devel make cmake patch"

main "$@"
