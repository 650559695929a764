# key: keys are made, named, and exchanged in encrypted roots.
. "$(dirname "$0")/lib.sh"

begin() { # a store, two keys, and a tree of one key as $root, opened by the file mine
    run init
    run key new mine
    mine=$(cat "$out")
    run key new hers
    hers=$(cat "$out")
    printf 'a value' >value
    run put --layout encrypted --key-file mine k value
    root=$(cat "$out")
}

reads() { # KEY-FILE ROOT
    run get --key-file "$1" "$2" k
    expect_out "a value"
}

test_a_new_key_is_for_its_owner_and_never_written_over() {
    run key new mine
    expect_code 0
    expect_out_has '^[0-9a-f]{16}$'
    name=$(cat "$out")
    expect_equal "$(stat -c %a mine)" 600
    cp mine before
    run key new mine
    expect_failure 2 mine
    expect_same_file mine before
    run key info --key-file mine
    expect_out "$name"
    run key info --json --key-file mine
    expect_json "d['key'] == '$name'"
    chmod 644 mine
    run key info --key-file mine
    expect_failure 4 "chmod 600"
    run key info --key-fd 7 7<mine
    expect_out "$name"
    KEY=$(grep varvite-key mine) run key info --key-env KEY
    expect_out "$name"
    run key info --key-fd 7 --key-env KEY
    expect_failure 2 "exclude each other"
    run key info
    expect_failure 2 "a ROOT or a key"
    run key info --key-file none
    expect_failure 1 none
}

test_a_root_says_who_opens_it() {
    begin
    run key info "$root"
    expect_out "$mine"
    run key info --key-file mine "$root"
    expect_out "$mine  the key given"
    run key info --json "$root"
    expect_json "d['keys'] == ['$mine'] and d['version'] == 1 and d['segment_bytes'] == 31744"
    run put k value
    run key info "$(cat "$out")"
    expect_failure 3 "no root of an encrypted data set"
}

test_a_key_is_wrapped_and_dropped() {
    begin
    run key wrap --key-file mine --new-key-file hers "$root"
    expect_code 0
    both=$(cat "$out")
    reads mine "$both"
    reads hers "$both"
    run key wrap --key-file mine --new-key-file hers "$both"
    expect_failure 2 "opens the data set already"
    run key drop --key-file hers "$both" "$mine"
    expect_code 0
    left=$(cat "$out")
    reads hers "$left"
    run get --key-file mine "$left" k
    expect_failure 4 "key $mine does not open it; key $hers does"
    run key drop --key-file hers "$left" "$hers"
    expect_failure 2 "the last one"
    run key drop --key-file hers "$left" "$mine"
    expect_failure 1 "$mine"
    run key drop --key-file hers "$left" nonsense
    expect_failure 2 "name of a key"
    run key wrap --key-file mine "$root"
    expect_failure 2 "new-key-file"
    run key wrap --new-key-file mine "$root"
    expect_failure 2 "key-file"
}

test_rotation_writes_one_block_and_shuts_the_old_key_out() {
    begin
    run block ls
    before=$(wc -l <"$out")
    run key rotate --json --key-file mine --new-key-file hers "$root"
    expect_json "d['root'].startswith('bafy')"
    run block ls
    expect_equal "$(wc -l <"$out")" $((before + 1))
    run key rotate --key-file mine --new-key-file hers "$root"
    rotated=$(cat "$out")
    reads hers "$rotated"
    run get --key-file mine "$rotated" k
    expect_failure 4 "does not open it"
    reads mine "$root"
    run key rotate --key-file hers --new-key-file mine "$root"
    expect_failure 4 "does not open it"
    run verify "$rotated"
    expect_code 0
}

run_tests
