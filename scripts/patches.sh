#!/bin/sh
# Prepares the patched dependencies: each patches/CRATE-VERSION.patch is applied to a copy of that crate, as Cargo.lock names it and the
# registry has it, under target/patches. Prints the path of a Cargo configuration that puts the copies in the place of the originals:
#
#     cargo --config "$(sh scripts/patches.sh)" build --release --locked
#
# Cargo.lock stays as it is, and without the configuration everything builds from the registry alone.
set -eu
cd "$(dirname "$0")/.."

main() {
    out=$PWD/target/patches
    mkdir -p "$out"
    overrides=
    for patch in "$PWD"/patches/*.patch; do
        crate=$(basename "$patch" .patch)
        prepare
        overrides="$overrides\"$out/$crate\", "
    done
    echo "paths = [$overrides]" >"$out/config.toml"
    echo "$out/config.toml"
}

# A copy that is up to date stays: Cargo goes by file times.
prepare() {
    if cmp -s "$patch" "$out/$crate.applied"; then
        return
    fi
    rm -rf "${out:?}/${crate:?}" "$out/$crate.applied"
    original=$(source_of_crate)
    [ -n "$original" ] || stop "Cargo.lock does not have $crate, which patches/$crate.patch is for"
    cp -R "$original" "$out/$crate"
    patch -d "$out/$crate" -p1 -F0 -s <"$patch" >&2 ||
        stop "patches/$crate.patch does not fit $original"
    cp "$patch" "$out/$crate.applied"
}

source_of_crate() {
    cargo metadata --locked --format-version 1 | tr ',' '\n' | sed -n "s|^\"manifest_path\":\"\(.*/$crate\)/Cargo.toml\"\$|\1|p"
}

stop() {
    echo "patches: $1" >&2
    exit 1
}

main
