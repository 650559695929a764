"""py-hamt on the work that bench_hamt does; prints the same lines as a benchmark.

The maps are as large as ours, since its cost a key grows with the map. Its blocks lie in a dict of
this process, so nothing that it is timed for waits for a disk.
"""
import asyncio
import json
import os
import random
import time

from py_hamt import HAMT
from py_hamt.store_httpx import InMemoryCAS

QUICK = os.environ.get("BENCH_QUICK", "0") not in ("", "0")
KEYS = 20_000 if QUICK else 1_000_000
FLUSH_KEYS = 5_000 if QUICK else 100_000
GET_KEYS = 5_000 if QUICK else 50_000


def line(case, items, seconds):
    print(json.dumps({"case": case, "items": items, "ns_per_item": seconds * 1e9 / items}), flush=True)


def key(i):
    return f"temperature/c/{i // 1000}/{i % 1000}"


def value(i):
    return i.to_bytes(8, "little") * 8


async def filled(count):
    """A map of count keys in a store of its own, nothing flushed, and the seconds it took."""
    cas = InMemoryCAS()
    hamt = await HAMT.build(cas=cas, values_are_bytes=True)
    started = time.perf_counter()
    for i in range(count):
        await hamt.set(key(i), value(i))
    return cas, hamt, time.perf_counter() - started


async def get_all(hamt, order):
    started = time.perf_counter()
    for i in order:
        if await hamt.get(key(i)) != value(i):
            raise SystemExit(f"py-hamt gave another value for {key(i)}")
    return time.perf_counter() - started


async def main():
    _, hamt, _ = await filled(FLUSH_KEYS)
    started = time.perf_counter()
    await hamt.make_read_only()
    line("py-hamt/flush", FLUSH_KEYS, time.perf_counter() - started)

    cas, hamt, seconds = await filled(KEYS)
    line("py-hamt/set", KEYS, seconds)
    await hamt.make_read_only()
    order = random.Random(1).sample(range(KEYS), GET_KEYS)
    reader = await HAMT.build(cas=cas, root_node_id=hamt.root_node_id, values_are_bytes=True, read_only=True)
    line("py-hamt/get_cold", GET_KEYS, await get_all(reader, order))
    line("py-hamt/get_warm", GET_KEYS, await get_all(reader, order))


asyncio.run(main())
