#!/usr/bin/env bash
# go-car and we read each other's CAR files: every block is hashed on both sides, both lists compared.
# usage: go_car.sh VARVITE GOLDEN.car WORK-DIRECTORY
set -euo pipefail
varvite=$1 golden=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)

command -v go >/dev/null || { echo "skipped: no go on PATH"; exit 77; }
rm -rf "$work"
mkdir -p "$work"
peer=$work/../boxo-peer
# The first build fetches the peer's modules; without a network there is no peer.
(cd "$here/../peers/boxo-peer" && go mod download >/dev/null 2>&1) ||
    { echo "skipped: the modules of boxo-peer cannot be fetched"; exit 77; }
(cd "$here/../peers/boxo-peer" && go build -trimpath -o "$(realpath -m "$peer")" .)

fail() { echo "FAILED: $*" >&2; exit 1; }
export VARVITE_STORE=$work/store
"$varvite" -q init >"$work/init.txt"

# What go-car lists of a file, without its first line: "CID length", in the order of the file.
listed() { "$peer" "$1" | tail -n +2; }

root=$("$varvite" -q car import "$golden")
[ "$root" = bafyr4ihqslq5ifmegtvmruk7n4xkqj5ak346iedeuoh3ydf3smiag56gda ] || fail "root $root"
"$varvite" -q car export -o "$work/v1.car" "$root"
"$varvite" -q car export --version 2 -o "$work/v2.car" "$root"
"$varvite" -q car export --version 2 --no-index -o "$work/plain.car" "$root"

listed "$golden" >"$work/golden.txt"
[ "$(wc -l <"$work/golden.txt")" -eq 9 ] || fail "go-car lists $(wc -l <"$work/golden.txt") golden blocks"
for name in v1 v2 plain; do
    listed "$work/$name.car" | cmp - "$work/golden.txt" || fail "$name.car as go-car reads it"
done
"$peer" "$work/v2.car" >"$work/v2.txt"
grep -q 'version=2 blocks=9 roots-present=true index=car-multihash-index-sorted' "$work/v2.txt" ||
    fail "go-car does not see our index: $(head -1 "$work/v2.txt")"

# go-car's own indexed file, of ours: the same bytes, and readable.
"$peer" "$work/v1.car" "$work/wrapped.car"
cmp "$work/wrapped.car" "$work/v2.car" || fail "go-car's indexed file is not ours"
"$varvite" -q --store "$work/wrapped.car" dag get "$root" >/dev/null || fail "open go-car's file"
VARVITE_STORE=$work/second "$varvite" -q init >"$work/init.txt"
[ "$(VARVITE_STORE=$work/second "$varvite" -q car import "$work/wrapped.car")" = "$root" ] ||
    fail "import of go-car's file"
VARVITE_STORE=$work/second "$varvite" -q verify --dag "$root" >"$work/verify.txt" || fail "verify after import of go-car's file"

# A climate data set: as many blocks as we say we wrote, every one right.
climate=/usr/share/ferret-vis/data/coads_climatology.cdf
if [ -e "$climate" ]; then
    root=$("$varvite" -q import --chunk TIME=3 "$climate")
    "$varvite" -q car export --version 2 --json -o "$work/climate.car" "$root" >"$work/climate.json"
    listed "$work/climate.car" >"$work/climate.txt"
    blocks=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["blocks"])' <"$work/climate.json")
    [ "$blocks" -gt 10 ] || fail "only $blocks blocks in a climate data set"
    [ "$(wc -l <"$work/climate.txt")" -eq "$blocks" ] || fail "go-car does not read all of $blocks blocks"
fi

# A damaged file is refused by both.
cp "$work/v1.car" "$work/bad.car"
printf 'X' | dd of="$work/bad.car" bs=1 seek=2000 conv=notrunc status=none
! "$peer" "$work/bad.car" >"$work/bad-go.txt" 2>&1 || fail "go-car takes a damaged file"
status=0
"$varvite" -q car import "$work/bad.car" 2>"$work/bad.txt" || status=$?
[ "$status" -eq 3 ] || fail "exit status $status for a damaged file"
grep -q 'byte ' "$work/bad.txt" || fail "no offset in: $(cat "$work/bad.txt")"
echo "go-car and varvite agree"
