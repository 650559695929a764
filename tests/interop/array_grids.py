#!/usr/bin/env python3
"""Chunk grids: chunks of different lengths, written by zarr-python, read by us; and arrays of a million chunks
of which few are there, in both directions.

usage: array_grids.py ZARR_TOOL
"""
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import tensorstore
import zarr

failures = []
passed = 0


def check(what, same, note=""):
    global passed
    passed += bool(same)
    if not same:
        failures.append(f"{what} {note}")


def run(tool, *args, data=None):
    done = subprocess.run([tool, *map(str, args)], input=data, capture_output=True, check=False)
    if done.returncode:
        failures.append(f"{' '.join(map(str, args))}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def numbers(values):
    return ",".join(map(str, values))


# ---- rectilinear -----------------------------------------------------------------------------------

GRIDS = [
    ((10,), [[1, 2, 3, 4]]),
    ((10, 7), [[4, 6], [3, 3, 1]]),
    ((10, 7), [[10], [1] * 7]),
    ((6, 5, 4), [[1, 5], [2, 2, 1], [4]]),
    ((30,), [[5] * 5 + [1] * 5]),  # runs of equal lengths, which metadata may shorten
]


def rectilinear(tool, folder):
    rng = np.random.default_rng(1)
    for number, (shape, edges) in enumerate(GRIDS):
        for codec, options in (("zstd", {}), ("none", {"compressors": None})):
            name = f"r{number}{codec}"
            array = zarr.create_array(str(folder), name=name, shape=shape, chunks=edges, dtype="int32",
                                      fill_value=-1, **options)
            values = rng.integers(0, 1000, shape).astype("int32")
            values[..., -1] = -1
            array[...] = values
            check(f"rectilinear {shape} {edges} {codec}", run(tool, "read", folder, name) == values.tobytes())
            start = [n // 4 for n in shape]
            step = [2] * len(shape)
            count = [(n - first + 1) // 2 for n, first in zip(shape, start)]
            part = values[tuple(slice(first, None, 2) for first in start)]
            check(f"region of rectilinear {shape} {edges} {codec}",
                  run(tool, "slice", folder, name, numbers(start), numbers(count), numbers(step))
                  == np.ascontiguousarray(part).tobytes())


# ---- a million chunks ------------------------------------------------------------------------------

SIDE, CHUNK = 4000, 4  # 1000 × 1000 chunks
BOXES = [((0, 0), (3, 3)), ((1998, 2001), (9, 5)), ((3996, 3996), (4, 4)), ((17, 3990), (1, 10))]


def sparse(tool, folder):
    rng = np.random.default_rng(2)
    for sharded in (False, True):
        label = "in shards" if sharded else "in chunks"
        shards = (400, 400) if sharded else None
        wanted = np.full((SIDE, SIDE), 7, "uint16")
        ours, theirs = f"ours{int(sharded)}", f"theirs{int(sharded)}"
        for name in (ours, theirs):
            zarr.create_array(str(folder), name=name, shape=(SIDE, SIDE), chunks=(CHUNK, CHUNK),
                              shards=shards, dtype="uint16", fill_value=7)
        array = zarr.open_array(str(folder), path=theirs)
        for start, count in BOXES:
            values = rng.integers(0, 60000, count).astype("uint16")
            place = tuple(slice(a, a + n) for a, n in zip(start, count))
            wanted[place] = values
            array[place] = values
            run(tool, "update", folder, ours, numbers(start), numbers(count), data=values.tobytes())
        check(f"a million chunks {label}: ours reads zarr-python",
              run(tool, "read", folder, theirs) == wanted.tobytes())
        # Only what lies about the boxes: all of it takes zarr-python minutes.
        python = zarr.open_array(str(folder), path=ours)
        there = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{folder}/{ours}"}},
                                 open=True).result()
        for start, count in BOXES:
            place = tuple(slice(max(a - 5, 0), min(a + n + 5, SIDE)) for a, n in zip(start, count))
            check(f"a million chunks {label}: zarr-python reads ours at {start}",
                  np.array_equal(python[place], wanted[place]))
            check(f"a million chunks {label}: TensorStore reads ours at {start}",
                  np.array_equal(there[place].read().result(), wanted[place]))


def main():
    warnings.simplefilter("ignore")
    zarr.config.set({"array.rectilinear_chunks": True})
    with tempfile.TemporaryDirectory(prefix="array-grids-") as folder:
        rectilinear(sys.argv[1], pathlib.Path(folder))
        sparse(sys.argv[1], pathlib.Path(folder))
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"zarr {zarr.__version__}, grids: {passed} passed, {len(failures)} failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
