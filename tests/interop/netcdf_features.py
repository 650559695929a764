"""What netCDF-4 files of today hold comes in as xarray sees it, and goes out again: unlimited dimensions, packed and
unsigned data, groups, chars, strings. What Zarr has no type for is refused by name.

usage: netcdf_features.py VARVITE WORK-DIRECTORY
"""
import subprocess
import sys

import netCDF4
import numpy
import xarray

import peers


def packed(group, name, kind, **attributes):
    variable = group.createVariable(name, kind, ("time", "x"), fill_value=attributes.pop("fill_value", None),
                                    chunksizes=(2, 4), zlib=True)
    variable.set_auto_maskandscale(False)
    for key, value in attributes.items():
        variable.setncattr(key, value)
    variable[0:5] = numpy.arange(20).reshape(5, 4) * 11 - 3


def make(path):
    with netCDF4.Dataset(path, "w") as file:
        file.title = "features"
        file.createDimension("time", None)
        file.createDimension("x", 4)
        file.createDimension("length", 7)
        time = file.createVariable("time", "f8", ("time",))
        time.units = "hours since 2001-02-03"
        time[0:5] = numpy.arange(5) * 6.5
        packed(file, "scaled", "i2", scale_factor=0.01, add_offset=273.15, fill_value=-3)
        packed(file, "unsigned", "i1", _Unsigned="true", scale_factor=0.5)
        packed(file, "plain", "u4", valid_min=numpy.uint32(1))
        chars = file.createVariable("chars", "S1", ("x", "length"))
        chars[:] = netCDF4.stringtochar(numpy.array([b"one", b"", b"three", b"sevenss"], dtype="S7"))
        encoded = file.createVariable("encoded", "S1", ("x", "length"))
        encoded._Encoding = "utf-8"
        encoded[:] = numpy.array(["\u00e4", "b", "", "\u20ac\u20ac"], dtype="U7")
        strings = file.createVariable("strings", str, ("time", "x"))
        strings.long_name = "names"
        strings[0:5] = numpy.array(["\u00fc" * (i % 3) + str(i) if i % 4 else "" for i in range(20)],
                                   dtype=object).reshape(5, 4)
        alone = file.createVariable("alone", str, ())
        alone[...] = numpy.array("all of it", dtype=object)
        group = file.createGroup("outer/inner")
        group.createDimension("sample", None)
        inside = group.createVariable("inside", "f4", ("sample", "x"), fill_value=-1.0)
        inside.coordinates = "label"
        inside[0:3] = numpy.arange(12).reshape(3, 4)
        label = group.createVariable("label", str, ("sample",))
        label[0:3] = numpy.array(["a", "bb", "ccc"], dtype=object)


def make_refused(path):
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("x", 2)
        pair = file.createCompoundType(numpy.dtype([("a", "f4"), ("b", "i2")]), "pair_t")
        file.createVariable("pair", pair, ("x",))
        file.createVariable("sky", file.createEnumType("u1", "sky_t", {"clear": 0, "cloudy": 1}), ("x",))
        file.createVariable("ragged", file.createVLType("i4", "ragged_t"), ("x",))
        file.createVariable("good", "f4", ("x",))[:] = [1, 2]


def compare(ours, theirs):
    with ours, theirs:
        return list(peers.compare_datasets(ours.load(), theirs.load()))


def check(varvite, path):
    root = varvite.text("import", "--chunk", "x=3", path)
    varvite("compare", path, root)
    directory, file = varvite.work / "features.zarr", varvite.work / "back.nc"
    varvite("export", root, directory)
    varvite("export", "--deflate", "1", root, file)
    differences = []
    for group in (None, "outer/inner"):
        for options in (peers.MASKED, peers.DECODED):
            theirs = xarray.open_dataset(path, group=group, **options)
            ours = xarray.open_zarr(str(directory), group=group, consolidated=False, chunks=None, **options)
            differences += [f"Zarr, {group}: {line}" for line in compare(ours, theirs)]
            theirs = xarray.open_dataset(path, group=group, **options)
            ours = xarray.open_dataset(file, group=group, **options)
            differences += [f"netCDF, {group}: {line}" for line in compare(ours, theirs)]
    with netCDF4.Dataset(file) as back:
        grows = {name for name, dimension in back.dimensions.items() if dimension.isunlimited()}
        if grows != {"time"} or not back["outer/inner"].dimensions["sample"].isunlimited():
            differences.append(f"unlimited dimensions: {grows}")
        if back["chars"].dimensions != ("x", "length") or back["chars"].dtype != "S1":
            differences.append("chars are no chars any more")
    # Once more from what was made.
    again = varvite.text("import", "--chunk", "x=3", file)
    varvite("diff", "--values", root, again)
    return differences


def check_refused(varvite, path):
    done = subprocess.run([varvite.binary, "import", path], env=varvite.environment, capture_output=True, text=True)
    differences = [] if done.returncode == 3 else [f"exit status {done.returncode}"]
    for name in ("pair has a compound type", "sky has an enumeration", "ragged has a variable-length type"):
        if name not in done.stderr:
            differences.append(f"'{name}' is not in: {done.stderr}")
    varvite("import", "--var", "good", path)
    return differences


def main():
    varvite = peers.Varvite(sys.argv[1], sys.argv[2])
    path = varvite.work / "features.nc"
    make(str(path))
    failed = peers.report("features of netCDF-4", check(varvite, path))
    path = varvite.work / "refused.nc"
    make_refused(str(path))
    failed += peers.report("types that Zarr lacks", check_refused(varvite, path))
    sys.exit(failed > 0)


main()
