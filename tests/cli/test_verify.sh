# verify: what is missing or damaged below a root is named by its key.
. "$(dirname "$0")/lib.sh"

nowhere=bafyr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4

# A tree of three keys; its root is in the file root.
make_tree() {
    run init
    printf 'first value' >one
    printf 'second' >two
    "$VARVITE" put greeting one >root.1
    "$VARVITE" put "$(cat root.1)" group/a two >root.2
    "$VARVITE" put "$(cat root.2)" group/deep/b two >root
}

test_verify_of_a_good_tree() {
    make_tree
    run verify "$(cat root)"
    expect_code 0
    expect_no_err
    expect_out_has '^good: 1 node, 3 values of 3 keys'
    run verify --json "$(cat root)"
    expect_json "d['ok'] and d['complete'] and d['keys'] == 3 and d['found'] == []"
    run verify --dag "$(cat root)"
    expect_code 0
    expect_out_has '^good: 1 node, 2 values'
    run verify --sample 50% --threads 2 "$(cat root)"
    expect_code 0
    run verify --sample 2 "$(cat root)"
    expect_failure 2 "--sample 2"
    run verify --max-seconds 0 "$(cat root)"
    expect_failure 2 "--max-seconds 0"
    run verify $nowhere
    expect_code 3
    expect_out_has '^missing'
}

test_verify_names_the_key_of_a_missing_block() {
    make_tree
    "$VARVITE" ls -l "$(cat root)" | sed -n 's/.*\(baf[a-z2-7]*\)  greeting/\1/p' >cid
    run block rm "$(cat cid)"
    expect_code 0
    run verify "$(cat root)"
    expect_code 3
    expect_out_has "^missing  value greeting  $(cat cid): "
    expect_out_has '0 bad, 1 missing$'
    run verify --json "$(cat root)"
    expect_code 3
    expect_json "not d['ok'] and d['found'][0]['key'] == 'greeting' and
        d['found'][0]['status'] == 'missing' and d['missing'] == 1"
    run verify --dag "$(cat root)"
    expect_code 3
    expect_out_has "^missing  block  $(cat cid): "
    run get "$(cat root)" greeting
    expect_failure 3 "$(cat cid)"
    run get "$(cat root)" group/a
    expect_out second
}

test_verify_names_the_key_of_a_damaged_block() {
    local file offset
    make_tree
    file=$(grep -rla -- 'first value' .varvite | head -1)
    offset=$(grep -abo -- 'first value' "$file" | head -1 | cut -d: -f1)
    printf 'X' | dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
    run verify "$(cat root)"
    expect_code 3
    expect_out_has '^bad  value greeting  '
    expect_out_has '1 bad, 0 missing$'
    run get "$(cat root)" greeting
    expect_code 3
    expect_no_out
}

run_tests
