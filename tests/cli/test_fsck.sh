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

run_tests
