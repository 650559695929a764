# fsck: damage is found, named and mended.
. "$(dirname "$0")/lib.sh"

test_fsck_of_a_good_store_is_good() {
    run init
    echo hello | "$VARVITE" block put - >cid
    run fsck
    expect_code 0
    expect_out_has "^1 block checked .*, 0 findings"
    run fsck --json --quick
    expect_json "d['ok'] and d['found'] == [] and d['findings'] == 0"
    echo no store >file.car
    run --store file.car fsck
    expect_failure 2 "only an embedded store"
    run --store mem: fsck
    expect_failure 2 "only an embedded store"
    run --store nowhere fsck
    expect_code 1
}

# Change one byte of a file of the store, where it holds TEXT.
damage() { # TEXT
    local file offset
    for file in $(grep -rla -- "$1" .varvite); do
        offset=$(grep -abo -- "$1" "$file" | head -1 | cut -d: -f1)
        printf 'X' | dd of="$file" bs=1 seek=$((offset + 3)) conv=notrunc status=none
        return 0
    done
    return 1
}

test_a_damaged_block_is_found_named_and_costs_nothing_else() {
    run init
    echo 'recognisable content of a block' | "$VARVITE" block put - >bad
    echo 'another' | "$VARVITE" block put - >good
    expect_true damage 'recognisable content'
    run block get "$(cat bad)"
    expect_failure 3 "$(cat bad)"
    expect_no_out
    run block get "$(cat good)"
    expect_out another
    run fsck
    expect_code 3
    expect_out_has "^damaged-block .*"
    run fsck --json
    expect_code 3
    expect_json "not d['ok'] and any(x.get('cid') == '$(cat bad)' for x in d['found'])"
    run fsck --repair
    expect_code 0
    run fsck
    expect_code 0
    run block get "$(cat bad)"
    expect_code 1
    run block get "$(cat good)"
    expect_out another
}

test_compact_gives_space_back_and_keeps_the_rest() {
    run init
    head -c 3000000 /dev/urandom >one
    head -c 1000 /dev/urandom >two
    "$VARVITE" block put one two >cids
    run block rm "$(sed -n 1p cids)"
    run compact --json
    expect_code 0
    expect_json "d['reclaimed_bytes'] > 2000000"
    run compact
    expect_out_has "given back$"
    run block get -o back "$(sed -n 2p cids)"
    expect_same_file back two
    run fsck
    expect_code 0
    run --store mem: compact
    expect_failure 2 "only an embedded store"
}

set_byte() { # FILE OFFSET OCTAL
    printf '%b' "\\$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

test_a_store_of_another_version_is_refused_by_both_numbers() {
    run init
    echo hello | "$VARVITE" block put - >cid
    set_byte .varvite/varvite-store 8 007
    run block get "$(cat cid)"
    expect_failure 3 "version 7"
    expect_err_has 'version 1|reads 1|1 '
    echo other >other
    run block put other
    expect_failure 3 "version 7"
    run fsck
    expect_code 3
    run init
    expect_failure 3 "version 7"
    set_byte .varvite/varvite-store 8 001
    run block get "$(cat cid)"
    expect_out hello
}

test_a_foreign_directory_is_no_store() {
    mkdir .varvite
    echo hello >.varvite/file
    run block stat
    expect_code 1
    expect_err_has 'varvite'
    expect_true test "$(ls .varvite)" = file
}

test_a_lost_index_is_made_again() {
    run init
    echo hello | "$VARVITE" block put - >cid
    rm .varvite/index
    run fsck
    expect_code 3
    run fsck --repair
    expect_code 0
    run block get "$(cat cid)"
    expect_out hello
}

test_a_file_that_was_cut_is_named() {
    run init
    head -c 5000 /dev/urandom >data
    "$VARVITE" block put data >cid
    echo small | "$VARVITE" block put - >cid.2
    truncate -s 3000 .varvite/pack-00000001
    run fsck
    expect_code 3
    expect_out_has 'pack-00000001'
    run block get "$(cat cid)"
    expect_true test "$code" -eq 1 -o "$code" -eq 3
    run fsck --repair
    expect_code 0
    run block put data
    expect_code 0
    run block get -o back "$(cat cid)"
    expect_same_file back data
}

run_tests
