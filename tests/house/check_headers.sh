#!/usr/bin/env bash
# Each public header compiles alone, as C11 and C++17, with every compiler that is here.
# usage: check_headers.sh SOURCE_DIR
set -euo pipefail

include=$1/include
flags=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only "-I$include")
count=0 failed=0

# compile COMPILER LANGUAGE STANDARD HEADER
compile() {
    command -v "$1" >/dev/null || return 0
    # Twice: the second must be swallowed by the guard.
    if ! printf '#include <%s>\n#include <%s>\n' "$4" "$4" |
        "$1" -x "$2" -std="$3" "${flags[@]}" -; then
        echo "headers: $4 does not compile alone: $1 -std=$3" >&2
        failed=1
    fi
    count=$((count + 1))
}

for path in "$include"/varvite/*.h; do
    header=varvite/$(basename "$path")
    for compiler in gcc clang; do compile $compiler c c11 "$header"; done
    for compiler in g++ clang++; do compile $compiler c++ c++17 "$header"; done
done
echo "headers: $count compilations"
[ "$failed" -eq 0 ] && [ "$count" -gt 0 ]
