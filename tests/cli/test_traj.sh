# traj: recordings. The files are made by tests/data/trajectory/make.py.
. "$(dirname "$0")/lib.sh"
need python3

runs=$DATA/trajectory
kups=$DATA/vectors/trajectory-1.0.8

test_info_tells_groups_rows_and_steps() {
    run traj info "$runs/open.h5"
    expect_code 0
    expect_no_err
    expect_out_has '^open: a writer has it, or did not close it$'
    expect_out_has '^steps      361 so far$'
    expect_out_has '^    logged   every 10 steps$'
    expect_out_has '^    rows     37$'
    expect_out_has '^    steps    0 to 360$'
    expect_out_has '^    rows     3 of 5$'
    run traj info "$runs/closed.h5"
    expect_out_has '^closed$'
    expect_out_has '^steps      361$'
    run traj info "$kups/k40_md_argon.h5"
    expect_out_has 'a file of kUPS'
    expect_out_has '^    rows     at most 12$'
    run traj info --json "$runs/closed.h5"
    expect_json 'd["recording"] and not d["open"] and d["next_step"] == 361'
    expect_json 'd["groups"][1]["rows"] == 37 and d["groups"][1]["last_step"] == 360'
    expect_json 'd["groups"][2]["written"] == 3 and d["groups"][2]["extent"] == [5]'
    expect_json 'd["groups"][0]["kind"] == "once"'
    run traj info --json "$kups/k40_md_argon.h5"
    expect_json 'd["groups"][1]["kind"] is None and not d["groups"][1]["rows_known"]'
}

test_ls_takes_leaves_groups_and_subtrees() {
    run traj ls "$runs/closed.h5" step/forces init
    expect_code 0
    expect_out "step/forces/bond
step/forces/lj
init/box
init/natoms"
    run traj ls -l "$runs/closed.h5" step/energy
    expect_out "step/energy  float64[37]           chunks of 8 rows, shuffle, gzip:4"
    run traj ls --json "$runs/closed.h5"
    expect_json 'len(d) == 9 and d[5]["shape"] == [37, 2] and d[5]["dtype"] == "bfloat16"'
    run traj ls "$runs/closed.h5" step/none
    expect_code 1
    expect_err_has 'step/energy, step/forces/bond'
}

test_slices_are_labelled_by_step() {
    run traj slice "$runs/open.h5" 'step/energy[-2:]'
    expect_code 0
    expect_out "step/energy float64
       350      -52.5
       360      -54.0"
    run traj slice --csv "$runs/open.h5" step/energy --at steps=100:120
    expect_out "steps,energy
100,-15.0
110,-16.5
120,-18.0"
    run traj slice --csv --index "$runs/open.h5" 'step/positions[::18,:2,0]'
    expect_out_has '^0,0,0.0$'
    expect_out_has '^36,1,39.0$'
    run traj read --json "$runs/closed.h5" 'step/half[3]'
    expect_json 'd["dtype"] == "bfloat16" and d["shape"] == [2]'
    run traj slice "$runs/open.h5" 'step/energy[37]'
    expect_code 2
    run slice "$runs/open.h5" 'step/forces/lj[36,0]'
    expect_code 0
    expect_out_has '36'
}

test_slices_go_into_npy_files() {
    run traj slice --npy -o "$base/e.npy" "$runs/closed.h5" 'step/energy[::12]'
    expect_code 0
    python3 - "$base/e.npy" <<'END' || fail "not what was asked for"
import struct, sys
data = open(sys.argv[1], "rb").read()
assert data[:6] == b"\x93NUMPY" and b"'shape': (4, )" in data, data[:128]
assert struct.unpack("<4d", data[-32:]) == (0, -18, -36, -54)
END
}

test_the_tree_shows_steps_and_places() {
    run traj tree "$runs/closed.h5"
    expect_code 0
    expect_out_has 'written \(5\) uint8'
    expect_out_has 'energy \(steps: 37\) float64'
    run tree "$runs/closed.h5"
    expect_code 0
}

test_stats_of_leaves() {
    run traj stats "$runs/open.h5" step/energy
    expect_code 0
    expect_out_has '^step/energy +float64 +37 +-54 +0 +-27 +166 B +1.78$'
    run traj stats --json "$runs/closed.h5"
    expect_json 'len(d) == 9 and d[2]["min"] == -54.0 and d[2]["raw_bytes"] == 296'
    expect_json 'd[2]["filters"] == "shuffle, gzip:4" and d[2]["chunks"] == 5'
    expect_json '"rows" not in d[0]'
}

test_tail_prints_the_last_rows() {
    run traj tail -n 2 "$runs/open.h5" step/energy step/forces/lj
    expect_code 0
    expect_no_err
    expect_out_has '^      step +energy +lj$'
    expect_out_has '^       350         -52.5            35            34            33 \.\.\.$'
    expect_out_has '^       360           -54 '
    [ "$(wc -l <"$out")" -eq 3 ] || fail "two rows and a head"
    run traj tail --json -n 1 "$runs/open.h5"
    expect_json 'd == [{"row": 36, "step": 360, "step/energy": -54.0, "step/half": d[0]["step/half"], "step/moved": [True, True, False]}]'
    run traj tail -n 1 "$kups/k06_chunks.h5"
    expect_code 0
    run traj tail "$runs/open.h5" moves
    expect_code 2
    run traj tail "$runs/open.h5" init
    expect_code 2
}

test_tail_follows_until_the_time_is_over() {
    run traj tail -n 1 -f --timeout 0.3 "$runs/open.h5" step/energy
    expect_code 0
    expect_err_has '0 rows, 0.0 rows/s'
    run traj tail -n 1 -f --timeout 20 "$runs/closed.h5" step/energy
    expect_code 0 # there is no writer
}

test_tail_shows_rows_that_come_and_ends_with_the_writer() {
    cp "$runs/open.h5" "$base/live.h5"
    (
        sleep 0.6
        cat "$runs/closed.h5" >"$base/live.h5"
    ) &
    local writer=$!
    run traj tail -n 1 -f --timeout 30 "$base/live.h5" step/energy
    wait "$writer"
    expect_code 0
    expect_out_has '^       360 '
    expect_err_has '0 rows'
}

test_tail_ends_at_a_signal() {
    "$VARVITE" traj tail -f "$runs/open.h5" step/energy >"$out" 2>"$err" &
    local pid=$!
    sleep 0.5
    kill -INT "$pid" 2>/dev/null || kill -TERM "$pid"
    sleep 0.4
    kill -TERM "$pid" 2>/dev/null # a shell's background command may not see SIGINT
    wait "$pid"
    code=$?
    shown="varvite traj tail -f, then a signal"
    [ "$code" -eq 130 ] || expect_code 143
}

test_check_finds_damage() {
    run traj check "$runs/closed.h5"
    expect_code 0
    expect_out "3 groups, 9 leaves, 33 chunks, 10.5 KiB decoded: all is whole"
    run traj check "$runs/open.h5"
    expect_code 1
    expect_err_has 'was not closed'
    run traj check "$kups/k30_damaged_chunk.h5"
    expect_code 1
    expect_out_has '^gz/pos: chunk 0: '
    run traj check --json "$kups/k30_damaged_chunk.h5"
    expect_code 1
    expect_json 'len(d["problems"]) == 1 and d["problems"][0]["where"] == "gz/pos" and not d["good"]'
    run traj check "$kups/k34_truncated.h5"
    expect_code 3
    expect_err_has 'cut short'
    run traj check "$DATA/trajectory/make.py"
    expect_code 3
    run traj check "$base/none.h5"
    expect_code 1
}

test_diff_compares_values_not_chunks() {
    run traj diff "$runs/open.h5" "$runs/closed.h5"
    expect_code 0
    expect_out "same: 9 leaves"
    run traj diff --json "$runs/clash.h5" "$runs/closed.h5"
    expect_code 1
    expect_json '[e["path"] for e in d] == ["same", "init", "step", "moves"]'
    # The bytes of the leaf "bond" of row 5, 5.0f four times, are changed.
    python3 - "$runs/closed.h5" "$base/other.h5" <<'END'
import struct, sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.index(struct.pack("<8f", 5, 5, 5, 5, 6, 6, 6, 6))
data[at:at + 4] = struct.pack("<f", 7)
open(sys.argv[2], "wb").write(data)
END
    run traj diff "$runs/closed.h5" "$base/other.h5"
    expect_code 1
    expect_out "step/forces/bond: 1 of 37 rows differ, the first is row 5, step 50"
    expect_err_has '1 difference'
    # One place more is said to be written.
    python3 - "$runs/closed.h5" "$base/other.h5" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.index(bytes([1, 0, 1, 1, 0]))
assert data.count(bytes([1, 0, 1, 1, 0])) == 1
data[at + 1] = 1
open(sys.argv[2], "wb").write(data)
END
    run traj diff "$runs/closed.h5" "$base/other.h5"
    expect_code 1
    expect_out "moves: 1 of 5 places were written in one of them only"
    run traj check "$base/other.h5"
    expect_code 1
    expect_out_has '^moves: 4 places were written, 3 are counted$'
}

test_repair_closes_what_a_killed_writer_left() {
    cp "$kups/k18_killed_zstd.h5" "$base/k.h5"
    run traj repair --dry-run "$base/k.h5"
    if grep -q 'without' "$err"; then return 0; fi # built without the room that writes
    expect_code 0
    cmp -s "$kups/k18_killed_zstd.h5" "$base/k.h5" || fail "changed, and only asked"
    run traj check "$base/k.h5"
    expect_code 1
    run traj repair --json "$base/k.h5"
    expect_code 0
    expect_json 'd["was_open"] and d["changed"]'
    run traj check "$base/k.h5"
    expect_code 0
    run traj diff "$kups/k18_killed_zstd.h5" "$base/k.h5"
    expect_code 0
    run traj repair "$base/k.h5"
    expect_code 0
    expect_out "is closed; nothing to do"
    run traj repair "$base/none.h5"
    expect_code 1
}

test_several_leaves_are_drawn_with_a_legend() {
    run traj plot --size 60x16 "$runs/closed.h5" step/energy 'step/forces/bond[:,0]'
    if grep -q 'without' "$err"; then return 0; fi # built without the room that draws
    expect_code 0
    expect_out_has '0 +100 +200 +300'
    run traj plot --size 60x16 "$runs/closed.h5" step/energy
    expect_code 0
    run traj plot -o "$base/e.svg" "$runs/closed.h5" step/energy 'step/forces/bond[:,0]'
    expect_code 0
    grep -q 'step/forces/bond\[:,0\]' "$base/e.svg" || fail "no legend"
    grep -q '>step<' "$base/e.svg" || fail "no name of the axis"
    run traj plot "$runs/closed.h5" step/energy init/box
    expect_code 2
    expect_err_has 'one'
    run traj plot "$runs/closed.h5" step/energy 'step/energy[:5]'
    expect_code 2
    expect_err_has '5 places, and step/energy has 37'
}

test_a_recording_is_read_where_arrays_are() {
    run stats "$runs/closed.h5" step/energy
    expect_code 0
    expect_out_has 'min      -54'
    run diff --values "$runs/open.h5" "$runs/closed.h5"
    expect_code 0
    run slice "$DATA/trajectory/make.py" x
    expect_code 2
    expect_err_has 'not a root'
}

run_tests
