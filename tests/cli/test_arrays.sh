# tree, info and slice: what a data set holds, and its numbers.
. "$(dirname "$0")/lib.sh"
need python3

python3 "$(dirname "$0")/make_zarr.py" "$base/set" || exit 1
set=$base/set
PYTHONPATH=$(dirname "$0") python3 - "$set" <<'END' || exit 1
import json, os, struct, sys
from make_zarr import array

def typed(path, dtype, fill, data, dims=None):
    array(root, path, "int16", [2], [2], [0, 0], dims)
    meta = json.load(open(f"{root}/{path}/zarr.json"))
    meta["data_type"], meta["fill_value"] = dtype, fill
    json.dump(meta, open(f"{root}/{path}/zarr.json", "w"))
    open(f"{root}/{path}/c/0", "wb").write(data)

root = sys.argv[1]
typed("words", {"name": "fixed_length_utf32", "configuration": {"length_bytes": 8}}, "",
      "ab".encode("utf-32-le") + "c\n".encode("utf-32-le"))
array(root, "vast", "int16", [2], [2], [0, 0])
meta = json.load(open(f"{root}/vast/zarr.json"))
meta["shape"], meta["chunk_grid"]["configuration"]["chunk_shape"] = [10**9], [10**6]
json.dump(meta, open(f"{root}/vast/zarr.json", "w"))
os.remove(f"{root}/vast/c/0")
array(root, "cup[x]", "int32", [2], [2], [3, 4])
array(root, "names", "int32", [2], [2], [1, 2], ["a\x1bb"])
typed("a\x1bb", {"name": "numpy.datetime64", "configuration": {"unit": "D", "scale_factor": 1}}, 0,
      struct.pack("<qq", 0, 400))
END

test_tree_draws_groups_and_arrays() {
    run tree "$set"
    expect_code 0
    expect_no_err
    expect_out_has '^/$'
    expect_out_has '^├── big \(2\) uint64$'
    expect_out_has '^├── group/$'
    expect_out_has '^│   └── y \(time: 4\) int16$'
    expect_out_has '^├── x \(time: 4, lat: 3, lon: 5\) float32$'
    expect_out_has '^└── z \(2\) complex64$'
    LC_ALL=C run tree "$set"
    expect_out_has '^\|   `-- y '
    run tree "$set" group
    expect_out "$(printf 'group/\n└── y (time: 4) int16')"
    run tree "$set" nothing
    expect_failure 1 "nothing: no array and no group"
    run tree --json "$set"
    expect_json "{x['path']: x['kind'] for x in d}['group/y'] == 'array' and
        [x for x in d if x['path'] == 'x'][0]['dimensions'] == ['time', 'lat', 'lon']"
}

test_info_shows_what_ncdump_would() {
    run info "$set"
    expect_code 0
    expect_out_has '^    :title = "a \\"test\\" set"$'
    expect_out_has '^    :levels = 1, 2, 3$'
    run info "$set" x
    expect_out_has '^x \(time: 4, lat: 3, lon: 5\) float32$'
    expect_out_has '^    shape   4 x 3 x 5$'
    expect_out_has '^    chunks  2 x 2 x 3 \(8 chunks of 48 B\)$'
    expect_out_has '^    codecs  bytes \(endian little\)$'
    expect_out_has '^    fill    0\.0$'
    expect_out_has '^    x:units = "degC"$'
    expect_out_has '^    x:valid = -10, 100$'
    run info "$set" /group/y/
    expect_out_has '^group/y \(time: 4\) int16$'
    run info --json "$set"
    expect_json "[x for x in d if x['path'] == ''][0]['attributes']['levels'] == [1, 2, 3]"
    expect_json "[x for x in d if x['path'] == 'x'][0]['grid'] == [2, 2, 2]"
    expect_json "[x for x in d if x['path'] == 'x'][0]['metadata']['data_type'] == 'float32'"
    run info "$set" nothing
    expect_failure 1 "nothing"
}

test_slice_prints_tables_with_labels() {
    run slice "$set" 'x[0,:,1:3]'
    expect_code 0
    expect_no_err
    expect_equal "$(cat "$out")" "x float32, degC
lat \\ lon
                    1          2
     -89.5        1.5        2.5
      0.25        6.5        7.5
      89.5       11.5       12.5"
    run slice "$set" 'x[::3,0,:2]'
    expect_equal "$(cat "$out")" "x float32, degC
time \\ lon
                    0          1
       366        0.5        1.5
      2557       45.5       46.5"
    run slice "$set" 'x[1:3,1:2,0:1]'
    expect_equal "$(cat "$out")" "x float32, degC

time = 1096
lat \\ lon
                    0
      0.25       20.5

time = 1826
lat \\ lon
                    0
      0.25       35.5"
    run slice --index "$set" 'x[3,-1]'
    expect_equal "$(sed -n 2p "$out")" "         0       55.5"
    run slice "$set" scalar
    expect_out "$(printf 'scalar int32\n42')"
    run slice "$set" 'group/y[1:]'
    expect_out_has '^      1096         20$'
    run slice "$set" 'x[0:0]'
    expect_code 0
    expect_out "x float32, degC"
}

test_slice_prints_csv() {
    run slice --csv "$set" 'x[0,:2,4]'
    expect_out "$(printf 'lat,x\n-89.5,4.5\n0.25,9.5')"
    run slice --csv "$set" 'group/y[::-1]'
    expect_failure 2 "step -1: steps are 1 or more"
    run slice --csv --index "$set" 'x[2:,2,:1]'
    expect_out "$(printf 'time,lon,x\n2,0,40.5\n3,0,55.5')"
    run slice --csv -o file.csv "$set" flags
    expect_equal "$(cat file.csv)" "$(printf 'dim 0,flags\n0,true\n1,false\n2,true')"
}

test_slice_prints_json_that_is_json() {
    run slice --json "$set" 'x[1:3,0,::2]'
    expect_json "d['shape'] == [2, 3] and d['dimensions'] == ['time', 'lon'] and
        d['labels'] == [[1096, 1826], [0, 2, 4]] and
        d['data'] == [[15.5, 17.5, 19.5], [30.5, 32.5, 34.5]] and d['units'] == 'degC'"
    run slice --json "$set" odd
    expect_json "d['data'] == ['NaN', 'Infinity', '-Infinity', -0.0, 0.1]"
    run slice --json "$set" big
    expect_json "d['data'] == [2**64 - 1, 2**53 + 1]"
    run slice --json "$set" flags
    expect_json "d['data'] == [True, False, True]"
    run slice --json "$set" z
    expect_json "d['data'] == [[1, -2], [0.5, 'NaN']]"
    run slice --json "$set" scalar
    expect_json "d['data'] == 42 and d['shape'] == []"
    run slice --json "$set" holes
    expect_json "d['data'] == [-7, -7, -7]"
    run slice --json "$set" 'x[0,0,5:]'
    expect_json "d['data'] == [] and d['shape'] == [0]"
}

# NumPy's format read by hand: shape and values of float32.
read_npy='
import ast, struct, sys
b = open(sys.argv[1], "rb").read()
assert b[:8] == b"\x93NUMPY\x01\x00", b[:8]
n = struct.unpack("<H", b[8:10])[0]
assert (10 + n) % 64 == 0 and b[9 + n:10 + n] == b"\n"
head = ast.literal_eval(b[10:10 + n].decode())
count = 1
for length in head["shape"]: count *= length
assert head["fortran_order"] is False and head["descr"] == "<f4" and len(b) == 10 + n + 4 * count
print(head["shape"], list(struct.unpack("<%df" % count, b[10 + n:])))'

test_slice_writes_npy() {
    run slice --npy -o x.npy "$set" 'x[0,:2,3:]'
    expect_code 0
    expect_equal "$(python3 -c "$read_npy" x.npy)" "(2, 2) [3.5, 4.5, 8.5, 9.5]"
    "$VARVITE" slice --npy "$set" 'x[0,0,0]' >y.npy
    expect_equal "$(python3 -c "$read_npy" y.npy)" "() [0.5]"
    "$VARVITE" slice --npy "$set" 'x[0,0,2:2]' >y.npy
    expect_equal "$(python3 -c "$read_npy" y.npy)" "(0,) []"
    ls >listed
    expect_true test -z "$(grep partial listed)"
}

test_selections_follow_numpy() {
    local selection
    while IFS='|' read -r selection shape; do
        run slice --json "$set" "x$selection"
        expect_code 0
        expect_json "d['shape'] == $shape"
    done <<'END'
|[4, 3, 5]
[...]|[4, 3, 5]
[0]|[3, 5]
[0,...]|[3, 5]
[...,0]|[4, 3]
[1,...,2]|[3]
[0,0,0]|[]
[-1,-3,-5]|[]
[:,:,:]|[4, 3, 5]
[ 1 : 3 , : , : : 2 ]|[2, 3, 3]
[-2:]|[2, 3, 5]
[:-1]|[3, 3, 5]
[2:1]|[0, 3, 5]
[100:]|[0, 3, 5]
[-100:100]|[4, 3, 5]
[::100]|[1, 3, 5]
[1::2,]|[2, 3, 5]
END
}

test_random_selections_equal_a_model() {
    python3 - "$VARVITE" "$set" <<'PYTHON' >"$out" 2>"$err"
import json, random, subprocess, sys

command, path = sys.argv[1:]
random.seed(7)
x = [[[15 * t + 5 * a + o + 0.5 for o in range(5)] for a in range(3)] for t in range(4)]


def take(value, parts):
    if not parts:
        return value
    first, rest = parts[0], parts[1:]
    if isinstance(first, int):
        return take(value[first], rest)
    return [take(item, rest) for item in value[first]]


def part(n):
    bound = lambda: random.choice([None, random.randint(-n - 2, n + 2)])
    if random.random() < 0.3:
        return random.randint(-n, n - 1)
    return slice(bound(), bound(), random.choice([None, 1, 2, 3]))


def text(p):
    if isinstance(p, int):
        return str(p)
    show = lambda v: "" if v is None else str(v)
    return f"{show(p.start)}:{show(p.stop)}" + ("" if p.step is None else f":{p.step}")


for _ in range(60):
    parts = [part(n) for n in (4, 3, 5)][:random.randint(1, 3)]
    selection = "x[" + ",".join(map(text, parts)) + "]"
    got = json.loads(subprocess.run([command, "slice", "--json", path, selection],
                                    check=True, capture_output=True).stdout)
    want = take(x, parts)
    flat = want
    while isinstance(flat, list) and flat:
        flat = flat[0]
    if 0 in got["shape"]:
        assert flat == [], selection
    else:
        assert got["data"] == want, (selection, got["data"], want)
print("equal")
PYTHON
    code=$? shown="60 random selections"
    expect_code 0
    expect_out equal
}

test_dimensions_may_be_named() {
    run slice --json "$set" 'x[lon=1:3, time=0]'
    expect_json "d['data'] == [[1.5, 2.5], [6.5, 7.5], [11.5, 12.5]]"
    run slice --json "$set" 'x[ lat = -1 ]'
    expect_json "d['shape'] == [4, 5]"
    run slice "$set" 'x[depth=1]'
    expect_failure 2 "no dimension 'depth'"
    run slice "$set" 'x[lat=1,lat=2]'
    expect_failure 2 "'lat' is selected twice"
    run slice "$set" 'x[lat=1,0]'
    expect_failure 2 "names of all dimensions"
    run slice "$set" 'x[=1]'
    expect_failure 2 "no index"
    run slice "$set" 'x[lat=9]'
    expect_failure 2 "index 9 is outside dimension 1 \(lat\)"
}

test_places_are_selected_by_coordinate() {
    run slice --json "$set" x --at lat=0 --at time=1000:2000
    expect_json "d['labels'] == [[1096, 1826], [0, 1, 2, 3, 4]] and d['data'][0][0] == 20.5"
    run slice --json "$set" 'x[lon=0]' --at lat=-80
    expect_json "d['data'] == [0.5, 15.5, 30.5, 45.5]"
    run slice --json "$set" x --at lat=0:
    expect_json "d['shape'] == [4, 2, 5]"
    run slice "$set" x --at lat=1:2
    expect_failure 2 "no coordinate lies there"
    run slice "$set" x --at lat=north
    expect_failure 2 "NAME=VALUE"
}

test_places_in_time_are_selected_by_date() {
    PYTHONPATH=$(dirname "$0") python3 - times <<'END' || fail "no times"
import sys
from make_zarr import array, main

root = sys.argv[1]
main(root)
middle = [15, 45, 74, 105, 135, 166, 196, 227, 258, 288, 319, 349]
days = [365 * y + d for y in (0, 1) for d in middle]
array(root, "flow", "int16", [24], [24], list(range(24)), ["when"])
array(root, "when", "int32", [24], [24], days, ["when"],
      {"units": "days since 2001-01-01", "calendar": "noleap"})
array(root, "tide", "int16", [2], [2], [1, 2], ["moon"])
array(root, "moon", "int32", [2], [2], [1, 2], ["moon"],
      {"units": "days since 2001-01-01", "calendar": "lunar"})
END
    run slice --json times flow --at when=2001-07
    expect_json "d['data'] == 6"
    run slice --json times flow --at when=2002-01-20
    expect_json "d['data'] == 12"
    run slice --json times flow --at when=2001-11:2002-02
    expect_json "d['data'] == [10, 11, 12, 13]"
    run slice --json times flow --at when=:2001-02-14T23:00
    expect_json "d['data'] == [0]"
    run slice --json times flow --at when=2001-02-15T00:00:2001-03-16T00:00
    expect_json "d['data'] == [1, 2]"
    run slice --json times flow --at when=2002-02:2001-12
    expect_failure 2 "no coordinate lies there"
    run slice --json times flow --at when=196
    expect_json "d['data'] == 6"
    run slice times flow --at when=2001
    expect_failure 2 "go from 2001-01-16 to 2002-12-16; write a year as"
    run slice times flow --at when=1998-07-16
    expect_failure 2 "no coordinate lies there; they go from 2001-01-16 to 2002-12-16$"
    run slice times flow --at when=2004-02-29
    expect_failure 2 "calendar 'noleap' has no day '2004-02-29'"
    run slice times flow --at when=July
    expect_failure 2 "'July' is no date, as in 1982-07-16"
    run slice times tide --at moon=2001-01-02
    expect_failure 3 "the calendar 'lunar' is not known; there are standard"
    run slice times x --at lat=1982-07-16
    expect_failure 2 "dates where the units are those of times"
    run slice times x --at lat=
    expect_failure 2 "NAME=VALUE"
    run slice times x --at depth=1
    expect_failure 2 "no such dimension, but \(time: 4, lat: 3, lon: 5\)"
}

test_wrong_paths_are_told_which_there_are() {
    run slice "$set" nothing
    expect_failure 1 "nothing: no array there; there are .*big, .*others$"
    run slice "$set" group
    expect_failure 1 "group: a group, and an array is wanted; there are group/y$"
    run slice "$set" /
    expect_failure 1 "the top: a group, and an array is wanted; there are "
    run info "$set" group/nothing
    expect_failure 1 "group/nothing: no array and no group there; there are group/y$"
    run stats "$set" 'x[0]'
    expect_failure 1 "takes no brackets; there are "
    run get "$set" nothing
    expect_failure 1 "no key 'nothing'; 'varvite ls' lists them"
    run import bafyr4ieav2zuk4pbltsa77j5lvn5bdvtoui22gya53d73c75ykb4pvvyim
    expect_failure 2 "is a root, and a file or a directory is wanted; 'varvite copy'"
    run compare bafyr4ieav2zuk4pbltsa77j5lvn5bdvtoui22gya53d73c75ykb4pvvyim "$set"
    expect_failure 2 "is a root, and a file or a directory is wanted; 'varvite diff'"
}

test_a_terminal_is_told_the_selection_and_a_pipe_is_not() {
    python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)' \
        "$VARVITE" slice "$set" 'x[1,1,:2]' </dev/null >"$out" 2>"$err"
    code=$? shown="slice on a terminal"
    expect_code 0
    expect_out_has '^at time = 1096, lat = 0.25'
    run slice "$set" 'x[1,1,:2]'
    expect_out_lacks '^at '
}

test_other_types_are_printed_as_text() {
    run slice "$set" words
    expect_out_has '^ +0 +ab$'
    expect_out_has '^ +1 +c\?$'
    run slice --json "$set" words
    expect_json "d['data'] == ['ab', 'c\\n']"
    run slice --csv "$set" names
    expect_out "$(printf 'a\\x1bb,names\n1970-01-01,1\n1971-02-05,2')"
    run slice --npy -o words.npy "$set" words
    expect_true grep -q "'descr': '<U2'" words.npy
    run info "$set" words
    expect_out_has 'chunks  2 \(1 chunk of 16 B\)'
}

test_texts_of_any_length_are_printed() {
    mkdir -p texts/w/c
    python3 - texts/w <<'END'
import json, struct, sys

d = sys.argv[1]
json.dump({"zarr_format": 3, "node_type": "array", "shape": [3], "data_type": "string",
           "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
           "chunk_key_encoding": {"name": "default"}, "fill_value": "none",
           "codecs": [{"name": "vlen-utf8"}]}, open(d + "/zarr.json", "w"))
words = ["a, b", "c" * 500]
open(d + "/c/0", "wb").write(struct.pack("<I", 2) + b"".join(
    struct.pack("<I", len(w)) + w.encode() for w in words))
END
    echo '{"zarr_format": 3, "node_type": "group"}' >texts/zarr.json
    run slice --json texts w
    expect_json "d['data'] == ['a, b', 'c' * 500, 'none']"
    run slice --csv texts 'w[::2]'
    expect_out "$(printf 'dim 0,w\n0,"a, b"\n2,none')"
    run slice texts 'w[1:]'
    expect_out_has '^ +2 +none$'
}

test_names_may_end_in_brackets() {
    run slice --csv "$set" 'cup[x]'
    expect_out_has '^1,4$'
    run slice --csv "$set" '/cup[x]'
    expect_out_has '^1,4$'
    run slice --csv "$set" 'cup[x][1]'
    expect_out_has '^4$'
    run slice "$set" 'cup[y]'
    expect_failure 1 "cup: no array there"
}

test_a_stopped_slice_leaves_no_file() {
    expect_true python3 - "$VARVITE" "$set" <<'END'
import glob, signal, subprocess, sys, time
slice = subprocess.Popen([sys.argv[1], "slice", "--csv", "-o", "vast.csv", sys.argv[2], "vast"], stderr=subprocess.DEVNULL)
while not glob.glob("vast.csv.*"):
    assert slice.poll() is None
    time.sleep(0.01)
time.sleep(0.05)
slice.send_signal(signal.SIGINT)
assert slice.wait() == 130 and not glob.glob("vast.csv*")
END
    run slice -o '' "$set" names
    expect_failure 2 "name of the output is empty"
}

test_bad_selections_are_named() {
    run slice "$set" 'x[4]'
    expect_failure 2 "index 4 is outside dimension 0 \(time\) of length 4"
    run slice "$set" 'x[0,-4]'
    expect_failure 2 "index -4 is outside dimension 1"
    run slice "$set" 'x[0,0,0,0]'
    expect_failure 2 "4 indices for an array of 3 dimensions"
    run slice "$set" 'x[a]'
    expect_failure 2 "'a' is no index"
    run slice "$set" 'x[1:2:3:4]'
    expect_failure 2 "no index and no start:stop:step"
    run slice "$set" 'x[]'
    expect_failure 2 "nothing between the brackets"
    run slice "$set" 'x[,]'
    expect_failure 2 "no index"
    run slice "$set" 'x[::0]'
    expect_failure 2 "step 0"
    run slice "$set" 'x[...,...]'
    expect_failure 2 "may stand once"
    run slice "$set" 'x[99999999999999999999]'
    expect_failure 2 "no index"
    run slice "$set" 'x[0'
    expect_failure 2 "x\[0: the bracket is not closed"
    run slice "$set" 'x[0,:2]y'
    expect_failure 2 "'y' behind the brackets"
    run slice "$set" 'nothing[0]'
    expect_failure 1 "nothing"
    run slice "$set" group
    expect_code 1
    run slice --csv --npy "$set" x
    expect_failure 2 "exclude each other"
}

test_metadata_that_is_broken_or_foreign_is_named() {
    cp -r "$set" broken
    echo '{"zarr_format": 3, "node_type": "array"' >broken/x/zarr.json
    run slice broken 'x[0]'
    expect_failure 3 "x"
    run info broken x
    expect_code 3
    sed 's/"bytes"/"delta"/' "$set/x/zarr.json" >broken/x/zarr.json
    run slice broken x
    expect_failure 3 "delta"
    run tree broken
    expect_code 0
    expect_out_has '── x - .*delta'
    run info broken
    expect_code 0
    expect_out_has 'cannot be read: .*delta'
    sed 's/"float32"/"float31"/' "$set/x/zarr.json" >broken/x/zarr.json
    run slice broken x
    expect_failure 3 "float31"
}

test_a_chunk_that_is_short_is_corrupt_and_named() {
    cp -r "$set" broken
    head -c 10 "$set/x/c/0/0/0" >broken/x/c/0/0/0
    run slice broken 'x[0,0,0]'
    expect_failure 3 "x/c/0/0/0"
    run slice broken 'x[3]'
    expect_code 0
}

run_tests
