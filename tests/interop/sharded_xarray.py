"""xarray over py-hamt opens the sharded roots that we make of the climate data, and we open those that it
writes; what it writes is also converted to a HAMT, which both read.

usage: sharded_xarray.py SHARDED-TOOL WORK-DIRECTORY VARVITE
"""
import asyncio
import subprocess
import sys
import warnings

import numpy
import xarray
import zarr
from multiformats import CID
from py_hamt import ShardedZarrStore

import peers
from hamt_store import CarStore, open_store

GROUP = "0"


def converted(varvite, tool, root, to):
    done = subprocess.run([tool, varvite.environment["VARVITE_STORE"], root, to],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"FAILED: {root} to {to}")
    return done.stdout.strip()


def open_sharded(cas, root=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return asyncio.run(ShardedZarrStore.open(cas=cas, read_only=root is not None, root_cid=root,
                                                 **options))


def reads_ours(varvite, tool, source, number):
    """Imported by us as a HAMT, converted, and shown by xarray over py-hamt."""
    root = converted(varvite, tool, varvite.text("import", *source.options, source.path), "sharded")
    car = varvite.work / f"ours-{number}.car"
    varvite("car", "export", "-o", car, root)
    store = open_sharded(CarStore(car), root)
    failed = 0
    for options in source.ways():
        ours = xarray.open_zarr(store, consolidated=False, chunks=None, **options)
        failed += peers.report(f"ours, {source.name}, {options}", peers.compare_datasets(
            source.comparable(ours, options), source.open(**options)))
    return failed


def reads_its(varvite, tool, source, number):
    """Written by xarray over py-hamt into a group, read by us as it is and as the HAMT of it."""
    data = source.open(**peers.MASKED).drop_encoding()
    cas = CarStore()
    store = open_sharded(cas, chunks_per_shard=50, manifest_version="sharded_zarr_v2")
    data.to_zarr(store, group=GROUP, mode="w", zarr_format=3, consolidated=False)
    root = asyncio.run(store.flush())
    car = varvite.work / f"its-{number}.car"
    cas.write(car, CID.decode(root))
    varvite("car", "import", car)
    failed = 0
    hamt = converted(varvite, tool, root, "hamt")
    for what, which in ("sharded", root), ("as a HAMT", hamt):
        out = varvite.work / f"its-{number}-{which[-8:]}.zarr"
        varvite("export", which, out)
        got = xarray.open_zarr(str(out), group=GROUP, consolidated=False, chunks=None, **peers.MASKED)
        failed += peers.report(f"its, {source.name}, {what}", peers.compare_datasets(got, data))
    varvite("car", "export", "-o", car, hamt)
    # By arrays: without consolidated metadata py-hamt's store does not list the members of a group.
    by_its = asyncio.run(open_store(car, hamt))
    for name, variable in data.variables.items():
        got = zarr.open_array(by_its, path=f"{GROUP}/{name}", mode="r")[...]
        same = numpy.array_equal(got, variable.values, equal_nan=got.dtype.kind == "f")
        failed += peers.report(f"its, {name}, as a HAMT, by py-hamt", [] if same else ["other numbers"])
    again = converted(varvite, tool, hamt, "sharded")
    return failed + peers.report("the way back", [] if sharded_alike(varvite, again, root) else
                                 ["other keys"])


def sharded_alike(varvite, one, other):
    return varvite.text("ls", one) == varvite.text("ls", other)


def main():
    tool = sys.argv[1]
    varvite = peers.Varvite(sys.argv[3], sys.argv[2])
    failed = 0
    for number, source in enumerate(peers.sources()):
        failed += reads_ours(varvite, tool, source, number)
        if source.path == peers.CLIMATE:
            failed += reads_its(varvite, tool, source, number)
    sys.exit(failed > 0)


main()
