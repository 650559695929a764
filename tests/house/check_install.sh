#!/usr/bin/env bash
# Installs a build tree below a temporary prefix and builds tests/house/consumer against it in
# the four ways that docs and users know: pkg-config and CMake, shared and static.
# usage: check_install.sh SOURCE_DIR BUILD_DIR
set -euo pipefail

consumer=$1/tests/house/consumer
examples=$1/examples
build=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/varvite-install-XXXXXX")
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cc=${CC:-cc}
flags=(-std=c11 -Wall -Wextra -Wpedantic -Werror)

say() { echo "install: $*"; }
die() { echo "install: $*" >&2; exit 1; }
uses_shared_library() { ldd "$1" | grep libvarvite >/dev/null; }
# The line that each consumer prints, with the version of the pkg-config file.
expect_output() { [ "$1" = "varvite $(pkg-config --modversion varvite)" ] || die "consumer says '$1'"; }

cmake --install "$build" --prefix "$prefix" >"$work/log" || { cat "$work/log"; exit 1; }
libdir=$(dirname "$(find "$prefix" -name libvarvite.a)")
export PKG_CONFIG_PATH=$libdir/pkgconfig

# The command with its pages and completions; a build without the command has none.
command=$prefix/bin/varvite
if [ -e "$command" ]; then
    say "the command, its pages and completions"
    "$command" --version | grep -F "$(pkg-config --modversion varvite)" >/dev/null || die "another version"
    pages=("$prefix"/share/man/man1/varvite*.1)
    [ "${#pages[@]}" -ge 10 ] || die "only ${#pages[@]} man pages"
    if command -v mandoc >/dev/null; then
        mandoc -T lint -W error "${pages[@]}" || die "man pages with errors"
    fi
    bash -n "$prefix/share/bash-completion/completions/varvite"
    for shell in zsh:zsh/site-functions/_varvite fish:fish/vendor_completions.d/varvite.fish; do
        [ -s "$prefix/share/${shell#*:}" ] || die "no completion for ${shell%%:*}"
        if command -v "${shell%%:*}" >/dev/null; then
            "${shell%%:*}" -n "$prefix/share/${shell#*:}" || die "the completion for ${shell%%:*} does not parse"
        fi
    done
fi

say "shared, pkg-config"
# shellcheck disable=SC2046 # pkg-config prints words
"$cc" "${flags[@]}" "$consumer/main.c" $(pkg-config --cflags --libs varvite) -o "$work/shared"
uses_shared_library "$work/shared" || die "not linked to libvarvite.so"
expect_output "$(LD_LIBRARY_PATH=$libdir "$work/shared")"
for example in "$examples"/*.c; do
    # shellcheck disable=SC2046
    "$cc" "${flags[@]}" "$example" $(pkg-config --cflags --libs varvite) -lm -o "$work/example" ||
        die "$example does not build against the installed library"
done
if command -v c++ >/dev/null; then
    # shellcheck disable=SC2046
    c++ -std=c++17 -Wall -Wextra -Werror "$examples/columns.cpp" $(pkg-config --cflags --libs varvite) \
        -o "$work/example" || die "columns.cpp does not build against the installed library"
fi

say "shared and static, CMake"
cmake -S "$consumer" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" || { cat "$work/log"; exit 1; }
cmake --build "$work/cmake" >"$work/log" || { cat "$work/log"; exit 1; }
uses_shared_library "$work/cmake/consumer_varvite" || die "varvite::varvite is not shared"
if uses_shared_library "$work/cmake/consumer_static"; then die "varvite::static is not static"; fi
expect_output "$("$work/cmake/consumer_varvite")"
expect_output "$("$work/cmake/consumer_static")"

say "a moved tree, static, pkg-config"
mv "$prefix" "$work/moved"
libdir=$work/moved${libdir#"$prefix"}
export PKG_CONFIG_PATH=$libdir/pkgconfig
rm "$libdir"/libvarvite.so*
# shellcheck disable=SC2046
"$cc" "${flags[@]}" "$consumer/main.c" $(pkg-config --static --cflags --libs varvite) -o "$work/static"
if uses_shared_library "$work/static"; then die "linked to libvarvite.so"; fi
expect_output "$("$work/static")"

[ -f "$work/moved/share/doc/varvite/LICENSE" ] || die "no licence"
say "passed"
