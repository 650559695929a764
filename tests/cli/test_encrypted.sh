# Encrypted roots: read and changed with their key, verified without it.
. "$(dirname "$0")/lib.sh"
need python3

python3 "$(dirname "$0")/make_zarr.py" "$base/set" || exit 1
set=$base/set

begin() { # a store, the set in a HAMT as $hamt, and encrypted as $root; keys in the files key and other
    run init
    run copy "$set"
    hamt=$(cat "$out")
    (umask 077 && printf '%064d\n' 7 >key && printf '%064d\n' 8 >other)
    run copy "$hamt" --to-key-file key
    root=$(cat "$out")
}

test_with_the_key_it_reads_as_any_root() {
    begin
    expect_code 0
    for key in "--key-file key" "--key-env KEY" "--key-fd 7"; do
        KEY=$(cat key) run ls $key "$root" 7<key
        expect_code 0
        expect_out_has '^x/$'
    done
    run info --key-file key "$root"
    expect_out_has '^layout  encrypted: opened by key [0-9a-f]{16}$'
    expect_out_has '^x \(time: 4, lat: 3, lon: 5\) float32$'
    run info --json --key-file key "$root" x
    expect_json "d[0]['layout']['name'] == 'encrypted' and d[0]['layout']['keys'] == 1"
    run slice --key-file key "$root" 'x[0]'
    cp "$out" numbers
    run slice "$hamt" 'x[0]'
    expect_same_file numbers "$out"
    run get --key-file key "$root" x/zarr.json
    cp "$out" document
    run get "$hamt" x/zarr.json
    expect_same_file document "$out"
    run stats --key-file key "$root" x
    expect_code 0
    run tree --key-file key "$root"
    expect_code 0
    run cat --key-file key "$root" x/zarr.json
    expect_same_file document "$out"
    run diff --key-file key "$root" "$hamt"
    expect_out same
    run diff --to-key-file key "$hamt" "$root"
    expect_out same
    run diff --key-file key "$root" "$root"
    expect_out same
    run export --key-file key "$root" out.zarr
    run diff out.zarr "$hamt"
    expect_out same
    run compare --key-file key "$set" "$root"
    expect_code 0
}

test_what_works_on_other_layouts_alone_says_so() {
    begin
    for to in sharded v1 v2 hamt; do
        run convert "$root" --to $to --note note
        expect_failure 2 "$root is encrypted: .*varvite copy"
        expect_no_out
        expect_true test ! -e note
    done
    run copy -q "$hamt" --layout sharded --into g
    local sharded=$(cat "$out")
    run graft "$sharded" "$root" --at 0,0,0
    expect_failure 2 "$root is an encrypted root"
    run key info "$hamt"
    expect_failure 3 "$hamt: no root of an encrypted data set"
}

test_without_it_there_is_nothing_to_see() {
    begin
    run ls "$root"
    expect_failure 4 "the root is encrypted; it is opened by key [0-9a-f]{16}; give --key-file"
    expect_no_out
    run info "$root"
    expect_failure 4 "give --key-file"
    run ls --key-file other "$root"
    expect_failure 4 "key [0-9a-f]{16} does not open it"
    expect_no_out
    run get --key-file other "$root" x/zarr.json
    expect_failure 4 "does not open it"
    expect_no_out
    run ls --key-file none "$root"
    expect_failure 1 "none"
    run ls --key-file key --key-env KEY "$root"
    expect_failure 2 "exclude each other"
    run ls --key-header text "$root"
    expect_code 4
    run ls --key-file key --key-header text "$root"
    expect_failure 2 "header"
}

test_verify_needs_no_key() {
    begin
    run verify "$root"
    expect_code 0
    expect_out_has '^good: '
    run car export "$root" -o all.car
    run --store all.car verify "$root"
    expect_code 0
    run --store all.car ls --key-file key "$root"
    expect_code 0
    # A block of a value: any of those that the tree is not made of. Its key is not to be seen.
    run --store alone init
    run --store alone car import all.car
    for victim in $("$VARVITE" --store alone block ls); do
        "$VARVITE" --store alone block get -o saved "$victim"
        "$VARVITE" --store alone block rm "$victim"
        run --store alone verify "$root"
        expect_code 3
        grep -q '^missing  value' "$out" && break
        "$VARVITE" --store alone block put saved >/dev/null
    done
    expect_out_has '^missing  value '
    expect_out_lacks 'zarr.json|/c/'
    run --store alone export --key-file key "$root" out.zarr
    expect_code 3
}

test_changing_keeps_it_encrypted() {
    begin
    echo secret >note
    run put --key-file key "$root" note note
    expect_code 0
    local more=$(cat "$out")
    run get "$more" note
    expect_failure 4 "encrypted"
    run get --key-file key "$more" note
    expect_out secret
    run diff --key-file key "$root" "$more"
    expect_out '+ note: key of no array'
    run mv --key-file key "$root" x y
    run diff --key-file key "$(cat "$out"):y" "$hamt:x"
    expect_out same
    run resize --key-file key "$root" x 6,3,5
    run info --key-file key "$(cat "$out")" x
    expect_out_has '^    shape   6 x 3 x 5$'
    run put "$root" note note
    expect_failure 4 "encrypted"
    expect_no_out
    run put --key-file other "$root" note note
    expect_failure 4 "does not open it"
    expect_no_out
}

test_new_trees_are_encrypted_with_a_key() {
    begin
    run import --key-file key "$set"
    expect_code 0
    run diff --key-file key "$(cat "$out")" "$hamt"
    expect_out same
    echo secret >note
    run put --key-file key note note
    run ls "$(cat "$out")"
    expect_failure 4 "encrypted"
    run import --layout encrypted "$set"
    expect_failure 2 "needs a key"
    run import --layout sharded --into g --key-file key "$set"
    expect_failure 2 "not encrypted"
    run copy --key-file key "$root"
    expect_out "$hamt"
    run copy "$hamt" --to-key-file key --to out.zarr
    expect_failure 2 "plain Zarr directory"
}

test_py_hamts_format_is_a_hamt_with_a_key() {
    begin
    run import --key-file key --key-header climate --layout hamt "$set"
    expect_code 0
    local theirs=$(cat "$out")
    run ls "$theirs"
    expect_out_has '^x/$'
    run info --key-file key --key-header climate "$theirs"
    expect_out_has "^layout  HAMT, encrypted by py-hamt's format$"
    run diff --key-file key --key-header climate "$theirs" "$hamt"
    expect_out same
    run get --key-file key "$theirs" x/zarr.json
    expect_code 4
    expect_no_out
    run get --key-file other --key-header climate "$theirs" x/zarr.json
    expect_code 4
    expect_no_out
    run verify "$theirs"
    expect_code 0
}

run_tests
