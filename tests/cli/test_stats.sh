# stats: what the values of arrays are.
. "$(dirname "$0")/lib.sh"
need python3

set=$base/set
PYTHONPATH=$(dirname "$0") python3 - "$set" <<'END' || exit 1
import json, os, struct, sys
from make_zarr import array, main

root = sys.argv[1]
main(root)
array(root, "packed", "int16", [6], [2], [10, -999, 30, 20, -999, 40], ["time"],
      {"units": "\u00b0C\nx", "scale_factor": 0.5, "add_offset": 100, "_FillValue": -999})
array(root, "nothing", "int16", [0], [2], [])
os.remove(f"{root}/packed/c/1")
text = json.load(open(f"{root}/x/zarr.json"))
text["data_type"] = "string"
text["codecs"] = [{"name": "vlen-utf8"}]
text["fill_value"] = ""
os.makedirs(f"{root}/words")
json.dump(text, open(f"{root}/words/zarr.json", "w"))
text["data_type"] = {"name": "struct", "configuration": {"fields": []}}
os.makedirs(f"{root}/records")
json.dump(text, open(f"{root}/records/zarr.json", "w"))
END

test_stats_of_one_array() {
    run stats "$set" x
    expect_code 0
    expect_no_err
    expect_out "x (time: 4, lat: 3, lon: 5) float32, degC
    min      0.5
    max      59.5
    mean     30
    stddev   17.318102
    count    60
    missing  0
    stored   384 B of 240 B (ratio 0.62)
    chunks   8 chunks stored, of 48 B each
            32 B+        8  ████████████████████████████████████████"
    LC_ALL=C run stats "$set" x
    expect_out_has '32 B\+ +8  ########################################$'
}

test_stats_as_json() {
    run stats --json --histogram "$set" x big odd flags z holes scalar nothing
    expect_code 0
    expect_json "[v['path'] for v in d] == 'x big odd flags z holes scalar nothing'.split()"
    expect_json "d[0]['min'] == 0.5 and d[0]['mean'] == 30 and sum(d[0]['bin_counts']) == 60 and
        d[0]['chunk_sizes'] == [[32, 8]]"
    expect_json "d[1]['max'] == 2**64 - 1 and d[1]['min'] == 2**53 + 1"
    expect_json "d[2]['nan'] == 1 and d[2]['infinite'] == 2 and d[2]['count'] == 4 and
        d[2]['mean'] == 0.05"
    expect_json "d[3]['mean'] == 2 / 3 and d[3]['min'] is False and d[3]['max'] is True"
    expect_json "d[4]['min'] is None and d[4]['mean'] == 1 and d[4]['mean_imaginary'] == -2"
    expect_json "d[5]['chunks_stored'] == 0 and d[5]['ratio'] is None and d[5]['mean'] == -7"
    expect_json "d[6]['mean'] == 42 and d[6]['shape'] == []"
    expect_json "d[7]['count'] == 0 and d[7]['mean'] is None"
}

test_packing_and_missing_values_are_obeyed_and_said() {
    run stats "$set" packed
    expect_out_has '^packed \(time: 6\) int16, °C\\x0ax$'
    expect_out_has '^    min      100$'
    expect_out_has '^    mean     106\.25$'
    expect_out_has '^    missing  2 of 6 \(33\.3%\)$'
    expect_out_has '^    packed   times 0\.5, plus 100$'
    expect_out_has '^    chunks   2 chunks stored, 1 absent, of 4 B each$'
}

test_a_group_means_all_arrays_below() {
    run stats "$set" group
    expect_code 0
    expect_out_has '^group/y \(time: 4\) int16$'
    expect_out_lacks '^x '
    run stats "$set"
    expect_code 0
    expect_out_has '^x '
    expect_out_has '^group/y '
    expect_out_has '^    no statistics: .*'
}

test_what_cannot_be_read_is_named() {
    run stats "$set" records
    expect_failure 3 "records"
    run stats "$set" nowhere
    expect_failure 1 "nowhere"
    run stats --json "$set" records
    expect_code 3
    cp -r "$set" damaged
    printf 'short' >damaged/x/c/0/0/1
    run stats damaged x
    expect_failure 3 "x/c/0/0/1"
}

run_tests
