# What the tests of the command share.
#
# $VARVITE is the command. A file defines functions named test_…, a sentence each, and ends with
# run_tests; each runs in a new empty directory. `run` runs the command; the expect_… functions
# then look at $code, $out and $err.
set -u
export LC_ALL=C.UTF-8 TERM=xterm
unset VARVITE_STORE NO_COLOR 2>/dev/null || true

[ -x "$VARVITE" ] || { echo "no command at $VARVITE"; exit 1; }

base=$(mktemp -d)
trap 'chmod -R u+rwx "$base" 2>/dev/null; rm -rf "$base"' EXIT
out=$base/out err=$base/err
checks=0 failures=0 current=

# run ARGS…: the command, its standard input from ours.
run() {
    shown="varvite $*"
    "$VARVITE" "$@" >"$out" 2>"$err"
    code=$?
}

# run_in DIR ARGS…
run_in() {
    local directory=$1
    shift
    shown="(cd $directory) varvite $*"
    (cd "$directory" && "$VARVITE" "$@") >"$out" 2>"$err"
    code=$?
}

fail() {
    failures=$((failures + 1))
    echo "FAILED $current: $*"
    echo "  after: $shown (exit $code)"
    sed 's/^/  out: /' "$out" | head -20
    sed 's/^/  err: /' "$err" | head -20
}


expect_code() {
    checks=$((checks + 1))
    [ "$code" -eq "$1" ] || fail "expected exit code $1"
}

expect_out() { # the whole of standard output, but for its last line end
    checks=$((checks + 1))
    [ "$(cat "$out")" = "$1" ] || fail "expected on standard output: $1"
}

expect_out_has() {
    checks=$((checks + 1))
    grep -Eq -- "$1" "$out" || fail "expected on standard output a line that matches: $1"
}

expect_out_lacks() {
    checks=$((checks + 1))
    ! grep -Eq -- "$1" "$out" || fail "expected no line on standard output that matches: $1"
}

expect_err_has() {
    checks=$((checks + 1))
    grep -Eq -- "$1" "$err" || fail "expected on standard error a line that matches: $1"
}

expect_err_lacks() {
    checks=$((checks + 1))
    ! grep -Eq -- "$1" "$err" || fail "expected no line on standard error that matches: $1"
}

expect_no_out() {
    checks=$((checks + 1))
    [ ! -s "$out" ] || fail "expected nothing on standard output"
}

expect_no_err() {
    checks=$((checks + 1))
    [ ! -s "$err" ] || fail "expected nothing on standard error"
}

# It failed, said why under its own name, and gave no result.
expect_failure() { # CODE REGEX
    expect_code "$1"
    expect_err_has "^varvite( [a-z]+)*: .*$2"
}

expect_same_file() {
    checks=$((checks + 1))
    cmp -s "$1" "$2" || fail "expected $1 and $2 to be equal"
}

expect_true() { # a shell command
    checks=$((checks + 1))
    "$@" || fail "expected to hold: $*"
}

expect_equal() {
    checks=$((checks + 1))
    [ "$1" = "$2" ] || fail "expected '$1' to equal '$2'"
}

# Standard output is one JSON document. With EXPRESSION, python's d is it and the value is true.
expect_json() {
    checks=$((checks + 1))
    python3 - "$out" "${1:-True}" <<'PYTHON' || fail "expected JSON with: ${1:-any}"
import json, sys

def refuse(name):
    raise ValueError(name + " is not JSON")

d = json.load(open(sys.argv[1], encoding="utf-8"), parse_constant=refuse)
sys.exit(0 if eval('(' + sys.argv[2] + ')') else 1)
PYTHON
}

need() { # skip the file without a program
    command -v "$1" >/dev/null 2>&1 || { echo "skipped: no $1"; exit 77; }
}

run_tests() {
    local name
    for name in $(declare -F | sed -n 's/^declare -f \(test_.*\)$/\1/p'); do
        current=$name shown= code=0
        : >"$out"
        : >"$err"
        mkdir "$base/$name"
        cd "$base/$name" || exit 1
        "$name"
        cd "$base" || exit 1
    done
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ] && [ "$checks" -gt 0 ]
    exit
}
