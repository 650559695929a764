# Sharded roots: read, changed, copied, compared and verified as any other; made and converted.
. "$(dirname "$0")/lib.sh"
need python3

python3 "$(dirname "$0")/make_zarr.py" "$base/set" || exit 1
set=$base/set

begin() { # a store, the set in a HAMT as $hamt, and in group g of a sharded root as $root
    run init
    run copy "$set"
    hamt=$(cat "$out")
    run copy "$set" --layout sharded --chunks-per-shard 2 --into g
    root=$(cat "$out")
}

# put_root HEX: a root that somebody made by hand
put_root() {
    printf '%s' "$1" | xxd -r -p >block
    "$VARVITE" block put --codec dag-cbor block
}

test_every_reading_command_reads_a_sharded_root() {
    begin
    expect_code 0
    run info "$root"
    expect_out_has '^layout  sharded v2: 10 arrays in [0-9]+ shards of 2, [0-9]+ keys by name$'
    expect_out_has '^    listed  in 4 shards of 2$'
    run info --json "$root" g/x
    expect_json "d[0]['layout']['name'] == 'sharded v2' and d[0]['layout']['arrays'] == 10 and
        d[0]['index'] == {'shards': 4, 'chunks_per_shard': 2}"
    run info "$hamt"
    expect_out_has '^layout  HAMT$'
    run tree "$root"
    expect_out_has 'x \(time: 4, lat: 3, lon: 5\) float32'
    run ls -r "$root"
    expect_out_has '^g/x/c/1/1/1$'
    run ls -l "$root" g/x
    expect_out_has ' baf[a-z2-7]+  zarr.json$'
    run get "$root" g/x/zarr.json
    cp "$out" document
    run get "$hamt" x/zarr.json
    expect_same_file "$out" document
    run slice "$root" 'g/x[0]'
    cp "$out" numbers
    run slice "$hamt" 'x[0]'
    expect_equal "$(tail -n +3 numbers)" "$(tail -n +3 "$out")"
    run stats --json "$root" g/x
    expect_json "d[0]['path'] == 'g/x'"
    run export "$root" --path g out.zarr
    expect_code 0
    run diff out.zarr "$hamt"
    expect_out same
    run car export "$root" -o all.car
    run --store all.car verify "$root"
    expect_code 0
}

# Where all arrays lie in one group, it need not be named.
test_the_one_group_need_not_be_named() {
    begin
    run slice "$root" 'x[0,0]'
    expect_code 0
}

# What lists, compares or changes keys takes them as the root has them.
test_listings_show_the_groups_that_are_there() {
    begin
    run ls "$root"
    expect_out "g/
zarr.json"
    run import -q "$set" --root "$root" --into h
    local both=$(cat "$out")
    run ls "$both"
    expect_code 0
    expect_out "g/
h/
zarr.json"
}

test_a_key_that_is_not_there_is_not_looked_for_in_the_group() {
    begin
    run diff "$root" "$hamt"
    expect_code 1
    expect_out_has '^- g/x: array$'
    expect_out_has '^\+ x: array$'
    run diff "$hamt" "$root"
    expect_out_has '^- x: array$'
    run mv "$root" x g/y
    expect_failure 1 "x"
    run attr "$root" x units='"K"'
    expect_failure 1 "x"
    run resize "$root" x 8,3,5
    expect_failure 1 "x"
    # A group that has the name of an array below the other one.
    run import -q "$set" --root "$root" --into x
    expect_code 0
    run diff "$(cat "$out"):x" "$hamt"
    expect_out same
}

test_changing_keeps_the_layout() {
    begin
    echo hello >note
    run put "$root" g/note note
    run put "$(cat "$out")" g/x/c/0/0/0 /dev/null
    local changed=$(cat "$out")
    run info "$changed"
    expect_out_has '^layout  sharded v2: '
    run diff "$root" "$changed"
    expect_code 1
    expect_out_has '^\+ g/note: key of no array$'
    expect_out_has '^  g/x: 1 chunk changed'
    run rm -r "$root" g/x
    run diff "$root" "$(cat "$out")"
    expect_out '- g/x: array'
    run mv "$root" g/x g/deep/y
    run verify "$(cat "$out")"
    expect_code 0
    run diff "$hamt:x" "$("$VARVITE" mv "$root" g/x g/deep/y):g/deep/y"
    expect_out same
    run cp "$root" g/x h/x
    run diff "$(cat "$out"):g/x" "$(cat "$out"):h/x"
    expect_out same
    run attr "$root" g/x units='"K"'
    run diff "$root" "$(cat "$out")"
    expect_out '  g/x: attributes.units: "degC" -> "K"'
}

test_copies_go_by_name_between_layouts() {
    begin
    run copy "$root:g"
    expect_err_has 'by name'
    expect_out "$hamt"
    run copy "$hamt" --into g --layout sharded --chunks-per-shard 2
    expect_err_has 'by name'
    expect_out "$root"
    run copy "$hamt" --into h --root "$root"
    run diff "$(cat "$out"):h" "$(cat "$out"):g"
    expect_out same
    run rechunk --chunk time=1 "$root:g" --into h --root "$root"
    local both=$(cat "$out")
    run diff --values "$both:h" "$hamt"
    expect_code 0
    expect_out_has '^same values, in another form$'
    run verify "$both"
    expect_code 0
}

# Listings of a sharded root name every chunk in one form; what reads them finds the array's own.
test_arrays_with_other_chunk_keys_are_read_and_copied() {
    begin
    run copy "$set" --keys v2. --layout sharded --into g
    local dotted=$(cat "$out")
    run diff "$dotted:g" "$root:g"
    expect_code 1
    run diff --values "$dotted:g" "$root:g"
    expect_code 0
    run copy "$dotted:g"
    local plain=$(cat "$out")
    run ls "$plain" x
    expect_out_has '^0\.0\.0$'
    run diff "$plain" "$dotted:g"
    expect_out same
    run diff "$dotted:g" "$("$VARVITE" copy -q "$dotted:g")"
    expect_out same
    run export "$dotted" --path g out.zarr
    expect_true test -e out.zarr/x/0.0.0
    run diff out.zarr "$dotted:g"
    expect_out same
}

test_import_makes_a_sharded_root() {
    begin
    run import "$set" --layout sharded
    expect_failure 2 "needs --into GROUP"
    run import "$set" --layout sharded --chunks-per-shard 2 --into g
    run diff "$root" "$(cat "$out")"
    expect_out same
    run import "$set" --layout hamt --chunks-per-shard 2
    expect_failure 2 "of a new sharded tree"
    run import "$set" --layout sharded --root "$root" --into h
    expect_failure 2 "keeps its own"
    run import "$set" --root "$root" --into h
    expect_code 0
    run diff "$(cat "$out"):g" "$(cat "$out"):h"
    expect_out same
}

test_verify_names_what_is_missing_or_damaged() {
    begin
    local cid shard
    cid=$("$VARVITE" ls -l "$root" g/x/c/1/1 | sed -n 's/.*\(baf[a-z2-7]*\)  1$/\1/p')
    cp -r .varvite whole
    run block rm "$cid"
    run verify "$root"
    expect_code 3
    expect_out_has "^missing  value g/x/c/1/1/1  $cid: "
    run verify --json "$root"
    expect_json "d['missing'] == 1 and d['found'][0]['key'] == 'g/x/c/1/1/1' and d['nodes'] > 5"
    run get "$root" g/x/c/1/1/1
    expect_failure 3 "$cid"
    rm -rf .varvite && mv whole .varvite
    shard=$("$VARVITE" dag get "$root/arrays/g%2Fx/shard_cids/3" 2>/dev/null; "$VARVITE" dag get --compact "$root" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["arrays"]["g/x"]["shard_cids"][3]["/"])')
    run block rm "$shard"
    run verify "$root"
    expect_code 3
    expect_out_has "^missing  node g/x shard 3  $shard: "
    expect_out_has '0 bad, 1 missing$'
    run verify --sample 50% --max-seconds 10 "$root"
    expect_code 3
    run get "$root" g/x/c/1/1/1
    expect_failure 3 "$shard"
    run get "$root" g/x/c/0/0/0
    expect_code 0
    run slice "$root" 'g/x[3]'
    expect_failure 3 "g/x"
}

test_verify_finds_a_shard_of_the_wrong_form() {
    begin
    # The root again, the shard of g/flags a list of three, and of a text.
    for item in 83f6f6f6 826161f6 a0; do
        bad=$(put_root "$item")
        "$VARVITE" block get "$root" | python3 -c '
import sys
block, old, new = sys.stdin.buffer.read(), *sys.argv[1:]
import base64
raw = lambda cid: base64.b32decode(cid[1:].upper() + "=" * (-len(cid[1:]) % 8))
assert raw(old) in block
sys.stdout.buffer.write(block.replace(raw(old), raw(new)))' "$(
            "$VARVITE" dag get --compact "$root" |
                python3 -c 'import json, sys; print(json.load(sys.stdin)["arrays"]["g/flags"]["shard_cids"][0]["/"])'
        )" "$bad" >made
        run block put --codec dag-cbor made
        local other=$(cat "$out")
        run verify "$other"
        expect_code 3
        expect_out_has "^bad  node g/flags shard 0  $bad: "
        run get "$other" g/flags/c/0
        expect_failure 3 "g/flags"
        run ls -r "$other"
        expect_code 3
        run get "$other" g/x/c/0/0/0
        expect_code 0
    done
}

test_what_is_no_root_is_refused_by_name() {
    run init
    # {"manifest_version": "sharded_zarr_v3"}
    local future=$(put_root a1706d616e69666573745f76657273696f6e6f736861726465645f7a6172725f7633)
    run ls "$future"
    expect_failure 3 "$future: manifest version 'sharded_zarr_v3'; this build knows"
    run verify "$future"
    expect_code 3
    expect_out_has "^unsupported  node root  $future: .*sharded_zarr_v3"
    run put "$future" a /dev/null
    expect_failure 3 "sharded_zarr_v3"
    expect_no_out
    # {"a": 1}; raw bytes
    run info "$(put_root a1616101)"
    expect_failure 3 "no root of a store, but a map of 1 member: 'a'"
    echo text >file
    run tree "$("$VARVITE" block put file)"
    expect_failure 3 "raw bytes"
    # v1, 4 × 6 in chunks of 2 × 2, 4 a shard: three shards instead of two
    local shards=$(put_root a3666368756e6b73a46a73686172645f6369647383f6f6f66b61727261795f73686170658204066b6368756e6b5f73686170658202026f7368617264696e675f636f6e666967a1706368756e6b735f7065725f736861726404686d65746164617461a0706d616e69666573745f76657273696f6e6f736861726465645f7a6172725f7631)
    run ls "$shards"
    expect_failure 3 "[Ss]hards"
    run verify "$shards"
    expect_code 3
    expect_out_has "^bad  node root  $shards: "
}

test_bad_changes_leave_nothing() {
    begin
    blocks() { "$VARVITE" block stat --json | tr -d ' \n'; }
    run put "$root" g/x/c/9/9/9 /dev/null
    expect_failure 2 "g/x/c/9/9/9"
    expect_no_out
    run put "$root" none/c/0 /dev/null
    expect_failure 2 "none"
    expect_no_out
    run car export "$root" -o all.car
    run --store all.car put "$root" note /dev/null
    expect_failure 4 "read-only|reading only|cannot be written"
    expect_no_out
    run ls "$root" --key-env NOTHING
    expect_failure 1 "NOTHING"
    export SOME=0000000000000000000000000000000000000000000000000000000000000001
    run ls "$root" --key-env SOME
    expect_failure 2 "not encrypted"
}

test_convert_goes_both_ways() {
    begin
    run convert "$hamt" --to sharded --chunks-per-shard 3
    expect_code 0
    local there=$(cat "$out")
    run info "$there"
    expect_out_has '^layout  sharded v2: '
    run diff "$hamt" "$there"
    expect_out same
    run diff "$there" "$hamt"
    expect_out same
    run export "$there" out.zarr
    run export "$hamt" other.zarr
    expect_true diff -r out.zarr other.zarr
    run convert "$there" --to hamt
    expect_out "$hamt"
    run convert --json "$there" --to hamt
    expect_json "d['root'] == '$hamt' and d['keys'] == d['keys_verified'] > 10"
    run convert "$hamt" --to v2 --chunks-per-shard 3
    expect_out "$there"
    run convert "$hamt" --to sharded --chunks-per-shard 3 --note note
    expect_out "$there"
    expect_true test ! -e note
}

test_convert_refuses_what_it_cannot_make() {
    begin
    run convert "$hamt"
    expect_failure 2 "--to is needed"
    run convert "$hamt" --to hamt
    expect_failure 2 "already|HAMT"
    run convert "$root" --to v2
    expect_failure 2 "already|version 2|v2"
    run convert "$("$VARVITE" cp "$hamt" x x2)" --to v1
    expect_failure 2 "x2"
    expect_no_out
    run convert "$hamt" --to sharded --chunks-per-shard 0
    expect_failure 2 "--chunks-per-shard 0"
    echo other >note
    run convert "$hamt" --to sharded --note note
    expect_code 2
    expect_no_out
    expect_true test "$(cat note)" = other
    echo text >stray
    run convert "$("$VARVITE" put "$hamt" x/stray stray)" --to sharded
    expect_failure 2 "x/stray"
    expect_no_out
}

# Killed wherever it is, the same command goes on from the note: to the same root, and the note goes.
test_convert_goes_on_after_a_kill() {
    begin
    run convert "$hamt" --to sharded --chunks-per-shard 3
    local right=$(cat "$out") i pid
    run convert "$hamt" --to sharded --chunks-per-shard 3 --memory 1 --json
    expect_json "d['root'] == '$right' and d['passes'] > 10"
    for i in 1 2 3 4 5 6; do
        rm -rf .varvite
        run init
        run copy "$set"
        "$VARVITE" -q convert "$hamt" --to sharded --chunks-per-shard 3 --memory 1 --note note >killed.out 2>&1 &
        pid=$!
        # At once in every other round: a fast machine is soon done.
        while [ ! -e note ] && kill -0 $pid 2>/dev/null; do :; done
        [ $((i % 2)) = 0 ] || sleep 0.0$((RANDOM % 9))
        kill -9 $pid 2>/dev/null
        wait $pid 2>/dev/null
        # Another conversion does not go on from it.
        if [ -e note ]; then
            run convert "$hamt" --to sharded --chunks-per-shard 4 --memory 1 --note note
            expect_failure 2 "note is no note of this conversion"
        fi
        run convert "$hamt" --to sharded --chunks-per-shard 3 --memory 1 --note note
        expect_code 0
        expect_out "$right"
        expect_true test ! -e note
        run verify "$right"
        expect_code 0
        run diff "$hamt" "$right"
        expect_out same
    done
    # A fast machine may be done before any kill; stops at each pass are test_sharded_convert's.
}

# The one array of a v1 root, and coordinates by name.
test_convert_from_and_to_the_first_version() {
    begin
    "$VARVITE" copy -q "$hamt:x" --into temp >one
    run convert "$(cat one)" --to v1 --chunks-per-shard 3 --array temp
    expect_code 0
    local first=$(cat "$out")
    run info "$first"
    expect_out_has '^layout  sharded v1: 1 array in 3 shards of 3'
    run diff "$(cat one)" "$first"
    expect_out same
    run verify "$first"
    expect_code 0
    run slice "$first" 'temp[0,0]'
    expect_code 0
    run convert "$first" --to v2 --chunks-per-shard 4
    expect_failure 2 "the shards stay"
    run convert "$first" --to v2
    expect_code 0
    local second=$(cat "$out")
    run info "$second"
    expect_out_has '^layout  sharded v2: 1 array in 3 shards of 3'
    run diff "$(cat one):temp" "$second:temp"
    expect_out same
    run convert "$second" --to hamt
    run diff "$(cat one):temp" "$(cat "$out"):temp"
    expect_out same
}

test_graft_puts_chunks_of_one_root_into_another() {
    begin
    # A root with nothing in an x that is twice as long.
    run resize "$root" g/x 8,3,5
    expect_code 0
    local long=$(cat "$out")
    run graft "$long" "$root" --at 2,0,0 --array g/x --source-array g/x
    expect_code 0
    expect_err_has '8 chunks grafted'
    local twice=$(cat "$out")
    run slice --csv "$twice" 'g/x[4:]' --index
    cut -d, -f4 "$out" >second
    run slice --csv "$twice" 'g/x[:4]' --index
    cut -d, -f4 "$out" >first
    expect_true test -s first
    expect_same_file first second
    run verify "$twice"
    expect_code 0
    run graft --json "$long" "$root" --at 2,0,0 --array g/x --source-array g/x
    expect_json "d == {'root': '$twice', 'chunks': 8}"
}

test_graft_refuses_what_does_not_fit() {
    begin
    run graft "$root" "$root"
    expect_failure 2 "--at is needed"
    run graft "$root" "$root" --at 0,x,0
    expect_failure 2 "--at 0,x,0"
    run graft "$root" "$root" --at 0,0,0
    expect_failure 2 "arrays|array"
    run graft "$root" "$root" --at 1,0,0 --array g/x --source-array g/x
    expect_failure 2 "g/x"
    run graft "$root" "$root" --at 0,0 --array g/x --source-array g/x
    expect_failure 2 "dimensions"
    run graft "$root" "$root" --at 0 --array g/lat --source-array g/time
    expect_failure 2 "chunk"
    run graft "$root" "$root" --at 0 --array g/lat --source-array g/none
    expect_failure 1 "g/none"
    run graft "$root" "$hamt" --at 0
    expect_failure 2 "$hamt is a HAMT root, .*varvite convert"
    run graft "$hamt" "$root" --at 0
    expect_failure 2 "$hamt is a HAMT root, .*varvite convert"
    run graft "$root" "${root%????}aaaa" --at 0
    expect_code 1
    expect_no_out
}

test_resize_keeps_chunks_at_their_coordinates() {
    begin
    for which in "$root g/x" "$hamt x"; do
        set -- $which
        run resize "$1" "$2" 6,4,7
        expect_code 0
        local grown=$(cat "$out")
        run info "$grown" "$2"
        expect_out_has '^    shape   6 x 4 x 7$'
        run slice --csv --index "$grown" "$2[:4,:3,:5]"
        cp "$out" after
        run slice --csv --index "$1" "$2"
        expect_same_file after "$out"
        run verify "$grown"
        expect_code 0
        run resize "$grown" "$2" 4,3,5
        run diff --values "$1" "$(cat "$out")"
        expect_code 0
        # What was cut off is gone.
        run resize "$1" "$2" 1,1,1
        run resize "$(cat "$out")" "$2" 4,3,5
        run slice --csv "$(cat "$out")" "$2[2]" --index
        expect_out_lacks ',[1-9]'$
    done
    run resize "$root" g/x 4,3
    expect_failure 2 "3 dimensions"
    run resize "$root" g/x 4,3,-1
    expect_failure 2 "SHAPE 4,3,-1"
    run resize "$root" g/none 4
    expect_failure 1 "g/none"
    expect_no_out
}

run_tests
