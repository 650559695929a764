#!/usr/bin/env bash
# The build holds rooms to their order. Each case below configures a copy of a house with two
# rooms, `low` and `high`, and looks at what CMake says. Then the tree's own edges: the command
# and the examples include public headers only.
# usage: check_rooms.sh SOURCE_DIR
set -euo pipefail

source=$1
work=$(mktemp -d "${TMPDIR:-/tmp}/varvite-rooms-XXXXXX")
trap 'rm -rf "$work"' EXIT
cases=0

# house USES-OF-LOW USES-OF-HIGH INCLUDE-IN-LOW INCLUDE-IN-HIGH
house() {
    rm -rf "$work/house"
    mkdir -p "$work/house/src/low" "$work/house/src/high"
    cd "$work/house"
    printf 'cmake_minimum_required(VERSION 3.25)\nproject(house LANGUAGES C)\n' >CMakeLists.txt
    printf 'include(%s/cmake/VarviteModule.cmake)\n' "$source" >>CMakeLists.txt
    printf 'add_subdirectory(src/low)\nadd_subdirectory(src/high)\n' >>CMakeLists.txt
    echo "vv_module(low SOURCES low.c USES $1)" >src/low/CMakeLists.txt
    echo "vv_module(high SOURCES high.c USES $2)" >src/high/CMakeLists.txt
    printf '#include "low/low.h"\n%s\n' "$3" >src/low/low.c
    printf '#include "high/high.h"\n%s\n' "$4" >src/high/high.c
    touch src/low/low.h src/high/high.h
}
configure() { cmake -S . -B build -DVARVITE_WERROR=ON >log 2>&1; }
die() { echo "rooms: $1" >&2; cat log >&2; exit 1; }
accepts() { configure || die "refused: $1"; cases=$((cases + 1)); }
# refuses WHAT TEXT-OF-THE-MESSAGE
refuses() {
    if configure; then die "accepted: $1"; fi
    tr -s '\n ' ' ' <log | grep -F -- "$2" >/dev/null || die "refused with another message: $1"
    cases=$((cases + 1))
}

house "" low '' '#include "low/low.h"'
accepts "a room that declares what it includes"
house "" "" '' '#include "low/low.h"'
refuses "an include that is not declared" "room 'high' does not declare that it uses 'low'"
house high "" '#include "high/high.h"' ''
refuses "a room that uses a room below it in the table" "room 'low' uses 'high', which stands below it"
house "" "" '#include "high/high.h"' ''
refuses "an include against the order" "room 'low' does not declare that it uses 'high'"
house "" "" '' '#include <varvite/low.h>'
refuses "a public header that is not declared" "room 'high' does not declare that it uses 'low'"
house "" low '' ''
refuses "a declared room that nothing includes" "no file of room 'high' includes a header of it"

cd "$source"
mapfile -t rooms < <(basename -a src/*/)
for place in cli examples; do
    [ -d "$place" ] || continue
    for room in "${rooms[@]}"; do
        if grep -rnE "^#include \"$room/" --include='*.[ch]' "$place"; then
            echo "rooms: $place/ includes an inner header of '$room'" >&2
            exit 1
        fi
    done
done
echo "rooms: $cases cases"
