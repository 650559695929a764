#!/usr/bin/env python3
"""Arrays of Zarr version 2 in a directory, written by zarr-python and read by us.

usage: zarr_v2.py ZARR_TOOL

ZARR_TOOL is the program of tests/zarr/zarr_tool.c. Needs zarr 3, numcodecs and numpy. Prints one line
a failure and a count; exits 1 when something differs.
"""
import itertools
import subprocess
import sys
import tempfile
import warnings

import numcodecs
import numpy as np
import zarr

DTYPES = ("|b1 |i1 <i2 >i4 <i8 |u1 >u2 <u4 >u8 <f2 >f4 <f8 <c8 >c16 |S5 <U3 >U3 |V4 "
          "<M8[ns] >M8[10s] <m8[D]").split()
# Settings of zarr-python: filters (made for a type) and the compressor.
CHAINS = {
    "none": (lambda t: None, None),
    "gzip": (lambda t: None, numcodecs.GZip(1)),
    "zstd": (lambda t: None, numcodecs.Zstd(1)),
    "blosc": (lambda t: None, numcodecs.Blosc("lz4", 5, 1)),
    "zlib": (lambda t: None, numcodecs.Zlib(1)),
    "bz2": (lambda t: None, numcodecs.BZ2(1)),
    "lz4": (lambda t: None, numcodecs.LZ4()),
    "lzma": (lambda t: None, numcodecs.LZMA()),
    "shuffle": (lambda t: [numcodecs.Shuffle(np.dtype(t).itemsize)], numcodecs.Zlib(1)),
    "delta": (lambda t: [numcodecs.Delta(t)], numcodecs.Zlib(1)),
}
SHAPES = [((7, 5), (3, 2)), ((4,), (6,)), ((3, 2, 4), (2, 2, 3)), ((), ())]

failures = 0
checks = 0
missing = set()


def check(name, same, note=""):
    global failures, checks
    checks += 1
    if not same:
        failures += 1
        print(f"FAILED {name} {note}")


def values(dtype, shape):
    kind = np.dtype(dtype)
    n = int(np.prod(shape))
    rng = np.random.default_rng(n + kind.itemsize)
    if kind.kind == "b":
        return rng.integers(0, 2, n).astype(kind).reshape(shape)
    if kind.kind == "U":
        return np.array(["aé😀"[: i % 4] for i in range(n)], kind).reshape(shape)
    if kind.kind == "S":
        return np.array([b"ab\0\xffc"[: i % 6] for i in range(n)], kind).reshape(shape)
    if kind.kind in "fc":
        return (rng.standard_normal(n) * 100).astype(kind).reshape(shape)
    raw = rng.integers(0, 256, n * kind.itemsize, dtype="u1").tobytes()
    return np.frombuffer(raw, kind).reshape(shape).copy()


def read(tool, folder, name):
    done = subprocess.run([tool, "read", folder, name], capture_output=True, check=False)
    return done.stdout, done.returncode, done.stderr.decode()


def one(tool, folder, dtype, shape, chunks, order, separator, chain):
    name = f"{dtype}{shape}{order}{separator}{chain}".translate(
        str.maketrans("<>|[](), /.", "lbn________sd"[:11]))
    filters, compressor = CHAINS[chain]
    a = values(dtype, shape)
    z = zarr.create_array(folder, name=name, shape=shape, chunks=chunks, dtype=dtype,
                          order=order, zarr_format=2, filters=filters(dtype),
                          compressors=compressor,
                          chunk_key_encoding={"name": "v2", "separator": separator})
    z[...] = a
    if shape:
        z[(0,) * len(shape)] = a[(0,) * len(shape)]
    native = np.asarray(z[...]).astype(np.dtype(dtype).newbyteorder("="))
    out, rc, why = read(tool, folder, name)
    if rc and "not known to this build" in why:
        missing.add(chain)
        return
    check(name, rc == 0 and out == native.tobytes(), why)


def main(tool):
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for dtype, (shape, chunks) in itertools.product(DTYPES, SHAPES):
            one(tool, folder, dtype, shape, chunks, "C", ".", "none")
            one(tool, folder, dtype, shape, chunks, "F", "/", "blosc")
        for chain, (shape, chunks) in itertools.product(CHAINS, SHAPES):
            one(tool, folder, "<i4", shape, chunks, "F", ".", chain)
            one(tool, folder, ">i2", shape, chunks, "C", "/", chain)
    for chain in sorted(missing):
        print(f"not in this build: {chain}")
    print(f"{checks} checks, {failures} failed")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
