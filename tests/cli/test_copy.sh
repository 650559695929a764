# copy, rechunk and diff: trees in other chunks, and what two of them do not share.
. "$(dirname "$0")/lib.sh"
need python3

python3 "$(dirname "$0")/make_zarr.py" "$base/set" || exit 1
set=$base/set

begin() { # a store, and the set in it as $root
    run init
    run copy "$set"
    root=$(cat "$out")
}

test_copy_prints_the_new_root_and_nothing_else() {
    begin
    expect_code 0
    expect_out_has '^bafyr4i[a-z2-7]+$'
    expect_equal "$(wc -l <"$out")" 1
    run diff "$root" "$set"
    expect_code 0
    expect_out "same"
    # The same content has the same root, and costs names only.
    run copy "$root"
    expect_out "$root"
    expect_err_has 'by name'
    run copy --json "$root"
    expect_json "d['root'] == '$root' and d['values_by_name'] == d['values_as_stored'] > 10 and
        d['arrays'] == d['arrays_as_stored']"
}

test_other_chunks_hold_the_same_values() {
    begin
    run rechunk --chunk time=all --chunk lat=1 --codec zstd:1+crc32c "$root"
    expect_code 0
    other=$(cat "$out")
    expect_err_has '^x: chunks of 4 x 1 x 3, .* in hand$'
    run info "$other" x
    expect_out_has 'chunks  4 x 1 x 3'
    expect_out_has 'crc32c'
    run diff "$root" "$other"
    expect_code 1
    expect_out_has '^  x: chunk_grid: .*\[2, 2, 3\].* -> .*\[4, 1, 3\]'
    expect_out_has '^  x: encoded differently$'
    expect_err_has 'differences'
    run diff --values "$root" "$other"
    expect_code 0
    expect_out_has '^same values, in another form$'
    run diff --json --values "$root" "$other"
    expect_json "d['same'] and d['values_differing'] == 0"
}

test_some_arrays_or_a_part_can_be_meant() {
    begin
    run copy --array x --chunk lon=1 "$root"
    run diff "$root" "$(cat "$out")"
    expect_code 1
    expect_out_lacks '^  [a-wyz]'
    run copy "$root:group" --into deep/er --root "$root"
    expect_code 0
    run diff "$root:group" "$(cat "$out"):deep/er"
    expect_code 0
    run copy "$root:x" --into alone
    run slice "$(cat "$out")" 'alone[0,0,0]'
    expect_code 0
}

test_diff_names_what_differs() {
    begin
    run put "$root" group/y/c/0 /dev/null
    run diff "$root" "$(cat "$out")"
    expect_code 1
    expect_out_has '^  group/y: 1 chunk changed within \[0:3\]$'
    run rm -r "$root" x
    less=$(cat "$out")
    run diff "$root" "$less"
    expect_out "- x: array"
    run diff "$less" "$root"
    expect_out "+ x: array"
    run diff --json "$less" "$root"
    expect_json "d['differences'] == [{'kind': 'node added', 'path': 'x', 'node': 'array'}] and
        not d['same'] and d['nodes_read'] > 0"
    echo hello >note
    run put "$root" note.txt note
    run diff "$root" "$(cat "$out")"
    expect_out "+ note.txt: key of no array"
    run diff "$root" "$root:x"
    expect_failure 2 "'/' is a group and '/x' is an array"
    expect_out ""
    run diff "$root:none" "$root:none"
    expect_failure 1 "no array or group"
}

test_a_directory_is_a_target_too() {
    begin
    run copy "$root" --to out.zarr --keys v2.
    expect_code 0
    expect_out ""
    expect_true test -e out.zarr/x/0.0.0
    run diff --values "$root" out.zarr
    expect_code 0
    run copy "$root" --to out.zarr
    expect_failure 2 "already"
    run copy "$root" --to out.zarr --force
    expect_code 0
    run diff "$root" out.zarr
    expect_out "same"
}

test_a_copy_and_its_source_do_not_lie_in_each_other() {
    begin
    run copy "$root" --to data.zarr
    expect_code 0
    for to in data.zarr data.zarr/ data.zarr/sub ./data.zarr/group ../"$(basename "$PWD")"/data.zarr/x; do
        run copy data.zarr --to "$to" --force
        expect_failure 2 "lie in each other"
    done
    run copy data.zarr --to data.zarr --into group/copy --force
    expect_failure 2 "lie in each other"
    run copy data.zarr:group --to data.zarr --force
    expect_failure 2 "lie in each other"
    ln -s data.zarr link.zarr
    run copy link.zarr --to data.zarr/sub
    expect_failure 2 "lie in each other"
    expect_true test ! -e data.zarr/sub
    run diff "$root" data.zarr
    expect_out "same"
    # Beside it, in the same hierarchy, and next to one whose name begins alike.
    run copy data.zarr:x --to data.zarr --into x2
    expect_code 0
    run copy data.zarr --to data.zarr2
    expect_code 0
}

test_a_target_needs_a_directory() {
    begin
    run copy "$root" --to none/out.zarr
    expect_failure 4 "there is no directory for it"
    run copy "$root" --to none/out.zarr/
    expect_failure 4 "there is no directory for it"
    run export "$root" none/out.zarr
    expect_failure 4 "there is no directory for it"
}

test_files_of_others_are_left_alone() {
    begin
    mkdir -p thesis/c
    echo mine >thesis/c/data
    run copy "$root" --to thesis
    expect_failure 2 "no Zarr hierarchy"
    run copy "$root:x" --to thesis --force
    expect_failure 2 "no Zarr hierarchy"
    run copy "$root" --to thesis --into deep
    expect_failure 2 "no Zarr hierarchy"
    expect_true test "$(find thesis -type f)" = thesis/c/data
    mkdir empty
    run copy "$root" --to empty
    expect_code 0
}

test_a_killed_copy_leaves_whole_arrays_and_is_gone_on_with() {
    begin
    "$VARVITE" copy "$root" --to out.zarr --chunk lon=1 >/dev/null 2>&1
    # As if it had been killed behind x: its last array is gone, the note is there.
    run copy "$root" --to other.zarr --chunk lon=2
    rm -r out.zarr/z
    printf '%s' '{"source": "another"}' >out.zarr/.varvite-copy
    run copy "$root" --to out.zarr --chunk lon=1
    expect_failure 2 "another source"
    printf '{"source": "%s", "path": "", "chunks": "lon=1", "shards": null, "codecs": null, "keys": null, "arrays": []}' \
        "$root" >out.zarr/.varvite-copy
    run copy "$root" --to out.zarr --chunk lon=1
    expect_code 0
    expect_true test ! -e out.zarr/.varvite-copy
    run diff --values "$root" out.zarr
    expect_code 0
}

test_wrong_use_is_said() {
    begin
    run copy "$root" --chunk nothing=4
    expect_failure 2 "no array has a dimension 'nothing'"
    run copy "$root" --chunk time=0
    expect_failure 2 "time=0"
    run copy "$root" --codec nonsense
    expect_code 2
    run copy "$root" --array nothing --chunk time=1
    expect_failure 2 "no array 'nothing'"
    run copy "$root" --root "$root"
    expect_failure 2 "already"
    run copy "$root" --chunk time=all,lat=all,lon=all --memory 100
    expect_failure 4 "one chunk of the target"
    run copy bafyr4ih52onevq3mqrzrsoqzkljlar33hobdzkht6jfc7qgeqtmybjg4qq
    expect_code 1
    run copy "$root:none"
    expect_failure 1 "none"
}

run_tests
