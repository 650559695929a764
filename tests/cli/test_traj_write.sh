# traj publish, traj record: recordings into stores.
. "$(dirname "$0")/lib.sh"
need python3

runs=$DATA/trajectory
kups=$DATA/vectors/trajectory-1.0.8

cat >"$base/schema.json" <<'JSON'
{"groups": {"init": {"every": "once", "leaves": {"box": "float64[3,3]"}},
            "step": {"every": 10, "leaves": {"positions": "float32[4,3]", "energy": "float64"}},
            "rare": {"every": 25, "leaves": "int16"}}}
JSON
# frames.py FRAMES [npy]: at steps 0, 10, 20, 25, 30, … what the schema says.
cat >"$base/frames.py" <<'PYTHON'
import struct, sys

def put(descr, shape, data):
    if len(sys.argv) > 2:
        text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
        text += " " * (-(len(text) + 11) % 64) + "\n"
        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
    out.write(data)

out, step, frames = sys.stdout.buffer, 0, 0
while frames < int(sys.argv[1]):
    frames += step % 10 == 0 or step % 25 == 0
    if step == 0:
        put("<f8", "(3, 3)", struct.pack("<9d", *range(9)))
    if step % 10 == 0:
        put("<f4", "(4, 3)", struct.pack("<12f", *[step + i for i in range(12)]))
        put("<f8", "()", struct.pack("<d", step / 2))
    if step % 25 == 0:
        put("<i2", "()", struct.pack("<h", -step))
    step += 5
PYTHON

test_publish_prints_the_root_of_what_was_read_back() {
    run init
    run traj publish "$runs/closed.h5"
    expect_code 0
    expect_true grep -Eqx 'bafyr4i[a-z2-7]{52}' "$out"
    expect_err_has 'read back and equal'
    root=$(cat "$out")
    run diff --values "$runs/closed.h5" "$root"
    expect_out_lacks 'elements'
    run slice --csv "$root" 'step/energy[:2]'
    expect_code 0
    cp "$out" ours
    run slice --csv "$runs/closed.h5" 'step/energy[:2]'
    expect_same_file "$out" ours
    run traj publish --json "$runs/closed.h5"
    expect_json "d['root'] == '$root' and d['verified'] and d['groups'] == 3 and d['rows'] > 37"
    run -q traj publish "$runs/closed.h5"
    expect_no_err
    expect_out "$root"
}

test_publish_into_a_directory_and_beside_others() {
    run traj publish "$kups/k40_md_argon.h5" --to k.zarr
    expect_code 0
    expect_no_out
    run tree k.zarr
    expect_out_has 'positions \(steps: 12, dim_256: 256, dim_3: 3\) float64'
    run traj publish "$kups/k40_md_argon.h5" --to k.zarr
    expect_failure 2 'there is a node'
    run traj publish -f --codec none "$kups/k40_md_argon.h5" --to k.zarr --into .
    expect_failure 2 "may not be '.'"
    run traj publish -f --codec none "$kups/k40_md_argon.h5" --to k.zarr
    expect_code 0
    run info k.zarr step/volume
    expect_out_lacks 'blosc|zstd'
    mkdir full && touch full/letter
    run traj publish "$runs/closed.h5" --to full
    expect_failure 2 'holds files and no Zarr hierarchy'
    run init
    "$VARVITE" -q traj publish "$runs/closed.h5" --into a/1 >one
    "$VARVITE" -q traj publish "$runs/closed.h5" --root "$(cat one)" --into a/2 --rows 3:30:4 --group step >two
    run info "$(cat two)" a/2/step/energy
    expect_out_has 'steps: 7'
    run slice --csv "$(cat two)" 'a/2/step/energy[:2]'
    expect_out_has '^30,'
    expect_out_has '^70,'
    run info "$(cat two)" a/1/step/energy
    expect_code 0
}

test_publish_refuses_what_it_cannot_read() {
    run init
    run traj publish "$kups/k30_damaged_chunk.h5"
    expect_failure 3 "group\['gz'\].*chunk 0"
    expect_no_out
    run traj publish --rows 1:x "$runs/closed.h5"
    expect_failure 2 'START:STOP:STEP'
    run traj publish --codec zstd:99 "$runs/closed.h5"
    expect_failure 2 'no level'
    run traj publish --codec lz9 "$runs/closed.h5"
    expect_failure 2 'none, zstd, gzip, lzf or blosc'
    run traj publish --group nothing "$runs/closed.h5"
    expect_failure 1 nothing
}

test_record_takes_raw_frames_and_npy() {
    python3 "$base/frames.py" 20 >raw
    python3 "$base/frames.py" 20 npy >npy
    run traj record --schema "$base/schema.json" --to raw.zarr <raw
    expect_code 0
    expect_err_has '^20 frames, '
    run traj record --schema "$base/schema.json" --input npy --to npy.zarr <npy
    expect_code 0
    run diff --values raw.zarr npy.zarr
    expect_out_lacks 'elements'
    run slice --csv raw.zarr step/steps
    expect_out_has '^160,160$'
    expect_out_lacks 170
    run slice --csv raw.zarr 'step/positions[16,3,2]'
    expect_out_has '171'
    run slice --csv raw.zarr rare/value
    expect_out_has '^150,-150$'
    run slice --csv raw.zarr 'init/box[2,2]'
    expect_out_has 8
    run init
    run traj record --schema "$base/schema.json" --json <raw
    expect_json "d['frames'] == 20 and d['root'].startswith('bafyr4i') and d['dropped'] == 0"
}

test_record_makes_hdf5_and_zarr_alike() {
    python3 "$base/frames.py" 20 >raw
    run traj record --schema "$base/schema.json" run.h5 <raw
    [ "$code" -eq 2 ] && grep -q HDF5 "$err" && return # a build without it
    expect_code 0
    run traj check run.h5
    expect_code 0
    run -q traj record --schema "$base/schema.json" --to run.zarr <raw
    for leaf in step/positions step/energy step/steps rare/value init/box; do
        run slice --npy -o of_file.npy run.h5 "$leaf"
        run slice --npy -o of_zarr.npy run.zarr "$leaf"
        expect_same_file of_file.npy of_zarr.npy
    done
    run traj record --schema "$base/schema.json" run.h5 <raw
    expect_failure 2 'give --force'
    # The file goes on where it was cut short.
    python3 "$base/frames.py" 14 >first
    tail -c +$(($(stat -c %s first) + 1)) raw >rest
    run -q traj record --schema "$base/schema.json" cut.h5 <first
    run -q traj record --schema "$base/schema.json" --append --first-step 120 cut.h5 <rest
    expect_code 0
    run traj diff run.h5 cut.h5
    expect_code 0
}

test_record_leaves_no_holes_in_a_short_file() {
    python3 "$base/frames.py" 20 >raw
    run traj record --schema "$base/schema.json" --json short.h5 <raw
    [ "$code" -eq 2 ] && grep -q HDF5 "$err" && return # a build without it
    expect_code 0
    # What is said was counted at the end.
    expect_json "d['frames'] == 20 and d['rows'] == 25 and d['bytes'] == 1230"
    expect_err_has '^20 frames, .* stored, '
    expect_err_lacks ' 0 B'
    # The chunks of these leaves are far longer than their rows: none may be stored at its full length.
    expect_true test "$(stat -c %s short.h5)" -lt 32768
}

test_record_keeps_whole_frames_of_a_cut_input() {
    run init
    python3 "$base/frames.py" 20 | head -c 600 >raw
    run traj record --schema "$base/schema.json" --to cut.zarr <raw
    expect_failure 3 'in the midst of step .*the frames before it are recorded'
    expect_err_has '^[0-9]+ frames'
    run slice --csv cut.zarr step/steps
    expect_code 0
    expect_out_has '^50,50$'
    run traj record --schema "$base/schema.json" --to none.zarr </dev/null
    expect_code 0
    expect_err_has '^0 frames'
}

test_record_goes_on_and_cuts_back() {
    python3 "$base/frames.py" 20 >raw
    run init
    run -q traj record --schema "$base/schema.json" <raw
    whole=$(cat "$out")
    # The first 14 frames; the rest is told to the same tree.
    python3 "$base/frames.py" 14 >first
    tail -c +$(($(stat -c %s first) + 1)) raw >rest
    run -q traj record --schema "$base/schema.json" <first
    root=$(cat "$out")
    run -q traj record --schema "$base/schema.json" --root "$root" --append --first-step 120 <rest
    expect_code 0
    run diff "$whole" "$(cat "$out")"
    expect_out same
    run traj record --schema "$base/schema.json" --root "$root" --append <rest
    expect_failure 2 'needs --first-step'
    echo '{"groups": {"step": {"every": 10, "leaves": {"x": "int8"}}}}' >other.json
    run traj record --schema other.json --root "$root" --append --first-step 9 <rest
    expect_failure 2 'groups'
}

test_record_says_what_does_not_fit() {
    run init
    python3 "$base/frames.py" 3 npy >npy
    run traj record --schema "$base/schema.json" <npy
    expect_failure 2 'give --input npy'
    sed 's/<f4/<f8/' npy >other
    run traj record --schema "$base/schema.json" --input npy --to a.zarr <other
    expect_failure 2 "step 0 for .*positions.*another type"
    sed 's/(4, 3)/(3, 4)/' npy >other
    run traj record --schema "$base/schema.json" --input npy --to b.zarr <other
    expect_failure 2 "another shape"
    echo no >other
    run traj record --schema "$base/schema.json" --input npy --to c.zarr <other
    expect_failure 3 'no npy array'
    run traj record --to d.zarr <npy
    expect_failure 2 'schema'
    echo '{' >bad.json
    run traj record --schema bad.json --to d.zarr <npy
    expect_failure 2 'bad.json'
    run traj record --schema "$base/schema.json" --to a.zarr x.h5 <npy
    expect_failure 2 'one of them'
    echo '{"groups": {"init": {"every": "once", "leaves": {"n": "int8"}}}}' >once.json
    printf '\1\2' >two
    run traj record --schema once.json --to e.zarr <two
    expect_failure 2 'no group is due'
}

test_record_ends_cleanly_at_a_signal() {
    mkfifo pipe
    "$VARVITE" traj record --schema "$base/schema.json" --to stopped.zarr <pipe 2>"$err" >"$out" &
    pid=$!
    { python3 "$base/frames.py" 12; exec sleep 30; } >pipe &
    feeder=$!
    for _ in $(seq 100); do
        sleep 0.1
        [ -e stopped.zarr/step/steps/c/0 ] && break
    done
    kill -TERM $pid
    wait $pid
    code=$? shown="traj record, stopped"
    kill $feeder 2>/dev/null
    expect_code 0
    expect_err_has '^stopped$'
    expect_err_has '^12 frames'
    run slice --csv stopped.zarr step/steps
    expect_out_has '^90,90$'
}

test_convert_compresses_anew_and_cuts() {
    run traj convert --codec zstd:9 "$runs/closed.h5" all.h5
    [ "$code" -eq 2 ] && grep -q 'writes no HDF5' "$err" && return # a build without it
    expect_code 0
    expect_err_has 'read back and equal'
    run traj diff "$runs/closed.h5" all.h5
    expect_code 0
    run traj convert "$runs/closed.h5" all.h5
    expect_failure 2 'give --force'
    run traj convert --json -f --rows 5:20:5 --group step "$runs/closed.h5" all.h5
    expect_json "d['rows'] == 3 and d['verified'] and d['groups'] == 1"
    run traj slice --csv all.h5 step/energy
    expect_out "steps,energy
50,-7.5
100,-15.0
150,-22.5"
    run traj convert "$kups/k40_md_argon.h5" argon.h5
    expect_code 0
    run traj info argon.h5
    expect_out_has '^    steps    0 to 11$'
    run traj convert --codec none "$runs/closed.h5" -
    expect_failure 2 'for recordings'
    run traj convert "$runs/closed.h5" what.ever
    expect_failure 2 'give --as'
    expect_true test ! -e what.ever
}

test_convert_writes_extended_xyz() {
    run traj convert --rows 3 "$runs/closed.h5" - 
    expect_code 0
    expect_err_has '^1 frame in'
    expect_equal "$(sed -n 1p "$out")" 20
    expect_out_has '^Lattice="10.0 0.0 0.0 .* Properties=species:S:1:pos:R:3 energy=-4.5 step=30$'
    expect_equal "$(wc -l <"$out")" 22
    run traj convert "$kups/k40_md_argon.h5" argon.xyz
    expect_code 0
    expect_no_out
    expect_true grep -q '^Ar ' argon.xyz
    run traj convert "$kups/k40_md_argon.h5" argon.xyz
    expect_failure 2 'give --force'
    run traj convert --map forces=step/energy "$runs/closed.h5" bad.xyz
    expect_failure 3 'no forces of 20 atoms'
    expect_true test ! -e bad.xyz
}

test_convert_writes_h5md() {
    run traj convert --rows ::5 "$runs/closed.h5" out.h5md
    [ "$code" -eq 2 ] && grep -q 'writes no HDF5' "$err" && return
    expect_code 0
    expect_no_out
    expect_err_has '^8 frames in'
    expect_true test -s out.h5md
    run traj convert "$runs/closed.h5" out.h5md
    expect_failure 2 'give --force'
    run traj convert --map box=step/positions -f "$runs/closed.h5" out.h5md
    expect_failure 3 'no box'
    expect_equal "$(ls)" out.h5md
}

test_repair_takes_a_zarr_directory() {
    python3 "$base/frames.py" 8 >raw
    run -q traj record --schema "$base/schema.json" --to run.zarr <raw
    run traj repair run.zarr
    expect_code 0
    expect_out 'is closed; nothing to do'
    sed -i 's/"closed": true/"closed": false/' run.zarr/zarr.json
    run traj repair --dry-run run.zarr
    expect_out_has 'would be closed'
    run traj repair run.zarr
    expect_out_has '^run.zarr: closed'
    expect_true grep -q '"closed": true' run.zarr/zarr.json
    mkdir empty
    run traj repair empty
    expect_failure 1 'no recording'
}

test_convert_writes_a_leaf() {
    run traj convert --leaf energy --rows ::18 "$runs/closed.h5" -
    expect_code 0
    cp "$out" energy.csv
    run traj slice --csv "$runs/closed.h5" 'step/energy[::18]'
    expect_true cmp -s energy.csv "$out"
    run traj convert --leaf step/positions "$runs/closed.h5" pos.npy
    expect_code 0
    run traj slice --npy -o other.npy "$runs/closed.h5" step/positions
    expect_true cmp -s pos.npy other.npy
    run traj convert --leaf positions "$runs/closed.h5" pos.npy
    expect_failure 2 'give --force'
    run traj convert "$runs/closed.h5" x.csv
    expect_failure 2 'name it as --leaf'
    run traj convert --leaf step "$runs/closed.h5" x.csv
    expect_failure 2 'step is a group'
    run traj convert --leaf nothing "$runs/closed.h5" x.csv
    expect_failure 1 "no 'nothing'"
    run traj convert --leaf energy "$runs/closed.h5" x.h5md
    expect_failure 2 'is for CSV'
    run traj convert --leaf energy --rows 40: "$runs/closed.h5" -
    expect_code 0
}

test_frames_of_other_programs_are_read() {
    run traj info "$runs/particles.h5md"
    expect_code 0
    expect_out_has 'a file of H5MD'
    run traj convert "$runs/particles.h5md" particles.h5
    [ "$code" -eq 2 ] && grep -q 'writes no HDF5' "$err" && return
    expect_code 0
    run traj diff particles.h5 "$runs/particles.h5md"
    expect_code 0
}

run_tests
