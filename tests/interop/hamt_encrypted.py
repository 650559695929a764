"""Encrypted trees go both ways: varvite reads what py-hamt encrypted, and xarray over py-hamt what varvite did.

usage: hamt_encrypted.py VARVITE WORK-DIRECTORY
"""
import asyncio
import io
import os
import sys

import numpy
import xarray
from multiformats import CID
from py_hamt import HAMT, SimpleEncryptedZarrHAMTStore

import peers
from hamt_store import CarStore

KEY, HEADER = bytes(range(32)), "a header"


def dataset():
    random = numpy.random.default_rng(6)
    return xarray.Dataset({"temp": (("time", "x"), random.standard_normal((40, 50)).astype("f4"), {"units": "K"}),
                           "mask": (("x",), random.random(50) > 0.5)}, {"time": numpy.arange(40)})


async def write(data, car):
    cas = CarStore()
    hamt = await HAMT.build(cas=cas, values_are_bytes=True)
    store = SimpleEncryptedZarrHAMTStore(hamt, False, KEY, HEADER.encode())
    await asyncio.to_thread(lambda: data.to_zarr(store, mode="w", zarr_format=3,
                                                 encoding={"temp": {"chunks": [16, 50]}}))
    await hamt.make_read_only()
    return cas.write(car, hamt.root_node_id)


async def read(car, root, key):
    hamt = await HAMT.build(cas=CarStore(car), root_node_id=CID.decode(root), read_only=True, values_are_bytes=True)
    return SimpleEncryptedZarrHAMTStore(hamt, True, key, HEADER.encode())


def main():
    varvite = peers.Varvite(sys.argv[1], sys.argv[2])
    key_file = varvite.work / "key"
    with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(KEY)
    keys = ["--key-file", key_file, "--key-header", HEADER]
    failed = 0

    data = dataset()
    root = asyncio.run(write(data, varvite.work / "theirs.car"))
    varvite("car", "import", varvite.work / "theirs.car")
    for name, variable in data.variables.items():
        got = numpy.load(io.BytesIO(varvite("slice", *keys, "--npy", root, name)))
        failed += peers.report(f"theirs: {name}", [] if numpy.array_equal(got, variable.values) else ["other numbers"])
    part = numpy.load(io.BytesIO(varvite("slice", *keys, "--npy", root, "temp[3:20,::7]")))
    failed += peers.report("theirs: a part", [] if numpy.array_equal(part, data["temp"].values[3:20, ::7])
                           else ["other numbers"])

    source = peers.sources()[0]
    root = varvite.text("import", "--layout", "hamt", *keys, *source.options, source.path)
    varvite("car", "export", "-o", varvite.work / "ours.car", root)
    store = asyncio.run(read(varvite.work / "ours.car", root, KEY))
    for options in source.ways():
        ours = source.comparable(xarray.open_zarr(store, consolidated=False, chunks=None, **options), options)
        failed += peers.report(f"ours: {source.name}, {options}",
                               peers.compare_datasets(ours, source.open(**options)))
    try:
        xarray.open_zarr(asyncio.run(read(varvite.work / "ours.car", root, bytes(32))), consolidated=False)
        failed += peers.report("ours, with another key", ["it was opened"])
    except Exception as why:  # whatever py-hamt's refusal becomes on its way
        failed += peers.report("ours, with another key", [] if "Decryption failed" in str(why) else [repr(why)])
    sys.exit(failed > 0)


main()
