"""zarr-python and xarray read the Zarr directory and the netCDF file that varvite exports.

usage: zarr_reads_export.py VARVITE WORK-DIRECTORY
"""
import sys

import xarray
import zarr

import peers


def check_export(varvite, source, root, out):
    """Compare an export with the file it came from, as stored and decoded."""
    failed = 0
    varvite("export", root, out)
    for options in source.ways():
        if out.suffix == ".nc":
            ours = xarray.open_dataset(out, engine="netcdf4", **options)
        else:
            ours = xarray.open_zarr(str(out), consolidated=False, chunks=None, **options)
        ours = source.comparable(ours, options)
        failed += peers.report(f"{source.name} as {out.suffix[1:]}, {options}",
                               peers.compare_datasets(ours, source.open(**options)))
    return failed


def main():
    varvite = peers.Varvite(sys.argv[1], sys.argv[2])
    failed = 0
    for number, source in enumerate(peers.sources()):
        root = varvite.text("import", *source.options, source.path)
        directory = varvite.work / f"{number}.zarr"
        failed += check_export(varvite, source, root, directory)
        failed += check_export(varvite, source, root, varvite.work / f"{number}.nc")
        # The directory back in gives the same root: nothing was added or lost.
        again = varvite.text("import", directory)
        arrays = sum(1 for _ in zarr.open_group(str(directory), mode="r").arrays())
        failed += peers.report(f"{number}: {arrays} arrays back in",
                               [] if again == root else [f"root {again}, not {root}"])
    sys.exit(failed > 0)


main()
