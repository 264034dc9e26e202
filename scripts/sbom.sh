#!/usr/bin/env bash
# Writes target/sbom/evenkeel.cdx.json: the crates that the program is made of, in CycloneDX (ECMA-424). The same lock file gives the same
# bytes: the time in it is that of the last commit.
#
# cargo-cyclonedx is CycloneDX's own tool; where it is not installed, it is built into target/sbom. That the document names what is linked, and
# nothing else, is checked against cargo's own tree.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.5.9
out=$PWD/target/sbom
host=$(rustc -vV | sed -n 's/^host: //p')
document=$out/evenkeel.cdx.json
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

mkdir -p "$out"
if command -v cargo-cyclonedx >/dev/null; then
    tool=cargo-cyclonedx
else
    tool=$out/tools-$version/bin/cargo-cyclonedx
    [ -x "$tool" ] || cargo install --locked --quiet --root "$out/tools-$version" "cargo-cyclonedx@$version"
fi

# It writes beside each manifest, so it is given a copy of what it reads.
git archive HEAD | tar -x -C "$scratch"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
"$tool" cyclonedx --manifest-path "$scratch/Cargo.toml" --format json --spec-version 1.5 --target "$host" --no-build-deps --quiet

# What cargo says is linked. The tool also names crates that a feature which is off could bring; they are taken out, and where the folder
# stood.
cargo tree --locked --package evenkeel --edges normal --target "$host" --prefix none --no-dedupe |
    sed 's/^\([^ ]*\) v\([^ ]*\).*/\1 \2/' | sort -u >"$scratch/linked"
sed "s#$scratch/##g; s#$scratch##g" "$scratch/evenkeel.cdx.json" | python3 -c '
import json, sys
document = json.load(sys.stdin)
linked = {tuple(line.split()) for line in open(sys.argv[1])}
name = lambda part: (part["name"], part["version"])
dropped = {part["bom-ref"] for part in document["components"] if name(part) not in linked}
document["components"] = [part for part in document["components"] if part["bom-ref"] not in dropped]
document["dependencies"] = [
    {**entry, "dependsOn": [ref for ref in entry.get("dependsOn", []) if ref not in dropped]}
    for entry in document["dependencies"] if entry["ref"] not in dropped
]
named = {name(part) for part in [document["metadata"]["component"], *document["components"]]}
if named != linked:
    sys.exit(f"linked and not named: {sorted(linked - named)}")
json.dump(document, sys.stdout, indent=2, sort_keys=True)
print()
' "$scratch/linked" >"$scratch/document"
mv "$scratch/document" "$document"
echo "sbom: $document, $(wc -l <"$scratch/linked") crates"
