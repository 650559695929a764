# plot: pictures, and previews as text.
. "$(dirname "$0")/lib.sh"
need python3

set=$base/set
PYTHONPATH=$(dirname "$0") python3 - "$set" <<'END' || exit 1
import sys
from make_zarr import array, main

root = sys.argv[1]
main(root)
nan = float("nan")
array(root, "map", "int16", [3, 4], [2, 2], [i if i != 5 else -1 for i in range(12)],
      ["lat", "east"], {"long_name": "A map \u00b0", "units": "degC", "scale_factor": 0.5,
                        "_FillValue": -1})
array(root, "east", "float64", [4], [4], [45, 135, 225, 315], ["east"],
      {"units": "degrees_east"})
array(root, "line", "float32", [6], [6], [0, 1, 2, 3, 2, 1], ["t"], {"units": "K"})
array(root, "t", "int32", [6], [6], [0, 31, 59, 90, 120, 151], ["t"],
      {"units": "days since 2001-01-01", "calendar": "noleap"})
array(root, "gone", "float32", [4], [4], [nan] * 4)
array(root, "none", "float32", [0, 4], [1, 4], [])
array(root, "long", "int16", [20000], [7000], [i % 2 * 100 if i == 7777 else 1 for i in range(20000)])
END

PYTHONPATH=$(dirname "$0") python3 - "$base/stations" <<'END' || exit 1
import json, struct, sys
from make_zarr import array, main, write

root = sys.argv[1]
main(root)
array(root, "flow", "float32", [6, 20], [6, 20], [s + t for t in range(6) for s in range(20)],
      ["t", "station"], {"units": "m3 s-1", "coordinates": "lat station_name"})
array(root, "nameless", "float32", [6, 3], [6, 3], list(range(18)), ["t", "basin"])
array(root, "t", "int32", [6], [6], [0, 31, 59, 90, 120, 151], ["t"],
      {"units": "days since 2001-01-01", "calendar": "noleap"})
array(root, "tas", "int16", [2, 3, 4], [2, 3, 4], list(range(24)), ["t2", "rlat", "rlon"],
      {"coordinates": "geolat geolon"})
array(root, "rlat", "float64", [3], [3], [-10, 0, 10], ["rlat"],
      {"units": "degrees", "standard_name": "grid_latitude"})
array(root, "rlon", "float64", [4], [4], [-30, -10, 10, 30], ["rlon"],
      {"units": "degrees", "standard_name": "grid_longitude"})
array(root, "geolat", "float64", [3, 4], [3, 4], [40 + i / 4 for i in range(12)], ["rlat", "rlon"],
      {"units": "degrees_north"})
array(root, "geolon", "float64", [3, 4], [3, 4], [-5 + i for i in range(12)], ["rlat", "rlon"],
      {"units": "degrees_east"})
array(root, "station_name", "int16", [20], [20], [0] * 20, ["station"])
write(f"{root}/station_name/c/0", b"".join(f"Site {chr(65 + i)}".encode("utf-32-le") for i in range(20)))
with open(f"{root}/station_name/zarr.json") as f:
    meta = json.load(f)
meta["data_type"] = {"name": "fixed_length_utf32", "configuration": {"length_bytes": 24}}
meta["fill_value"] = ""
write(f"{root}/station_name/zarr.json", meta)
END

is_png() { # FILE WIDTH HEIGHT
    python3 - "$@" <<'END'
import struct, sys
b = open(sys.argv[1], "rb").read()
w, h = struct.unpack(">II", b[16:24])
sys.exit(not (b[:8] == b"\x89PNG\r\n\x1a\n" and b[-8:-4] == b"IEND" and
              sys.argv[2:] in ([], [str(w), str(h)])))
END
}

test_a_map_is_drawn_as_png_svg_and_pdf() {
    run plot -o map.png "$set" map
    expect_code 0
    expect_no_out
    expect_no_err
    expect_true is_png map.png
    run plot --size 400x300 -o small.png "$set" map
    expect_true is_png small.png 400 300
    run plot -o map.svg "$set" map
    expect_true python3 -c 'import xml.dom.minidom as x; x.parse("map.svg")'
    expect_true grep -q '>A map °</text>' map.svg
    expect_true grep -q '>map (°C)</text>' map.svg
    expect_true grep -q '>Longitude</text>' map.svg
    expect_true grep -q '>missing</text>' map.svg
    expect_true grep -q '>5</text>' map.svg
    run plot -o map.pdf "$set" map
    expect_equal "$(head -c 5 map.pdf)" "%PDF-"
    run plot -o - "$set" map
    expect_true is_png "$out"
    ls >listed
    expect_true test -z "$(grep partial listed)"
}

test_texts_of_a_line() {
    run plot --title "a <b>" -o line.svg "$set" line
    expect_code 0
    expect_true python3 -c 'import xml.dom.minidom as x; x.parse("line.svg")'
    expect_true grep -q '>a &lt;b&gt;</text>' line.svg
    expect_true grep -q '>Feb</text>' line.svg
    expect_true grep -q '>2001</text>' line.svg
    expect_true grep -q '>line (K)</text>' line.svg
    run plot -o lines.svg --kind line "$set" 'x[0,:,:]'
    expect_code 0
    expect_true grep -q '>lon 4</text>' lines.svg
    run plot -o histogram.svg --kind histogram "$set" x
    expect_true grep -q '>60 values, 0 missing</text>' histogram.svg
}

test_several_lines_have_a_legend() {
    run plot -o flow.svg --kind line "$base/stations" 'flow[:,:5]'
    expect_code 0
    expect_true grep -q '>Site A</text>' flow.svg
    expect_true grep -q '>Site E</text>' flow.svg
    expect_true grep -q '>flow (m³ s⁻¹)</text>' flow.svg
    expect_true grep -q '>Mar</text>' flow.svg # lines run along time
    run plot -o many.svg "$base/stations" flow # names, so no map
    expect_code 0
    expect_true grep -q '>7 of 20 lines</text>' many.svg
    expect_true grep -q '>Site D</text>' many.svg
    expect_equal "$(grep -c '>Site' many.svg)" 7
    run plot -o one.svg "$base/stations" 'flow[:,3]'
    expect_true grep -q '>Site D</text>' one.svg
    run plot -o nameless.svg --kind line "$base/stations" nameless
    expect_true grep -q '>basin 2</text>' nameless.svg
    expect_true grep -q '>Mar</text>' nameless.svg
    # The values are those of the lines: 0 to 5, and 19 to 24.
    run plot --kind line --size 60x12 "$base/stations" 'flow[:,::19]'
    expect_out_has '^ 0 \+\*'
    expect_out_has '^20 \+\*+ +$'
}

test_rotated_poles_have_degrees_of_their_own() {
    run plot -o tas.svg "$base/stations" 'tas[0]'
    expect_code 0
    expect_true grep -q '>Rotated latitude</text>' tas.svg
    expect_true grep -q '>Rotated longitude</text>' tas.svg
    expect_true grep -q '>−30°</text>' tas.svg
    expect_true grep -q '>10°</text>' tas.svg
    run plot -o place.svg "$base/stations" 'tas[:,1,3]'
    expect_code 0
    expect_true grep -q '41.75°N, 2°E</text>' place.svg
}

test_a_preview_in_plain_letters() {
    run plot --size 40x12 "$set" line
    expect_code 0
    expect_out_has '^line$'
    expect_out_has '^line \(K\)$'
    expect_out_has '^2 \+ +\*'
    expect_out_has '^ +Jan +Apr'
    expect_out_has '^ +2001$'
    expect_out_lacks "$(printf '\033')"
    run plot --size 40x14 --color always "$set" map
    expect_out_has "$(printf '\033')\\[38;5;"
    NO_COLOR=1 run plot --size 40x14 "$set" map
    expect_out_has '^0 .*5\.5 C  blank: missing$'
    COLORTERM=truecolor run plot --size 40x14 --color always "$set" map
    expect_out_has "$(printf '\033')\\[38;2;"
    run plot --preview --size 200x150 -o map.png "$set" map
    expect_true test -s map.png
    expect_true test -s "$out"
}

test_places_are_chosen_by_coordinate() {
    run plot -o section.svg "$set" x --at time=1100 --at lat=-100:1
    expect_code 0
    expect_true grep -q '>time = 1096</text>' section.svg
    run plot "$set" x --at time=1100 --at depth=1
    expect_failure 2 "no such dimension"
    run plot "$set" x --at time
    expect_failure 2 "NAME=VALUE"
    run plot "$set" x --at lon=1
    expect_failure 1 "no coordinates"
    run plot "$set" 'x[0]' --at time=366
    expect_failure 2 "selected already"
    run plot "$set" x --at lat=1:2
    expect_failure 2 "no coordinate lies there"
}

test_a_long_line_keeps_its_peak() {
    run plot --size 80x12 "$set" long
    expect_code 0
    expect_out_has '^100 \+ .*\*'
}

test_what_cannot_be_drawn_is_said() {
    run plot "$set" x
    expect_failure 2 "3 dimensions are left of \(time: 4, lat: 3, lon: 5\).*'x\[0,:,:\]'"
    run plot "$set" 'x[0,0,0]'
    expect_failure 2 "one value"
    run plot "$set" none
    expect_failure 2 "empty"
    run plot "$set" gone
    expect_failure 2 "gone: nothing to draw: all values are missing"
    run plot "$set" z
    expect_failure 3 "complex"
    run plot "$set" nowhere
    expect_failure 1 "nowhere"
    run plot -o map.gif "$set" map
    expect_failure 2 "png, .svg or .pdf"
    run plot --kind map "$set" line
    expect_failure 2 "two dimensions"
    run plot --range 5:1 "$set" line
    expect_failure 2 "LOW:HIGH"
    run plot --range 1:1 -o line.png "$set" line
    expect_failure 2 "LOW:HIGH"
    run plot --size big "$set" line
    expect_failure 2 "WIDTHxHEIGHT"
    run plot --size 9000x9000 -o line.png "$set" line
    expect_failure 2 "9000 x 9000"
    run plot --cmap jet "$set" map
    expect_failure 2 "jet"
    run plot -o no/such/place.png "$set" map
    expect_failure 4 "no/such/place.png"
    run plot --kind line "$set" 'big'
    expect_code 0
}

run_tests
