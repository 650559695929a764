"""varvite imports and copies Zarr version 2 directories that zarr-python writes; xarray reads the same from both.

usage: zarr_v2_import.py VARVITE WORK-DIRECTORY
"""
import shutil
import sys

import numcodecs
import numpy
import pandas
import xarray
import zarr

import peers

TIMES = pandas.date_range("2020-01-01", periods=10)


def dataset(rng):
    """Packed, filled, masked and plain variables, text, times."""
    temperature = rng.normal(size=(10, 6, 8)).astype("f4")
    temperature[2:4, 1] = numpy.nan
    packed = numpy.round(rng.normal(size=(10, 6)), 2)
    packed[3, 2:4] = numpy.nan
    return xarray.Dataset(
        {"temp": (("time", "lat", "lon"), temperature, {"units": "K", "valid_range": [-9.5, 9.5]}),
         "packed": (("time", "lat"), packed),
         "count": (("time",), numpy.arange(10, dtype="u2")),
         "flag": (("lat",), numpy.array([True, False, True, True, False, False])),
         "code": (("lat",), numpy.array([b"a", b"bc", b"def", b"", b"x", b"yy"])),
         "name": (("lat",), numpy.array(["\u00e4", "bc", "def", "", "x", "yy"], dtype=object)),
         "scalar": ((), numpy.int64(-5))},
        coords={"time": TIMES, "lat": numpy.linspace(-50, 50, 6)}, attrs={"title": "version 2", "levels": [1, 2]})


ENCODINGS = {
    "default": {},
    "chunks": {"temp": {"chunks": (4, 3, 8)}, "count": {"chunks": (3,)}},
    "zlib": {"temp": {"compressors": numcodecs.Zlib(3), "chunks": (4, 3, 5)}},
    "zstd": {"temp": {"compressors": numcodecs.Zstd(2)}, "count": {"compressors": numcodecs.GZip(1)}},
    "lz4": {"temp": {"compressors": numcodecs.LZ4()}, "count": {"compressors": numcodecs.BZ2(1)}},
    "none": {"temp": {"compressors": None}, "packed": {"compressors": None}},
    "filters": {"count": {"filters": [numcodecs.Delta("u2")]},
                "temp": {"filters": [numcodecs.Shuffle(4)], "compressors": numcodecs.Zlib(1)}},
}
PACKED = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 1.0, "_FillValue": -999, "_Unsigned": "false"}


def make(path, encoding, consolidated):
    made = dataset(numpy.random.default_rng(7))
    encoding = {name: dict(value) for name, value in encoding.items()}
    encoding["packed"] = {**PACKED, **encoding.get("packed", {})}
    made.to_zarr(path, zarr_format=2, mode="w", encoding=encoding, consolidated=consolidated)


def make_plain(path):
    """What xarray does not write: nested groups, order F, big-endian, chunks under nested keys."""
    root = zarr.open_group(path, mode="w", zarr_format=2, attributes={"a": [1.0, 2], "b": {"c": None}})
    group = root.create_group("outer/inner", attributes={"deep": True})
    rng = numpy.random.default_rng(3)
    for order in "CF":
        for number, dtype in enumerate(["<i4", ">f8", "<u2", ">i2", "<c16", "|b1"]):
            data = (rng.normal(size=(7, 5, 3)) * 100).astype(dtype)
            array = group.create_array(f"{order}{number}", shape=data.shape, dtype=dtype, chunks=(3, 2, 3), order=order,
                                       chunk_key_encoding={"name": "v2", "separator": "/." [number % 2]})
            array[...] = data
    return root


def leaves(group, path=""):
    for name, member in group.members():
        if isinstance(member, zarr.Group):
            yield from leaves(member, f"{path}{name}/")
        else:
            yield f"{path}{name}", member


def check_plain(varvite, path, out):
    root = varvite.text("import", path)
    varvite("compare", path, root)
    varvite("diff", "--values", root, path)
    varvite("export", root, out)
    ours = zarr.open_group(str(out), mode="r")
    theirs = zarr.open_group(str(path), mode="r")
    differences = [] if dict(ours.attrs) == dict(theirs.attrs) else ["attributes of the root"]
    for name, array in leaves(theirs):
        if not numpy.array_equal(ours[name][...], array[...]) or ours[name].dtype.kind != array.dtype.kind:
            differences.append(f"array {name}")
    return differences


def check(varvite, path, out):
    """The import, and a copy, in the eyes of xarray."""
    differences = []
    for number, command in enumerate((("import",), ("copy",), ("copy", "--array", "temp", "--chunk", "time=3,lon=2"))):
        root = varvite.text(*command, path)
        varvite("diff", "--values", path, root)
        target = f"{out}-{number}"
        varvite("export", root, target)
        for options in (peers.MASKED, peers.DECODED):
            ours = xarray.open_zarr(target, consolidated=False, chunks=None, **options).load()
            theirs = xarray.open_zarr(str(path), chunks=None, **options).load()
            differences += [f"{' '.join(command)}: {line}" for line in peers.compare_datasets(ours, theirs)]
        shutil.rmtree(target)
    varvite("compare", path, varvite.text("import", path))
    return differences


def main():
    varvite = peers.Varvite(sys.argv[1], sys.argv[2])
    failed = 0
    for name, encoding in ENCODINGS.items():
        for consolidated in (True, False):
            path = varvite.work / f"{name}-{consolidated}.zarr"
            make(str(path), encoding, consolidated)
            failed += peers.report(f"version 2, {name}, consolidated {consolidated}",
                                   check(varvite, path, varvite.work / "out.zarr"))
    path = varvite.work / "plain.zarr"
    make_plain(str(path))
    failed += peers.report("version 2, plain", check_plain(varvite, path, varvite.work / "plain-out.zarr"))
    sys.exit(failed > 0)


main()
