"""varvite reads data sets that py-hamt wrote: to the same numbers, verified, and exported again.

usage: hamt_writes.py VARVITE WORK-DIRECTORY
"""
import asyncio
import io
import sys

import numpy
import xarray
from py_hamt import HAMT, ZarrHAMTStore

import peers
from hamt_store import BareStore, CarStore


def dataset():
    """Every kind of number that xarray writes, over a few dimensions, with coordinates."""
    random = numpy.random.default_rng(5)
    time = numpy.arange(30)
    lat = numpy.linspace(-90, 90, 19)
    lon = numpy.arange(0.0, 360.0, 10.0, dtype="f4")
    kinds = ["f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
    fields = {
        kind: (("time", "lat", "lon"),
               (random.standard_normal((30, 19, 36)) * 100).astype(kind), {"units": "K"})
        for kind in kinds
    }
    fields["mask"] = (("lat", "lon"), random.random((19, 36)) > 0.5)
    fields["f4"][1][3, :5, 7] = numpy.nan
    fields["scalar"] = ((), numpy.float64(2.5))
    return xarray.Dataset(fields, {"time": ("time", time, {"units": "days since 2000-01-01"}),
                                   "lat": lat, "lon": lon}, {"title": "written by py-hamt"})


def encodings(data):
    """Chunks that divide the shape, and chunks that do not."""
    chunks = {"time": 7, "lat": 19, "lon": 12}
    return {name: {"chunks": [chunks[d] for d in data[name].dims]}
            for name in data.data_vars if data[name].dims}


async def write(data, car, bucket_size, cas):
    hamt = await HAMT.build(cas=cas, values_are_bytes=True, max_bucket_size=bucket_size)
    await asyncio.to_thread(lambda: data.to_zarr(ZarrHAMTStore(hamt, read_only=False), mode="w",
                                                 zarr_format=3, consolidated=bucket_size == 4,
                                                 encoding=encodings(data)))
    await hamt.make_read_only()
    return cas.write(car, hamt.root_node_id)


def check(varvite, root, data):
    """Every array by `slice`, whole and in part."""
    failed = 0
    for name, variable in data.variables.items():
        whole = numpy.load(io.BytesIO(varvite("slice", "--npy", root, name)))
        same = whole.dtype == variable.dtype and numpy.array_equal(
            whole, variable.values, equal_nan=variable.dtype.kind == "f")
        failed += peers.report(f"slice {name}", [] if same else ["other numbers"])
    part = numpy.load(io.BytesIO(varvite("slice", "--npy", root, "f8[-2,3:15:4,::5]")))
    same = numpy.array_equal(part, data["f8"].values[-2, 3:15:4, ::5])
    return failed + peers.report("slice f8[-2,3:15:4,::5]", [] if same else ["other numbers"])


def reachable(car):
    """Multihashes of the blocks below the root of a CAR: it may hold nodes that came to be replaced."""
    blocks = peers.read_car(car)
    found, todo = set(), [peers.root_of(car)]
    while todo:
        digest = todo.pop()
        found.add(digest)
        for other in blocks:
            if other not in found and other in blocks[digest]:
                todo.append(other)
    return found


def main():
    varvite = peers.Varvite(sys.argv[1], sys.argv[2])
    data = dataset()
    failed = 0
    for bucket_size, store in ((4, CarStore), (1, CarStore), (4, BareStore)):
        what = f"{store.__name__}-{bucket_size}"
        car = varvite.work / f"{what}.car"
        root = asyncio.run(write(data, car, bucket_size, store()))
        imported = varvite.text("car", "import", car)
        failed += peers.report("root", [] if imported == root else [f"{imported}, not {root}"])
        varvite("verify", root)
        failed += check(varvite, root, data)
        out = varvite.work / f"{what}.zarr"
        varvite("export", root, out)
        again = xarray.open_zarr(str(out), consolidated=False, chunks=None, decode_cf=False)
        failed += peers.report(f"{what}, exported", peers.compare_datasets(again, data))
        # Out again as a CAR: every block below the root, whatever the form of the links.
        varvite("car", "export", "-o", varvite.work / "again.car", root)
        left_out = reachable(car) - set(peers.read_car(varvite.work / "again.car"))
        failed += peers.report(f"{what}, blocks", [f"{len(left_out)} left out"] if left_out else [])
    sys.exit(failed > 0)


main()
