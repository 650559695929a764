# import, export, compare: files in and out.
. "$(dirname "$0")/lib.sh"
need python3

here=$(cd "$(dirname "$0")" && pwd)
python3 "$here/make_netcdf.py" "$base/small.nc" 6 || exit 1
small=$base/small.nc

test_import_prints_the_root_alone_and_says_the_chunks() {
    run init
    run import "$small"
    expect_code 0
    expect_true grep -Eqx 'bafyr4i[a-z2-7]{52}' "$out"
    expect_equal "$(wc -l <"$out")" 1
    expect_err_has '^v \(t: 6, y: 100, x: 200\) float32: chunks of .*, [0-9.]+ [KM]iB$'
    expect_err_has '^3 arrays in '
    expect_err_lacks "$(printf '\r')"
    cp "$out" root
    run -q import "$small"
    expect_no_err
    expect_same_file "$out" root
    run import --json "$small"
    expect_json "d['root'] == '$(cat root)' and d['arrays'] == 3 and d['new_blocks'] == 0"
}

test_a_directory_of_version_2_comes_in() {
    mkdir -p old/x
    echo '{"zarr_format": 2}' >old/.zgroup
    echo '{"title": "of old"}' >old/.zattrs
    echo '{"zarr_format": 2, "shape": [4], "chunks": [2], "dtype": "<i2", "order": "C", "filters": null,
        "compressor": null, "fill_value": -1}' >old/x/.zarray
    echo '{"_ARRAY_DIMENSIONS": ["t"], "units": "m"}' >old/x/.zattrs
    printf '\5\0\7\0' >old/x/1
    run tree old
    expect_out_has 'x \(t: 4\) int16'
    run init
    run import old
    expect_code 0
    root=$(cat "$out")
    run slice --json "$root" x
    expect_json "d['data'] == [-1, -1, 5, 7]"
    run compare old "$root"
    expect_code 0
    run diff --values old "$root"
    expect_code 0
    run get "$root" zarr.json
    expect_json "d['zarr_format'] == 3 and d['attributes'] == {'title': 'of old'}"
    run copy "$root" --to new.zarr
    run copy old --to new2.zarr
    run diff new.zarr new2.zarr
    expect_out same
}

test_what_was_imported_can_be_looked_at() {
    run init
    "$VARVITE" -q import "$small" >root
    run tree "$(cat root)"
    expect_out_has 'v \(t: 6, y: 100, x: 200\) float32'
    run info "$(cat root)" v
    expect_out_has 'v:units = "K"'
    run slice --csv "$(cat root)" 'v[1,:2,0]'
    expect_equal "$(sed -n 1p "$out")" "y,v"
    run info "$(cat root)"
    expect_out_has ':title = "made for a test"'
    expect_out_lacks _nc_layout
    run verify "$(cat root)"
    expect_code 0
}

test_export_and_compare_close_the_circle() {
    run init
    "$VARVITE" -q import --chunk t=2,y=30,x=70 "$small" >root
    run compare "$small" "$(cat root)"
    expect_code 0
    expect_out_has '^equal: [0-9]+ values compared$'
    run export "$(cat root)" out.nc
    expect_code 0
    expect_no_out
    run compare out.nc "$(cat root)"
    expect_code 0
    run export "$(cat root)" out.zarr
    expect_code 0
    run compare out.zarr "$(cat root)"
    expect_code 0
    run tree out.zarr
    expect_out_has 'v \(t: 6'
    run export "$(cat root)" out.nc
    expect_failure 2 "give --force"
    run export --force --deflate 3 --json "$(cat root)" out.nc
    expect_json "d['arrays'] == 3 and d['target'] == 'out.nc'"
    run export --format zarr "$(cat root)" other.nc
    expect_true test -f other.nc/zarr.json
    # What comes back in has the same root.
    run -q import --chunk t=2,y=30,x=70 out.zarr
    expect_code 0
    run compare "$small" "$(cat "$out")"
    expect_code 0
    ls -A >listed
    expect_true test -z "$(grep -E 'partial|tmp' listed)"
}

test_compare_tells_each_difference() {
    run init
    cp "$small" other.nc
    printf '\377' | dd of=other.nc bs=1 seek=$(($(stat -c %s "$small") - 4)) conv=notrunc status=none
    "$VARVITE" -q import "$small" >root
    run compare other.nc "$(cat root)"
    expect_code 1
    expect_out_has '^v: '
    expect_err_has '1 difference'
    run compare --json other.nc "$(cat root)"
    expect_code 1
    expect_json "not d['equal'] and d['differences'][0]['path'] == 'v'"
}

test_variables_groups_and_trees_are_chosen() {
    run init
    "$VARVITE" -q import --var v "$small" >root
    run ls "$(cat root)"
    expect_out_has '^v/$'
    "$VARVITE" -q import --into forcing/winds "$small" >into
    run tree "$(cat into)"
    expect_out_has 'forcing/$'
    "$VARVITE" -q import --root "$(cat root)" --into more "$small" >both
    run ls "$(cat both)"
    expect_out_has '^more/$'
    expect_out_has '^v/$'
    run compare --path more "$small" "$(cat both)"
    expect_code 0
    run import --root "$(cat root)" "$small"
    expect_failure 2 "array '/t' is there already"
    run import --root "$(cat root)" --force "$small"
    expect_code 0
    expect_out_has "^$(cat root)$"
    run import --var nothing "$small"
    expect_failure 2 "nothing"
    run import --root x --resume y "$small"
    expect_failure 2 "exclude each other"
}

test_options_that_cannot_be_are_named() {
    run init
    run import --chunk t=zero "$small"
    expect_failure 2 "t=zero"
    run import --chunk nodim=4 "$small"
    expect_failure 2 "nodim"
    run import --codec zstd:many "$small"
    expect_code 2
    run import --codec brotli "$small"
    expect_true test "$code" -eq 2 -o "$code" -eq 3
    expect_err_has "brotli"
    run import --memory lots "$small"
    expect_failure 2 "--memory lots"
    expect_no_out
}

test_bad_sources_are_named() {
    run init
    run import missing.nc
    expect_failure 1 "missing.nc"
    echo 'this is a text' >text.nc
    run import text.nc
    expect_true test "$code" -eq 2 -o "$code" -eq 3
    expect_err_has "text.nc"
    : >empty.nc
    run import empty.nc
    expect_true test "$code" -eq 2 -o "$code" -eq 3
    expect_err_has "empty.nc"
    head -c 40 "$small" >short.nc
    run import short.nc
    expect_code 3
    expect_err_has "short.nc"
    head -c 100000 "$small" >cut.nc
    run import cut.nc
    expect_code 3
    expect_err_has "cut.nc"
    expect_no_out
    mkdir nozarr
    run import nozarr
    expect_true test "$code" -ne 0
    expect_err_has "nozarr"
    run verify --json "$("$VARVITE" -q import "$small")"
    expect_json "d['ok']"
}

test_a_file_size_limit_is_an_io_error_and_loses_nothing() {
    run init
    "$VARVITE" -q import --var t "$small" >root
    (
        ulimit -f 200
        exec "$VARVITE" -q import --codec none "$small"
    ) >"$out" 2>"$err"
    code=$? shown="import with ulimit -f"
    expect_code 4
    expect_err_has '^varvite import: '
    run verify "$(cat root)"
    expect_code 0
    run fsck
    expect_true test "$code" -eq 0 -o "$code" -eq 3
    run -q import --codec none "$small"
    expect_code 0
    run verify "$(cat "$out")"
    expect_code 0
}

test_a_full_disk_is_an_io_error_and_loses_nothing() {
    mkdir disk
    cat >script <<'END'
mount -t tmpfs -o size=2m tmpfs disk || exit 77
cd disk
"$VARVITE" -q init >/dev/null
"$VARVITE" -q import --var t "$1" >../root || exit 1
"$VARVITE" import --codec none "$2" >../full.out 2>../full.err
echo $? >../full.code
"$VARVITE" verify "$(cat ../root)" >../verified || exit 2
"$VARVITE" slice --csv "$(cat ../root)" t >../t.csv || exit 3
END
    python3 "$here/make_netcdf.py" big.nc 40 200 250
    VARVITE=$VARVITE unshare -m bash script "$small" "$PWD/big.nc" 2>"$err"
    code=$? shown="import on a full tmpfs"
    [ "$code" -ne 77 ] && [ -e full.code ] || return 0 # no right to mount
    expect_code 0
    expect_equal "$(cat full.code)" 4
    cp full.err "$err"
    expect_err_has 'No space left on device'
    expect_true test ! -s full.out
    expect_equal "$(wc -l <t.csv)" 7
}

# Send a signal while an import runs; $1 is its name, the rest the command.
interrupt() {
    local name=$1
    shift
    python3 - "$name" "$out" "$err" "$@" <<'PYTHON'
import os, signal, subprocess, sys, time

name, out, err, *command = sys.argv[1:]
with open(out, "wb") as o, open(err, "wb") as e:
    p = subprocess.Popen(command, stdout=o, stderr=e)
    while not os.path.getsize(err) and p.poll() is None:
        time.sleep(0.02)  # it says its plan when it begins
    time.sleep(float(os.environ.get("DELAY", "0.5")))
    p.send_signal(getattr(signal, name))
    code = p.wait()
sys.exit(code if code >= 0 else 128 - code)
PYTHON
    code=$? shown="$* with $name"
}

test_an_interrupted_import_goes_on_where_it_was() {
    local blocks resume
    run init
    python3 "$here/make_netcdf.py" big.nc 40 200 250
    interrupt SIGINT "$VARVITE" import --threads 1 --codec zstd:19 --chunk t=1 big.nc
    expect_code 130
    expect_no_out
    expect_err_has '^varvite import: stopped by a signal'
    expect_err_has '^varvite import: varvite import --resume baf'
    resume=$(sed -n 's/.*--resume \(baf[a-z2-7]*\).*/\1/p' "$err")
    run verify "$resume"
    expect_code 0
    blocks=$("$VARVITE" block stat --json | sed -n 's/.*"blocks": \([0-9]*\).*/\1/p')
    expect_true test "$blocks" -gt 3
    run import --resume "$resume" --codec zstd:19 --chunk t=1 big.nc
    expect_code 0
    cp "$out" root
    run compare big.nc "$(cat root)"
    expect_code 0
    # From the beginning it comes to the same, and stores nothing again.
    run import --json --codec zstd:19 --chunk t=1 big.nc
    expect_json "d['root'] == '$(cat root)' and d['new_blocks'] == 0"
}

test_a_killed_import_leaves_what_the_next_one_uses() {
    local blocks
    run init
    python3 "$here/make_netcdf.py" big.nc 120 200 250
    DELAY=3.5 interrupt SIGKILL "$VARVITE" import --threads 1 --codec zstd:19 --chunk t=1 big.nc
    [ "$code" -ne 0 ] || return 0 # a machine that was done by then
    expect_code 137
    blocks=$("$VARVITE" block stat --json | sed -n 's/.*"blocks": \([0-9]*\).*/\1/p')
    expect_true test "$blocks" -ge 5
    run -q import --json --codec zstd:19 --chunk t=1 big.nc
    expect_json "120 <= d['new_blocks'] + $blocks and d['new_blocks'] > 0"
    expect_json "d['new_blocks'] + $blocks < 120 * 2 + 12"
    run compare big.nc "$(sed -n 's/.*"root": "\(.*\)".*/\1/p' "$out")"
    expect_code 0
    run fsck
    expect_code 0
}

test_progress_shows_on_a_terminal_alone() {
    command -v script >/dev/null || return 0
    run init
    python3 "$here/make_netcdf.py" big.nc 40 200 250
    script -qec "'$VARVITE' import --threads 1 --codec zstd:19 --chunk t=1 big.nc >root" typescript \
        </dev/null >/dev/null
    cp typescript "$err"
    expect_err_has 'import \[#+-+\] +[0-9]+%  .*iB of .*iB  .*iB/s  left [0-9]+:[0-9]{2}'
    expect_true grep -Eqx 'bafyr4i[a-z2-7]{52}' root
    script -qec "'$VARVITE' -q import '$small' >root" typescript </dev/null >/dev/null
    expect_true test -z "$(grep -a '%' typescript)"
    run import "$small"
    expect_err_lacks '%'
}

test_a_failure_while_writing_the_export_leaves_nothing() {
    run init
    "$VARVITE" -q import "$small" >root
    run export "$(cat root)" no/such/place.nc
    expect_failure 4 "place.nc"
    run export "$(cat root)" no/such/place
    expect_failure 4 "place"
    run export --path nothing "$(cat root)" x.nc
    expect_failure 1 "nothing"
    expect_true test ! -e x.nc
    run export --format tiff "$(cat root)" x
    expect_failure 2 "must be one of auto"
}

test_real_climate_data_comes_back_equal() {
    local file=/usr/share/ferret-vis/data/coads_climatology.cdf
    [ -e $file ] || return 0
    run init
    "$VARVITE" -q import $file >root
    run compare $file "$(cat root)"
    expect_code 0
    run slice --json "$(cat root)" 'SST[0,45,::60]'
    expect_json "len(d['data']) == 3"
    run -q export "$(cat root)" back.nc
    expect_code 0
    run compare back.nc "$(cat root)"
    expect_code 0
}

run_tests
