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

run_tests
