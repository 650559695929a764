# mv, cp, attr: nodes of a tree.
. "$(dirname "$0")/lib.sh"
need python3

group='{"zarr_format": 3, "node_type": "group", "attributes": {"title": "old", "n": [1, 2.0]}}'

# A tree of a group g with a group in it and two keys that could be chunks; its root is in the file root.
make_tree() {
    run init
    printf '%s' "$group" >g.json
    printf 'chunk' >chunk
    "$VARVITE" put zarr.json g.json >1
    "$VARVITE" put "$(cat 1)" g/zarr.json g.json >2
    "$VARVITE" put "$(cat 2)" g/in/zarr.json g.json >3
    "$VARVITE" put "$(cat 3)" g/in/c/0 chunk >root
    root=$(cat root)
}

test_a_moved_node_has_another_path_in_a_new_root() {
    make_tree
    run mv "$root" g/in a/b
    expect_code 0
    local moved
    moved=$(cat "$out")
    run get "$moved" a/b/c/0
    expect_out chunk
    run get "$moved" g/in/c/0
    expect_failure 1 "g/in/c/0"
    run get "$root" g/in/c/0
    expect_out chunk
    "$VARVITE" mv "$moved" a/b g/in >back
    run mv "$root" g zarr
    expect_code 0
    run mv --json "$root" g x
    expect_json "d['root'].startswith('bafy')"
}

test_a_copied_node_is_at_both_paths() {
    make_tree
    run cp "$root" g h
    expect_code 0
    local copied
    copied=$(cat "$out")
    run get "$copied" h/in/c/0
    expect_out chunk
    run get "$copied" g/in/c/0
    expect_out chunk
}

test_what_is_there_is_not_overwritten() {
    make_tree
    run cp "$root" g/in g
    expect_code 2
    run mv "$root" nowhere x
    expect_failure 1 "nowhere"
    "$VARVITE" cp "$root" g h >copied
    run mv "$(cat copied)" g h
    expect_true test "$code" -ne 0
    expect_true grep -q "already" "$err"
}

test_attributes_are_shown_set_and_deleted() {
    make_tree
    run attr "$root" g
    expect_out 'title = "old"
n = [1, 2.0]'
    run attr "$root" g n
    expect_out '[1, 2.0]'
    run attr --json "$root" g
    expect_json "d == {'title': 'old', 'n': [1, 2.0]}"
    run attr "$root" g 'title="new"' 'a"b=null' n=
    expect_code 0
    local changed
    changed=$(cat "$out")
    run attr --json "$changed" g
    expect_json "d == {'title': 'new', 'a\"b': None}"
    run attr "$changed" g 'a"b'
    expect_out null
    run attr "$root" g title
    expect_out '"old"'
    run attr "$root" g none
    expect_failure 1 "none"
    run attr "$root" g title=new
    expect_failure 2 "double quotes"
    run attr "$root" g 'title=1, "x": 2'
    expect_failure 2 "not one JSON value"
    run attr "$root" g x=1 y
    expect_code 2
    run attr "$root" nowhere
    expect_failure 1 "nowhere"
}

run_tests
