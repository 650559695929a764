#!/usr/bin/env bash
# A real IPFS peer (tests/peers/boxo-peer) between us and py-hamt's KuboCAS. First the peer alone: blocks, a climate
# data set, a peer that gives nothing but blocks, one that is overloaded, one that finds nothing.
# usage: kubo_peer.sh VARVITE WORK-DIRECTORY ENVIRONMENT
set -euo pipefail
varvite=$1 work=$2 environment=$3
here=$(cd "$(dirname "$0")" && pwd)

command -v go >/dev/null || { echo "skipped: no go on PATH"; exit 77; }
rm -rf "$work"
mkdir -p "$work"
peer=$work/boxo-peer # not the one of other tests, which may be running
(cd "$here/../peers/boxo-peer" && go mod download >/dev/null 2>&1) ||
    { echo "skipped: the modules of boxo-peer cannot be fetched"; exit 77; }
(cd "$here/../peers/boxo-peer" && go build -trimpath -o "$(realpath -m "$peer")" .)
export no_proxy=127.0.0.1

pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

# start NAME OPTION…: a peer; its line of JSON is in NAME.json.
start() {
    local name=$1
    shift
    "$peer" "$@" >"$work/$name.json" 2>"$work/$name.err" &
    pids+=($!)
    for _ in $(seq 100); do
        [ -s "$work/$name.json" ] && return
        sleep 0.05
    done
    fail "the peer does not start: $(cat "$work/$name.err")"
}
# of NAME rpc|gateway
of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/$1.json" "$2"; }

start plain
rpc=$(of plain rpc) gateway=$(of plain gateway)
store=kubo://${rpc#http://}
head -c 3000 /dev/urandom >"$work/block"
cid=$("$varvite" -s "$store" block put "$work/block")
for way in "$store" "$store?gateway=$gateway" "gateway+$gateway"; do
    "$varvite" -s "$way" block get "$cid" | cmp - "$work/block" || fail "block by $way"
done
status=0
"$varvite" -s "gateway+$gateway" block get bafkr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4 \
    2>"$work/missing.txt" || status=$?
[ "$status" -eq 1 ] || fail "exit status $status for a missing block"

# A node of more than a chunk stays one block, with its name.
head -c 1500000 /dev/urandom >"$work/long"
cid=$("$varvite" -s "$store" block put "$work/long")
"$varvite" -s "gateway+$gateway" block get "$cid" | cmp - "$work/long" || fail "a long block"

climate=/usr/share/ferret-vis/data/coads_climatology.cdf
if [ -e "$climate" ]; then
    root=$("$varvite" -q -s "$store" import --chunk TIME=3 "$climate")
    "$varvite" -q -s "gateway+$gateway" verify "$root" >"$work/verify.txt" || fail "verify by the gateway"
    VARVITE_STORE=$work/store "$varvite" -q init >"$work/init.txt"
    [ "$(VARVITE_STORE=$work/store "$varvite" -q import --chunk TIME=3 "$climate")" = "$root" ] || fail "another root"
fi

start blocks -trustless
store=kubo://$(of blocks rpc | sed s,http://,,)
cid=$("$varvite" -s "$store" block put "$work/block")
"$varvite" -s "gateway+$(of blocks gateway)" block get "$cid" | cmp - "$work/block" || fail "a trustless gateway"

# Nobody has it: not "not found", and not for ever.
start lost -hang -retrieval-timeout 1s
status=0
timeout 60 "$varvite" -s "gateway+$(of lost gateway)" block get "$cid" 2>"$work/lost.txt" || status=$?
[ "$status" -eq 4 ] || fail "exit status $status where a gateway found nothing in time"
# With another gateway that has it.
"$varvite" -s "gateway+$(of lost gateway),$(of blocks gateway)" block get "$cid" | cmp - "$work/block" || fail "failover"

"$here/run" "$environment" "$here/kubo_cas.py" "$varvite" "$work/cas" "$rpc" "$gateway"
