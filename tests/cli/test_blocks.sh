# init, block, dag get: the store and what lies in it.
. "$(dirname "$0")/lib.sh"

hello=bafkr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4

test_init_makes_a_store_and_says_where() {
    run init
    expect_code 0
    expect_out "$PWD/.varvite"
    expect_true test -d .varvite
    run init
    expect_code 0
    expect_out "$PWD/.varvite"
    expect_err_has "there is a store already"
    run -q init
    expect_no_err
    run init --json new/..
    expect_code 4
    run init --json new
    expect_json "d['store'] == '$PWD/new/.varvite'"
}

test_init_obeys_the_environment_and_the_option() {
    VARVITE_STORE=$PWD/by-env run init
    expect_out "$PWD/by-env"
    run init --store by-option
    expect_out "$PWD/by-option"
    run --store local:by-url init
    expect_out "$PWD/by-url"
    run init --store by-option there
    expect_failure 2 "exclude each other"
}

test_without_a_store_the_message_says_what_to_do() {
    run block stat
    expect_failure 1 "varvite init"
    run --store nowhere block stat
    expect_failure 1 "nowhere: no store there"
    run --store ipfs://x block stat
    expect_failure 3 "this build knows local:DIR"
    VARVITE_STORE=$PWD/nowhere run block stat
    expect_failure 1 "nowhere"
}

test_the_store_is_found_from_below() {
    run init
    mkdir -p a/b
    echo hello >a/b/file
    run_in a/b block put file
    expect_code 0
    cp "$out" cid
    run block get "$(cat cid)"
    expect_out hello
}

test_put_get_stat_ls_and_rm_agree() {
    run init
    printf 'some bytes' >one
    : >empty
    run block put one empty
    expect_code 0
    expect_no_err
    cp "$out" cids
    run hash one
    expect_equal "$(cat "$out")" "$(sed -n 1p cids)"
    run block get "$(sed -n 1p cids)"
    expect_out "some bytes"
    run block get -o two "$(sed -n 1p cids)"
    expect_same_file one two
    run block get "$(sed -n 2p cids)"
    expect_code 0
    expect_no_out
    run cat "$(sed -n 1p cids)"
    expect_out "some bytes"
    run block stat "$(sed -n 1p cids)"
    expect_out "$(sed -n 1p cids)  10"
    run block stat --json
    expect_json "d['blocks'] == 2 and d['bytes'] == 10 and d['backend'] == 'local'"
    run block stat --json "$(sed -n 1p cids)" "$(sed -n 2p cids)"
    expect_json "[x['bytes'] for x in d] == [10, 0]"
    run block ls
    sort "$out" >listed
    sort cids >wanted
    expect_same_file listed wanted
    run block ls --json
    expect_json "sorted(x['bytes'] for x in d) == [0, 10]"
    run block ls -l
    expect_out_has "  10$"
    run block rm "$(sed -n 1p cids)"
    expect_code 0
    expect_no_out
    run block get "$(sed -n 1p cids)"
    expect_failure 1 "$(sed -n 1p cids)"
    run block rm "$(sed -n 1p cids)"
    expect_failure 1 "$(sed -n 1p cids)"
}

test_put_reads_standard_input_and_names_blocks_as_asked() {
    run init
    echo hello >file
    run block put - <file
    expect_code 0
    run block put --hash sha2-256 --codec dag-pb file
    cp "$out" cid
    run cid "$(cat cid)"
    expect_out_has '^codec +dag-pb'
    expect_out_has '^hash +sha2-256'
    run block get "$(cat cid)"
    expect_out hello
    run block put --json file
    expect_json "d[0]['file'] == 'file' and d[0]['bytes'] == 6"
}

test_put_of_what_is_not_there_stores_the_files_before_it() {
    run init
    echo one >one
    run block put one missing
    expect_failure 1 "missing: No such file"
    expect_equal "$(wc -l <"$out")" 1
    run block stat --json
    expect_json "d['blocks'] == 1"
}

test_missing_and_bad_names_are_told_apart() {
    run init
    run block get $hello
    expect_failure 1 "$hello"
    run block get "${hello}x"
    expect_failure 2 "no CID"
    run block stat $hello
    expect_failure 1 "$hello"
    run block rm $hello notacid
    expect_failure 2 "no CID"
}

test_failed_output_leaves_nothing_behind() {
    run init
    run block get -o target $hello
    expect_code 1
    expect_equal "$(ls -A | grep -v '^\.varvite$')" ""
    run block get -o no/such/target $hello
    expect_failure 4 "no/such/target"
    echo hello | "$VARVITE" block put - >cid
    [ -e /dev/full ] || return 0
    run block get -o /dev/full "$(cat cid)"
    expect_failure 4 "/dev/full: No space left"
    "$VARVITE" block get "$(cat cid)" >/dev/full 2>"$err"
    code=$? shown="block get >/dev/full"
    expect_failure 4 "standard output: No space left"
}

# {"a": [1, {"b": <link to "x" as CBOR>}], "c": "text"}, written by hand.
make_dag() {
    printf '\x61x' | "$VARVITE" block put --codec dag-cbor - >leaf
    local link
    link=$("$VARVITE" cid --base base16 "$(cat leaf)")
    {
        printf '\xa2\x61a\x82\x01\xa1\x61b\xd8\x2a\x58\x25\x00'
        python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1][1:]))' "$link"
        printf '\x61c\x64text'
    } | "$VARVITE" block put --codec dag-cbor - >top
}

test_dag_get_prints_dag_json_and_follows_paths() {
    run init
    make_dag
    run dag get "$(cat top)"
    expect_code 0
    expect_json "d == {'a': [1, {'b': {'/': '$(cat leaf)'}}], 'c': 'text'}"
    run dag get --compact "$(cat top)"
    expect_equal "$(wc -l <"$out")" 1
    run dag get "$(cat top)/c"
    expect_out '"text"'
    run dag get "$(cat top)/a/0"
    expect_out 1
    run dag get "$(cat top)/a/1/b"
    expect_json "d == {'/': '$(cat leaf)'}"
    run dag get "$(cat top)/a/1"
    expect_json "d == {'b': {'/': '$(cat leaf)'}}"
    run dag get "$(cat top)/a/2"
    expect_failure 1 "$(cat top): 2: no such member"
    run dag get "$(cat top)/nope"
    expect_failure 1 "nope: no such member"
    run dag get "$(cat top)/c/d"
    expect_failure 1 "no such member"
    run dag get "$(cat top)/a/1/b/x"
    expect_failure 1 "$(cat leaf): x: no such member"
}

test_dag_get_of_what_is_not_dag_cbor() {
    run init
    printf '\xff\xff' | "$VARVITE" block put --codec dag-cbor - >bad
    run dag get "$(cat bad)"
    expect_failure 3 "."
    printf 'raw' | "$VARVITE" block put - >raw
    run dag get "$(cat raw)"
    expect_failure 2 "is raw, not dag-cbor"
}

# Run the command without the rights of root, for whom nothing is read-only.
run_as_nobody() {
    if [ "$(id -u)" -ne 0 ]; then
        run "$@"
        return
    fi
    shown="varvite $* as nobody"
    setpriv --reuid=65534 --regid=65534 --clear-groups "$VARVITE" "$@" >"$out" 2>"$err"
    code=$?
}

test_a_read_only_store_can_be_read_but_not_written() {
    chmod 755 "$base" .
    run_as_nobody version
    [ "$code" -eq 0 ] || return 0 # the command lies where nobody may not go
    run init
    echo hello | "$VARVITE" block put - >cid
    chmod -R a-w,a+rX .varvite
    run_as_nobody block get "$(cat cid)"
    expect_code 0
    expect_out hello
    echo other >other
    chmod a+r other
    run_as_nobody block put other
    expect_failure 4 "."
    run_as_nobody init "$PWD/new"
    expect_failure 4 "Permission denied"
    chmod -R a-rx .varvite
    run_as_nobody block get "$(cat cid)"
    expect_failure 4 "."
    chmod -R u+rwx .varvite
}

test_a_directory_where_nothing_can_be_made() {
    run init /proc
    expect_code 4
    expect_err_has '^varvite init: '
    touch file
    run init file
    expect_failure 4 "file"
}

test_the_reader_of_a_listing_may_leave() {
    run init
    seq 1 2000 | split -l 1 -a 4 - part.
    "$VARVITE" block put part.* >cids
    expect_equal "$(wc -l <cids)" 2000
    { "$VARVITE" block ls 2>"$err"; echo $? >status; } | head -1 >/dev/null
    code=$(cat status)
    expect_code 141
    expect_no_err
}

run_tests
