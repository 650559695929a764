#!/usr/bin/env bash
# Runs array_matrix.py with zarrs among the peers, where its driver is built; the long run builds it, where there
# is a cargo.
# usage: array_matrix.sh ZARR_TOOL [--long]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=$here/../../build/zarrs-peer
driver=$target/debug/zarrs_peer

if [ "${2:-}" = --long ]; then
    if ! command -v cargo >/dev/null; then
        echo "array_matrix: zarrs is passed by: no cargo" >&2
    elif ! cargo build --quiet --manifest-path "$here/../peers/zarrs-peer/Cargo.toml" --target-dir "$target"; then
        echo "array_matrix: zarrs is passed by: its driver cannot be built" >&2
    fi
fi
zarrs=()
[ ! -x "$driver" ] || zarrs=(--zarrs "$driver")
exec "$here/run" arrays "$here/array_matrix.py" "$@" "${zarrs[@]}"
