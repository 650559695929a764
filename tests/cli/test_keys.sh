# put, get, cat, rm, ls: keys below a root.
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

test_put_gives_a_new_root_and_leaves_the_old_one() {
    make_tree
    expect_true grep -Eq '^bafyr4i[a-z2-7]{52}$' root
    run get "$(cat root)" greeting
    expect_out "first value"
    run get "$(cat root)" group/deep/b
    expect_out second
    run get "$(cat root.1)" greeting
    expect_out "first value"
    run get "$(cat root.1)" group/a
    expect_failure 1 "group/a"
}

test_the_root_depends_on_the_content_alone() {
    make_tree
    "$VARVITE" put group/deep/b two >other.1
    "$VARVITE" put "$(cat other.1)" greeting one >other.2
    run put "$(cat other.2)" group/a two
    expect_out "$(cat root)"
    run put --json "$(cat other.2)" group/a - <two
    expect_json "d['root'] == '$(cat root)'"
}

test_get_reads_parts() {
    make_tree
    run get --offset 6 "$(cat root)" greeting
    expect_out value
    run get --offset 6 --length 3 "$(cat root)" greeting
    expect_out val
    run get --last 5 "$(cat root)" greeting
    expect_out value
    run get --offset 100 "$(cat root)" greeting
    expect_code 0
    expect_no_out
    run get --last 5 --offset 1 "$(cat root)" greeting
    expect_failure 2 "--last excludes"
    run get --offset -1 "$(cat root)" greeting
    expect_failure 2 "--offset -1: must be a whole number"
    run get -o copy "$(cat root)" greeting
    expect_same_file copy one
}

test_cat_joins_values() {
    make_tree
    run cat "$(cat root)" greeting group/a
    expect_out "first valuesecond"
    run cat "$(cat root)" greeting nope
    expect_failure 1 "nope"
}

test_ls_lists_names_in_order() {
    make_tree
    run ls "$(cat root)"
    expect_code 0
    expect_out "$(printf 'greeting\ngroup/')"
    run ls "$(cat root)" group
    expect_out "$(printf 'a\ndeep/')"
    run ls "$(cat root)" /group/
    expect_out "$(printf 'a\ndeep/')"
    run ls -r "$(cat root)"
    expect_out "$(printf 'greeting\ngroup/a\ngroup/deep/b')"
    run ls -r "$(cat root)" group
    expect_out "$(printf 'group/a\ngroup/deep/b')"
    run ls -rU "$(cat root)"
    expect_equal "$(sort "$out")" "$(printf 'greeting\ngroup/a\ngroup/deep/b')"
    run ls -l "$(cat root)"
    expect_out_has '^ +11  bafkr4i[a-z2-7]+  greeting$'
    expect_out_has '^ +-  group/$'
    run ls -rl --json "$(cat root)" group
    expect_json "[(x['name'], x['bytes']) for x in d] == [('group/a', 6), ('group/deep/b', 6)]"
    expect_json "d[0]['cid'] == d[1]['cid']"
    run ls "$(cat root)" nope
    expect_failure 1 "nope: nothing there"
    run ls "$(cat root)" greeting
    expect_failure 1 "is a key, not a directory"
}

test_rm_deletes_keys_and_comes_back_to_the_same_roots() {
    make_tree
    run rm "$(cat root)" group/deep/b
    expect_out "$(cat root.2)"
    expect_err_has "1 key deleted"
    run rm -r "$(cat root)" group
    expect_out "$(cat root.1)"
    expect_err_has "2 keys deleted"
    run -q rm "$(cat root)" group/a group/deep/b
    expect_out "$(cat root.1)"
    expect_no_err
    run rm "$(cat root)" nope
    expect_failure 1 "nope: no such key"
    expect_no_out
    run rm -f "$(cat root)" nope
    expect_out "$(cat root)"
    run rm "$(cat root)" group
    expect_failure 1 "-r deletes what is below"
}

test_bucket_size_and_hash_shape_new_trees() {
    local i root
    run init
    printf x >x
    for size in 1 4; do
        root=
        for i in 1 2 3 4 5 6; do
            # shellcheck disable=SC2086
            root=$("$VARVITE" put --bucket-size $size $root "key$i" x)
        done
        echo "$root" >root.$size
        expect_equal "$("$VARVITE" ls "$root" | wc -l)" 6
    done
    run put --hash sha2-256 key x
    cp "$out" sha
    run cid "$(cat sha)"
    expect_out_has '^hash +sha2-256'
    run put "$(cat sha)" other x
    cp "$out" sha.2
    run cid "$(cat sha.2)"
    expect_out_has '^hash +sha2-256'
    run get "$(cat sha.2)" key
    expect_out x
    run put --hash blake3 "$(cat sha)" other x
    expect_failure 2 "named by sha2-256"
    run put --bucket-size many key x
    expect_failure 2 "--bucket-size many"
}

test_names_that_would_steer_a_terminal_are_shown() {
    run init
    printf x >x
    "$VARVITE" put "$(printf 'a\033[31mb\nc')" x >root
    run ls "$(cat root)"
    expect_out 'a\x1b[31mb\x0ac'
    run ls --json "$(cat root)"
    expect_json 'd[0]["name"] == "a\x1b[31mb\nc"'
}

test_a_root_that_is_none() {
    run init
    run ls notacid
    expect_failure 2 "'notacid' is neither a CID nor a directory"
    echo CDF >file.nc
    run tree file.nc
    expect_failure 2 "'file.nc' is a file, not a root; 'varvite import'"
    run ls $nowhere
    expect_failure 1 "$nowhere"
    run put $nowhere key - </dev/null
    expect_failure 1 "$nowhere"
    printf 'no node' | "$VARVITE" block put --codec dag-cbor - >bad
    run ls "$(cat bad)"
    expect_code 3
    run put "$(printf 'bad\377key')" - </dev/null
    expect_code 2
}

test_a_directory_is_read_as_a_store_of_keys() {
    mkdir -p dir/group
    printf x >dir/zarr.json
    printf y >dir/group/a
    run ls dir
    expect_out "$(printf 'group/\nzarr.json')"
    run get dir group/a
    expect_out y
    run ls -l dir
    expect_out_has ' 1  zarr.json$'
}

run_tests
