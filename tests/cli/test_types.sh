# Arrays of types other than numbers, and of Zarr version 2: how they are shown.
. "$(dirname "$0")/lib.sh"
need python3

set=$base/set
python3 - "$set" <<'END' || exit 1
import json, os, struct, sys

root = sys.argv[1]


def write(key, data):
    path = os.path.join(root, key)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else json.dumps(data).encode())


def array(name, data_type, n, fill, data, dims=None):
    write(f"{name}/zarr.json", {
        "zarr_format": 3, "node_type": "array", "shape": [n], "data_type": data_type,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [n]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill, "attributes": {}, "dimension_names": dims or [None],
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]})
    write(f"{name}/c/0", data)


def sized(name, length):
    return {"name": name, "configuration": {"length_bytes": length}}


write("zarr.json", {"zarr_format": 3, "node_type": "group"})
array("time", {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}},
      3, "NaT", struct.pack("<3q", 0, 1582977600, -2**63), ["time"])
array("y", "int16", 3, 0, struct.pack("<3h", 1, 2, 3), ["time"])
array("span", {"name": "numpy.timedelta64", "configuration": {"unit": "ms", "scale_factor": 10}},
      2, 0, struct.pack("<2q", -150, 3))
array("name", sized("fixed_length_utf32", 12), 3, "",
      "".join(t.ljust(3, "\0") for t in ["a\n,", "\u00e9", ""]).encode("utf-32-le"))
array("code", sized("null_terminated_bytes", 3), 2, "YQ==", b"ab\0\xff\"c")
array("bits", sized("raw_bytes", 2), 2, "AAE=", bytes([0, 255, 16, 1]))
array("brain", "bfloat16", 2, 0.0, struct.pack("<2H", 0x3DCD, 0x7FC0))
words = [b"a", "h\u00e9\n".encode(), b""]
array("words", "string", 3, "",
      struct.pack("<I", 3) + b"".join(struct.pack("<I", len(w)) + w for w in words))
meta = json.load(open(os.path.join(root, "words/zarr.json")))
meta["codecs"] = [{"name": "vlen-utf8"}]
write("words/zarr.json", meta)
write("old/.zarray", {"zarr_format": 2, "shape": [2, 2], "chunks": [2, 2], "dtype": ">i2",
                      "compressor": None, "filters": None, "fill_value": None, "order": "F"})
write("old/.zattrs", {"_ARRAY_DIMENSIONS": ["a", "b"], "units": "m"})
write("old/0.0", struct.pack(">4h", 1, 3, 2, 4))
END

test_info_tells_of_shards_grids_and_versions() {
    python3 - grids <<'END' || fail "no arrays"
import json, os, sys

root = sys.argv[1]
BYTES = {"name": "bytes", "configuration": {"endian": "little"}}


def array(name, shape, grid, codecs):
    os.makedirs(f"{root}/{name}")
    with open(f"{root}/{name}/zarr.json", "w") as f:
        json.dump({"zarr_format": 3, "node_type": "array", "shape": shape, "data_type": "int16",
                   "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": grid}}
                   if isinstance(grid, list) else grid,
                   "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                   "fill_value": 0, "codecs": codecs, "attributes": {}}, f)


def shards(shape, codecs, place):
    return {"name": "sharding_indexed", "configuration": {
        "chunk_shape": shape, "codecs": codecs, "index_codecs": [BYTES, {"name": "crc32c"}],
        "index_location": place}}


os.makedirs(root)
with open(f"{root}/zarr.json", "w") as f:
    json.dump({"zarr_format": 3, "node_type": "group"}, f)
array("plain", [64, 64], [32, 32], [shards([16, 16], [BYTES, "crc32c"], "end")])
array("nested", [64, 64], [32, 32],
      [{"name": "transpose", "configuration": {"order": [1, 0]}},
       shards([16, 16], [shards([4, 4], [BYTES], "end")], "start")])
array("ragged", [6, 20], {"name": "rectilinear", "configuration": {
    "kind": "inline", "chunk_shapes": [[1, 2, 3], [1, 2, 1, 2, 1, 2, 1, 2, 1, 7]]}}, [BYTES])
END
    run info grids plain
    expect_code 0
    expect_out "plain (64, 64) int16
    shape   64 x 64
    shards  32 x 32 (4 shards of 2.0 KiB)
    index   at the end of each shard: bytes (endian little), crc32c
    chunks  16 x 16 (4 in each shard, of 512 B)
    codecs  bytes (endian little), crc32c
    fill    0"
    run info grids nested
    expect_out "nested (64, 64) int16
    shape   64 x 64
    shards  32 x 32 (4 shards of 2.0 KiB)
    codecs  transpose (order [1, 0]), sharding_indexed
    index   at the start of each shard: bytes (endian little), crc32c
    shards  16 x 16 (4 in each shard, of 512 B)
    index   at the end of each shard: bytes (endian little), crc32c
    chunks  4 x 4 (16 in each shard, of 32 B)
    codecs  bytes (endian little)
    fill    0"
    run info grids ragged
    expect_out_has '^    chunks  \(1, 2, 3\) x \(1, 2, 1, 2, 1, 2, 1, 2, …\) \(30 chunks of at most 42 B\)$'
    run info --json grids plain
    expect_json "d[0]['inner_chunks'] == [16, 16] and d[0]['zarr_format'] == 3"
    run tree grids
    expect_out_has 'nested \(64, 64\) int16$'
    run ls -l grids
    expect_out_has ' -  nested/$'
    run info "$set" words
    expect_out_has '^    chunks  3 \(1 chunk of 3 elements\)$'
    expect_out_has '^    fill    ""$'
    run info "$set" old
    expect_out_has '^    format  Zarr version 2$'
}

test_statistics_of_what_is_no_number() {
    run stats "$set" words
    expect_code 0
    expect_out_has '^    length   0 to 3 characters$'
    expect_out_has '^    distinct 3$'
    expect_out_has '^    empty    1$'
    expect_out_has '^    count    3$'
    expect_out_has '^    stored   21 B of 5 B '
    run stats "$set" name code bits
    expect_code 0
    expect_out_has '^    length   0 to 3 characters$' # name
    expect_out_has '^    length   2 to 3 bytes$'      # code
    expect_out_has '^    length   2 bytes$'           # bits
    run stats "$set" time
    expect_code 0
    expect_out_has '^    min      1970-01-01T00:00:00$'
    expect_out_has '^    max      2020-02-29T12:00:00$'
    expect_out_has '^    missing  1 of 3 '
    expect_out_lacks 'mean'
    run stats --json "$set" words time
    expect_json "d[0]['shortest'] == 0 and d[0]['longest'] == 3 and d[0]['distinct'] == 3 and
        d[0]['empty'] == 1 and 'mean' not in d[0] and d[0]['decoded_bytes'] == 5"
    expect_json "d[1]['min'] == '1970-01-01T00:00:00' and d[1]['mean'] is None"
}

test_times_are_shown_as_dates() {
    run slice "$set" time
    expect_code 0
    expect_out_has 'numpy.datetime64\[1 s\]'
    expect_out_has '1970-01-01T00:00:00$'
    expect_out_has '2020-02-29T12:00:00$'
    expect_out_has 'NaT$'
    run slice --json "$set" span
    expect_code 0
    expect_out_has '"-PT1.5S"'
    expect_out_has '"PT0.03S"'
    run slice --csv "$set" y
    expect_out_has '^2020-02-29T12:00:00,2$'
    run info "$set" time
    expect_out_has 'fill    NaT'
}

test_text_stays_on_its_line() {
    run slice "$set" name
    expect_code 0
    expect_out_has 'a[?],$'
    expect_out_has 'é$'
    run slice --csv "$set" name
    expect_equal "$(python3 -c 'import csv,sys; print([r[1] for r in csv.reader(open(sys.argv[1]))])' "$out")" \
        "['name', 'a\\n,', 'é', '']"
    run slice --json "$set" name
    expect_equal "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["data"])' "$out")" \
        "['a\\n,', 'é', '']"
}

test_text_of_any_length_is_shown() {
    run slice --json "$set" 'words[1:]'
    expect_equal "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["data"])' "$out")" \
        "['hé\\n', '']"
    run slice "$set" words
    expect_code 0
    expect_out_has 'hé[?]$'
    run slice --npy -o words.npy "$set" words
    expect_failure 3 "NumPy.s format"
}

test_bytes_and_bits_are_spelt() {
    run slice --json "$set" code
    expect_equal "$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["data"])' "$out")" \
        "['ab', '\\\\xff\"c']"
    run slice --json "$set" bits
    expect_out_has '"00ff"'
    run slice --json "$set" brain
    expect_out_has '0.1'
    expect_out_has '"NaN"'
}

# Type and order of the elements, as NumPy's format states them.
read_npy='
import ast, struct, sys
data = open(sys.argv[1], "rb").read()
n = struct.unpack_from("<H", data, 8)[0]
print(ast.literal_eval(data[10:10 + n].decode())["descr"], data[10 + n:].hex())'

test_npy_has_the_type_of_numpy() {
    local name expected
    while read -r name expected; do
        run slice --npy -o "$name.npy" "$set" "${name}[:1]"
        expect_code 0
        expect_equal "$(python3 -c "$read_npy" "$name.npy")" "$expected"
    done <<'END'
time <M8[s] 0000000000000000
span <m8[10ms] 6affffffffffffff
name <U3 610000000a0000002c000000
code |S3 616200
bits |V2 00ff
brain |V2 cd3d
END
}

test_version_2_is_shown_like_version_3() {
    run slice --json "$set" old
    expect_equal "$(python3 -c 'import json,sys; d = json.load(open(sys.argv[1])); print(d["data"], d["dimensions"])' "$out")" \
        "[[1, 2], [3, 4]] ['a', 'b']"
    run ls "$set"
    expect_out_has 'old'
    run info "$set" old
    expect_code 0
    expect_out_has 'units = "m"'
}

run_tests
