"""py-hamt's encrypted store on the work that bench_encrypted does; prints the same lines as a benchmark."""
import asyncio
import json
import os
import time

from py_hamt import HAMT, SimpleEncryptedZarrHAMTStore
from py_hamt.store_httpx import InMemoryCAS
from zarr.core.buffer import default_buffer_prototype

QUICK = os.environ.get("BENCH_QUICK", "0") not in ("", "0")
VALUE, PLACES = 512 << 10, 8
ITEMS = 50 if QUICK else 400


def line(case, began, cpu, items):
    print(json.dumps({"case": case, "items": items, "ns_per_item": (time.perf_counter() - began) * 1e9 / items,
                      "cpu_ns_per_item": (time.process_time() - cpu) * 1e9 / items, "bytes_per_item": VALUE}),
          flush=True)


async def main():
    prototype = default_buffer_prototype()
    values = [prototype.buffer.from_bytes(os.urandom(VALUE)) for _ in range(PLACES)]
    hamt = await HAMT.build(cas=InMemoryCAS(), values_are_bytes=True)
    store = SimpleEncryptedZarrHAMTStore(hamt, False, bytes(32), b"header")
    raw = [value.to_bytes() for value in values]
    began, cpu = time.perf_counter(), time.process_time()
    sealed = [store._encrypt(raw[i % PLACES]) for i in range(ITEMS)][-PLACES:]
    line("py-hamt-encrypted/seal", began, cpu, ITEMS)
    began, cpu = time.perf_counter(), time.process_time()
    for i in range(ITEMS):
        store._decrypt(sealed[i % PLACES])
    line("py-hamt-encrypted/open", began, cpu, ITEMS)
    began, cpu = time.perf_counter(), time.process_time()
    for i in range(ITEMS):
        await store.set(f"temperature/c/0/{i % PLACES}", values[i % PLACES])
    line("py-hamt-encrypted/set", began, cpu, ITEMS)
    began, cpu = time.perf_counter(), time.process_time()
    for i in range(ITEMS):
        got = await store.get(f"temperature/c/0/{i % PLACES}", prototype)
    line("py-hamt-encrypted/get", began, cpu, ITEMS)
    if got.to_bytes() != values[(ITEMS - 1) % PLACES].to_bytes():
        raise SystemExit("py-hamt gave another value")


asyncio.run(main())
