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


class Timer:
    """Seconds on the wall and of the processor since it was made."""

    def __init__(self):
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def line(self, case, items):
        print(json.dumps({"case": case, "items": items,
                          "ns_per_item": (time.perf_counter() - self.wall) * 1e9 / items,
                          "cpu_ns_per_item": (time.process_time() - self.cpu) * 1e9 / items}), flush=True)


def key(i):
    return f"temperature/c/{i // 1000}/{i % 1000}"


def value(i):
    return i.to_bytes(8, "little") * 8


async def filled(count, case=None):
    """A map of count keys in a store of its own, nothing flushed."""
    cas = InMemoryCAS()
    hamt = await HAMT.build(cas=cas, values_are_bytes=True)
    work = [(key(i), value(i)) for i in range(count)]  # the caller's, made before the clock runs
    timer = Timer()
    for text, data in work:
        await hamt.set(text, data)
    if case:
        timer.line(case, count)
    return cas, hamt


async def get_all(hamt, order, case):
    """One get after the other: py-hamt has no call that takes many keys."""
    work = [key(i) for i in order]
    timer = Timer()
    got = [await hamt.get(text) for text in work]
    timer.line(case, len(order))
    if got != [value(i) for i in order]:
        raise SystemExit("py-hamt gave another value")


async def main():
    _, hamt = await filled(FLUSH_KEYS)
    timer = Timer()
    await hamt.make_read_only()
    timer.line("py-hamt/flush", FLUSH_KEYS)

    cas, hamt = await filled(KEYS, "py-hamt/set")
    await hamt.make_read_only()
    order = random.Random(1).sample(range(KEYS), GET_KEYS)
    reader = await HAMT.build(cas=cas, root_node_id=hamt.root_node_id, values_are_bytes=True, read_only=True)
    await get_all(reader, order, "py-hamt/get_cold")
    await get_all(reader, order, "py-hamt/get_warm")


asyncio.run(main())
