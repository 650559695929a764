#!/usr/bin/env bash
# The shared library exports vv_* and nothing else. usage: check_exports.sh LIBRARY
set -euo pipefail

exported=$(nm -D --defined-only "$1" | awk '{ print $3 }' | sort)
[ -n "$exported" ] || { echo "exports: nothing at all" >&2; exit 1; }
if foreign=$(grep -v '^vv_' <<<"$exported"); then
    echo "exports: not of ours:" "$foreign" >&2
    exit 1
fi
echo "exports: $(wc -l <<<"$exported") symbols, all vv_*"
