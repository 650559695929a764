# --metrics: what a command counted, written when it has ended.
. "$(dirname "$0")/lib.sh"

number() { # NAME in the JSON of FILE
    grep -Eo "\"$1\": [0-9]+" "$2" | grep -Eo '[0-9]+$'
}

make_root() {
    "$VARVITE" init -q . >/dev/null 2>&1
    printf 'twelve bytes' >value
    root=$("$VARVITE" put -q a/b value)
}

test_a_file_gets_what_the_command_counted() {
    make_root
    run get "$root" a/b --metrics counted.json
    expect_code 0
    expect_out 'twelve bytes'
    checks=$((checks + 1))
    [ "$(number 'hamt_lookup.found' counted.json)" = 1 ] || fail "$(cat counted.json)"
    checks=$((checks + 1))
    grep -q '"label": "get"' counted.json || fail "$(cat counted.json)"
}

test_a_command_that_fails_writes_it_too() {
    make_root
    run get "$root" a/c --metrics counted.json
    expect_code 1
    checks=$((checks + 1))
    [ "$(number 'hamt_lookup.missing' counted.json)" = 1 ] || fail "$(cat counted.json)"
}

test_a_dash_is_standard_error() {
    make_root
    run get "$root" a/b --metrics -
    expect_code 0
    expect_out 'twelve bytes'
    expect_err_has '"cas_load.total": [1-9]'
}

test_prom_is_for_prometheus() {
    make_root
    run get "$root" a/b --metrics counted.prom
    expect_code 0
    checks=$((checks + 1))
    grep -Eq '^py_hamt_hamt_lookup_requests_total\{py_hamt_hamt_lookup_found="true"\} 1$' counted.prom ||
        fail "$(head counted.prom)"
    if command -v promtool >/dev/null; then
        checks=$((checks + 1))
        promtool check metrics <counted.prom || fail "promtool refused"
    fi
}

test_what_cannot_be_written_is_a_failure() {
    make_root
    run get "$root" a/b --metrics no/such/directory
    expect_code 4
    expect_out 'twelve bytes'
    expect_err_has 'metrics'
    run get "$root" a/b --metrics otlp:http://127.0.0.1:1
    expect_code 4
}

test_without_it_nothing_is_written() {
    make_root
    run get "$root" a/b
    expect_code 0
    checks=$((checks + 1))
    [ ! -s "$err" ] || fail "something on standard error"
}

run_tests
