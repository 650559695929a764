# car export and import: a root leaves the machine and comes back.
. "$(dirname "$0")/lib.sh"

make_tree() {
    local i root=
    "$VARVITE" -q init >/dev/null
    for i in 1 2 3 4 5 6 7 8 9; do
        printf 'value %s' "$i" >value
        # shellcheck disable=SC2086
        root=$("$VARVITE" put $root "key/$i" value)
    done
    echo "$root" >root
}

test_a_root_goes_through_a_pipe_into_another_store() {
    make_tree
    run --store other init
    "$VARVITE" -q car export "$(cat root)" | "$VARVITE" --store other car import - >roots
    expect_same_file roots root
    run --store other verify "$(cat root)"
    expect_code 0
    run --store other get "$(cat root)" key/7
    expect_out "value 7"
}

test_versions_1_and_2_hold_the_same_blocks() {
    make_tree
    run car export -o one.car "$(cat root)"
    expect_code 0
    expect_no_out
    expect_err_has 'exported [0-9]+ blocks'
    run -q car export --version 2 -o two.car "$(cat root)"
    expect_no_err
    run -q car export --version 2 --no-index -o three.car "$(cat root)"
    expect_true test "$(stat -c %s one.car)" -lt "$(stat -c %s three.car)"
    expect_true test "$(stat -c %s three.car)" -lt "$(stat -c %s two.car)"
    for file in one two three; do
        run --store $file init
        run --store $file car import --json $file.car
        expect_json "d['roots'] == ['$(cat root)'] and d['blocks'] >= 10 and d['already'] == 0"
        run --store $file verify "$(cat root)"
        expect_code 0
        run --store $file car import --json $file.car
        expect_json "d['already'] == d['blocks']"
    done
}

test_an_archive_is_a_store_to_read() {
    make_tree
    run -q car export -o one.car "$(cat root)"
    run --store one.car get "$(cat root)" key/3
    expect_out "value 3"
    run --store car:one.car verify "$(cat root)"
    expect_code 0
    run --store one.car put "$(cat root)" new - </dev/null
    expect_code 4
}

test_export_is_the_same_every_time() {
    make_tree
    run -q car export -o one.car "$(cat root)"
    "$VARVITE" -q car export "$(cat root)" >two.car
    expect_same_file one.car two.car
}

test_missing_blocks_stop_an_export_or_are_left_out() {
    make_tree
    "$VARVITE" ls -l "$(cat root)" key | sed -n 's/.*\(baf[a-z2-7]*\)  5$/\1/p' >cid
    run block rm "$(cat cid)"
    run car export -o some.car "$(cat root)"
    expect_failure 1 "$(cat cid)"
    expect_true test ! -e some.car
    run car export --allow-missing -o some.car "$(cat root)"
    expect_code 0
    expect_err_has 'missing: 1 block'
}

test_arguments_of_export_are_checked() {
    make_tree
    run car export --version 2 "$(cat root)"
    expect_failure 2 "give --output"
    run car export --version 3 -o x.car "$(cat root)"
    expect_failure 2 "--version 3"
    run car export --no-index -o x.car "$(cat root)"
    expect_failure 2 "version 1 has no index"
    run car export --json "$(cat root)"
    expect_failure 2 "--json needs --output"
    [ ! -e /dev/full ] || {
        "$VARVITE" car export "$(cat root)" >/dev/full 2>"$err"
        code=$? shown="car export >/dev/full"
        expect_failure 4 "No space left"
    }
}

test_foreign_and_broken_archives_are_refused() {
    make_tree
    run -q car export -o one.car "$(cat root)"
    run --store other init
    head -c -5 one.car >short.car
    run --store other car import short.car
    expect_failure 3 "short.car"
    expect_no_out
    cp one.car flipped.car
    printf 'X' | dd of=flipped.car bs=1 seek=$(($(stat -c %s one.car) - 2)) conv=notrunc status=none
    run --store other car import flipped.car
    expect_failure 3 "flipped.car"
    echo 'this is a text and no archive at all' >text.car
    run --store other car import text.car
    expect_code 3
    : >empty.car
    run --store other car import empty.car
    expect_code 3
    run --store other car import missing.car
    expect_failure 1 "missing.car"
    run --store text.car ls "$(cat root)"
    expect_code 3
    # What came before the damage is there.
    run --store other block stat --json
    expect_json "d['blocks'] > 1"
}

run_tests
