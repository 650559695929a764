"""py-hamt's sharded store on the work that bench_sharded does; prints the same lines as a benchmark.

Its blocks lie in a dict of this process, named as any block store with CIDs names them, so nothing that it is
timed for waits for a disk. The costs of a key do not grow with the array but where a shard is read, so fewer keys
are timed than ours.
"""
import asyncio
import contextlib
import io
import json
import os
import random
import time
import warnings

warnings.simplefilter("ignore")

import dag_cbor  # noqa: E402
from blake3 import blake3  # noqa: E402
from multiformats import CID, multihash  # noqa: E402
from py_hamt import HAMT, ShardedZarrStore, convert_hamt_to_sharded  # noqa: E402
from zarr.core.buffer import cpu, default_buffer_prototype  # noqa: E402

QUICK = os.environ.get("BENCH_QUICK", "0") not in ("", "0")
SIDE = 1000
SHARD = 6250
SET_KEYS = 1_000 if QUICK else 20_000
LIST_KEYS = 20_000 if QUICK else 100_000
LARGE = 100_000 if QUICK else 10_000_000
COLD_KEYS = 20 if QUICK else 200
WARM_KEYS = 500 if QUICK else 20_000
CONVERT_KEYS = 1_000 if QUICK else 20_000
RESIZE_KEYS = 20_000 if QUICK else 1_000_000
TURNS = 100
WARM_SHARDS = 2 if QUICK else 20
VALUES = 1000
PATH = "g/temperature"


class Timer:
    """Seconds on the wall and of the processor since it was made."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def line(self, case, items):
        print(json.dumps({"case": case, "items": items,
                          "ns_per_item": (time.perf_counter() - self.wall) * 1e9 / items,
                          "cpu_ns_per_item": (time.process_time() - self.cpu) * 1e9 / items}), flush=True)


class Blocks:
    """What py-hamt asks of a store of blocks, in memory."""

    def __init__(self):
        self.blocks = {}

    async def save(self, data, codec):
        cid = CID("base32", 1, codec, multihash.wrap(blake3(data).digest(), "blake3"))
        self.blocks[bytes(cid)] = data
        return cid

    async def load(self, cid, offset=None, length=None, suffix=None):
        return self.blocks[bytes(CID.decode(cid) if isinstance(cid, str) else cid)]


def key(i):
    return f"{PATH}/c/{i // SIDE}/{i % SIDE}"


def value(i):
    return i.to_bytes(8, "little") * 8


async def new_store(blocks, chunks):
    return await ShardedZarrStore.open(
        cas=blocks, read_only=False, array_shape=(chunks // SIDE, SIDE), chunk_shape=(1, 1), chunks_per_shard=SHARD,
        manifest_version="sharded_zarr_v2", primary_array_path=PATH)


async def large(blocks, chunks):
    """A root of as many chunks, of which only VALUES are different; its shards are written by hand, since setting
    the chunks would take an hour."""
    store = await new_store(blocks, chunks)
    links = [bytes.fromhex("d82a582500") + bytes(await blocks.save(value(i), "raw")) for i in range(VALUES)]
    shards = []
    for first in range(0, chunks, SHARD):
        entries = [links[i * 7 % VALUES] if i < chunks else b"\xf6" for i in range(first, first + SHARD)]
        shards.append(await blocks.save(b"\x99" + SHARD.to_bytes(2, "big") + b"".join(entries), "dag-cbor"))
    root = dag_cbor.decode(blocks.blocks[bytes(CID.decode(await store.flush()))])
    root["arrays"][PATH]["shard_cids"] = shards
    return str(await blocks.save(dag_cbor.encode(root), "dag-cbor"))


async def get_all(store, order, case):
    prototype = default_buffer_prototype()
    work = [(key(i), value(i * 7 % VALUES)) for i in order]
    timer = Timer()
    got = [await store.get(text, prototype) for text, _ in work]
    timer.line(case, len(work))
    if [part.to_bytes() for part in got] != [right for _, right in work]:
        raise SystemExit("py-hamt gave another value")


async def main():
    store = await new_store(Blocks(), SET_KEYS)
    work = [(key(i), cpu.Buffer.from_bytes(value(i))) for i in range(SET_KEYS)]
    timer = Timer()
    for text, data in work:
        await store.set(text, data)
    await store.flush()
    timer.line("py-hamt/sharded_set", SET_KEYS)
    del work

    blocks = Blocks()
    hamt = await HAMT.build(cas=blocks, values_are_bytes=True)
    document = {"zarr_format": 3, "node_type": "array", "shape": [CONVERT_KEYS // SIDE, SIDE],
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 1]}}}
    await hamt.set(f"{PATH}/zarr.json", json.dumps(document).encode())
    for i in range(CONVERT_KEYS):
        await hamt.set(key(i), value(i))
    await hamt.make_read_only()
    timer = Timer()
    with contextlib.redirect_stdout(io.StringIO()):
        await convert_hamt_to_sharded(blocks, str(hamt.root_node_id), SHARD)
    timer.line("py-hamt/sharded_convert", CONVERT_KEYS)

    blocks = Blocks()
    root = await large(blocks, LIST_KEYS)
    store = await ShardedZarrStore.open(cas=blocks, read_only=True, root_cid=root)
    timer = Timer()
    count = 0
    async for _ in store.list():
        count += 1
    timer.line("py-hamt/sharded_list", count)
    blocks = Blocks()
    store = await ShardedZarrStore.open(cas=blocks, read_only=False, root_cid=await large(blocks, RESIZE_KEYS))
    timer = Timer()
    for i in range(1, TURNS + 1):
        await store.resize_store((RESIZE_KEYS // SIDE + i, SIDE))
    timer.line("py-hamt/sharded_resize_leading", TURNS)

    blocks = Blocks()
    root = await large(blocks, LARGE)
    store = await ShardedZarrStore.open(cas=blocks, read_only=True, root_cid=root)
    rnd = random.Random(1)
    await get_all(store, [rnd.randrange(LARGE) for _ in range(COLD_KEYS)], "py-hamt/sharded_get_cold")
    # Warm: whole shards, all read before.
    store = await ShardedZarrStore.open(cas=blocks, read_only=True, root_cid=root, shard_read_mode="full")
    near = [rnd.randrange(SHARD * WARM_SHARDS) for _ in range(WARM_KEYS)]
    prototype = default_buffer_prototype()
    for shard in range(WARM_SHARDS):
        await store.get(key(shard * SHARD), prototype)
    await get_all(store, near, "py-hamt/sharded_get_warm")


asyncio.run(main())
