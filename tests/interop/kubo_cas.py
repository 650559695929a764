"""py-hamt's KuboCAS and varvite on one IPFS peer: each reads what the other wrote.

usage: kubo_cas.py VARVITE WORK-DIRECTORY RPC GATEWAY
"""
import asyncio
import io
import os
import sys

import numpy
import xarray
from multiformats import CID
from py_hamt import HAMT, KuboCAS, ZarrHAMTStore

import peers


def cas(rpc, gateway):
    return KuboCAS(rpc_base_url=rpc, gateway_base_url=gateway)


async def write(data, rpc, gateway):
    async with cas(rpc, gateway) as blocks:
        hamt = await HAMT.build(cas=blocks, values_are_bytes=True)
        await asyncio.to_thread(lambda: data.to_zarr(
            ZarrHAMTStore(hamt, read_only=False), mode="w", zarr_format=3, consolidated=False))
        await hamt.make_read_only()
        await blocks.pin_cid(hamt.root_node_id, rpc)
        return str(hamt.root_node_id)


async def read(root, rpc, gateway):
    async with cas(rpc, gateway) as blocks:
        hamt = await HAMT.build(cas=blocks, root_node_id=CID.decode(root), read_only=True,
                                values_are_bytes=True)
        store = ZarrHAMTStore(hamt, read_only=True)
        return await asyncio.to_thread(
            lambda: xarray.open_zarr(store, consolidated=False, chunks=None,
                                     decode_cf=False).load())


def main():
    binary, work, rpc, gateway = sys.argv[1:]
    varvite = peers.Varvite(binary, work)
    url = "kubo://" + rpc.removeprefix("http://")
    random = numpy.random.default_rng(3)
    data = xarray.Dataset({"t": (("y", "x"), random.standard_normal((40, 30)))},
                          {"y": numpy.arange(40), "x": numpy.arange(30)}, {"title": "through IPFS"})
    failed = 0

    root = asyncio.run(write(data, rpc, gateway))
    for store in (url, f"{url}?gateway={gateway}", f"gateway+{gateway}"):
        varvite("--store", store, "verify", root)
        got = numpy.load(io.BytesIO(varvite("--store", store, "slice", "--npy", root, "t")))
        failed += peers.report(f"theirs by {store.split(':')[0]}",
                               [] if numpy.array_equal(got, data["t"].values) else ["other numbers"])

    if os.path.exists(peers.CLIMATE):
        root = varvite.text("--store", url, "import", "--chunk", "TIME=3", peers.CLIMATE)
        ours = asyncio.run(read(root, rpc, gateway))
        theirs = xarray.open_dataset(peers.CLIMATE, decode_cf=False)
        failed += peers.report("ours by KuboCAS", [
            name for name in theirs.data_vars
            if not numpy.array_equal(ours[name].values, theirs[name].values, equal_nan=True)])
    sys.exit(failed > 0)


main()
