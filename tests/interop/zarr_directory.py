#!/usr/bin/env python3
"""Arrays in a directory, written by us and read by zarr-python, and the other way round.

usage: zarr_directory.py ZARR_TOOL

ZARR_TOOL is the program of tests/zarr/zarr_tool.c. Needs zarr 3 and numpy. Prints one line a
failure and a count; exits 1 when something differs.
"""
import json
import math
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ZstdCodec

DTYPES = ("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
          "float16 float32 float64 complex64 complex128").split()

# Our short form, and zarr-python's: (serializer, compressors).
CODECS = {
    "none": ("little", []),
    "bytes:big": ("big", []),
    "zstd:3": ("little", [ZstdCodec(level=3)]),
    "gzip:5": ("little", [GzipCodec(level=5)]),
    "crc32c": ("little", [Crc32cCodec()]),
    "bytes:big+zstd:1+crc32c": ("big", [ZstdCodec(level=1), Crc32cCodec()]),
    "blosc:lz4:5": ("little", [BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")]),
    "blosc:zstd:3:bitshuffle": ("little", [BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")]),
    "blosc:blosclz:9:noshuffle": ("little", [BloscCodec(cname="blosclz", clevel=9, shuffle="noshuffle")]),
    "gzip:1+zstd:1": ("little", [GzipCodec(level=1), ZstdCodec(level=1)]),
}

# Shape and chunk shape: ragged ends, a chunk longer than the array, one dimension and four, none.
SHAPES = [((7, 5), (3, 2)), ((13,), (20,)), ((4, 3, 2, 5), (2, 3, 1, 4)), ((), ())]

failures = 0
checks = 0


def check(name, same, note=""):
    global failures, checks
    checks += 1
    if not same:
        failures += 1
        print(f"FAILED {name} {note}")


def run(tool, *args, data=None):
    done = subprocess.run([tool, *args], input=data, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(args)}: {done.stderr.decode()}")
    return done.stdout


def values(dtype, shape, seed):
    """Numbers with some special ones, and a stretch of zeros for chunks that are left out."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    n = math.prod(shape)
    if kind.kind == "b":
        a = rng.integers(0, 2, n).astype(kind)
    elif kind.kind in "iu":
        info = np.iinfo(kind)
        a = rng.integers(info.min, info.max, n, dtype=kind, endpoint=True)
    elif kind.kind == "f":
        a = (rng.standard_normal(n) * 100).astype(kind)
        a[:min(n, 4)] = np.array([np.nan, np.inf, -np.inf, -0.0], kind)[:min(n, 4)]
    else:
        a = (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(kind)
    a[n // 2:n // 2 + 6] = 0
    return a.reshape(shape)


def fills(dtype):
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return [False, True]
    if kind.kind == "i":
        return [0, np.iinfo(kind).min, np.iinfo(kind).max]
    if kind.kind == "u":
        return [0, np.iinfo(kind).max]
    if kind.kind == "f":
        return [0.0, np.nan, np.inf, -np.inf, -0.0, 0.1]
    return [0j, complex(1.5, math.nan), complex(-math.inf, 0.1)]


def text(numbers):
    return ",".join(str(n) for n in numbers) or "-"


def same_bytes(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def ours_read_by_zarr(tool, folder, name, dtype, shape, chunks, codecs, fill):
    a = values(dtype, shape, hash(name) & 0xFFFF)
    scalar = np.array(fill, dtype)
    run(tool, "write", folder, name, dtype, text(shape), text(chunks), codecs,
        scalar.tobytes().hex(), data=a.tobytes())
    z = zarr.open_array(folder, path=name, mode="r")
    check(f"ours → zarr {name}", same_bytes(np.asarray(z[...]), a))
    check(f"ours → zarr {name}: fill", same_bytes(np.array(z.fill_value, dtype), scalar),
          f"{z.fill_value!r} {fill!r}")
    check(f"ours → zarr {name}: chunks", z.chunks == chunks)


def zarr_read_by_ours(tool, folder, name, dtype, shape, chunks, codecs, fill):
    a = values(dtype, shape, hash(name) & 0xFFFF)
    order, compressors = CODECS[codecs]
    z = zarr.create_array(folder, name=name, shape=shape, chunks=chunks, dtype=dtype,
                          serializer=BytesCodec(endian=order), compressors=compressors,
                          fill_value=np.array(fill, dtype)[()])
    z[...] = a
    # What it reads back itself: before 3.1 a chunk of 0.0 with the fill value -0.0 was not stored.
    a = np.asarray(z[...])
    check(f"zarr → ours {name}", run(tool, "read", folder, name) == a.tobytes())
    if shape:
        start = [s // 3 for s in shape]
        step = [1 + i % 3 for i in range(len(shape))]
        count = [(s - b + t - 1) // t for s, b, t in zip(shape, start, step)]
        cut = a[tuple(slice(b, None, t) for b, t in zip(start, step))]
        check(f"zarr → ours {name}: slice",
              run(tool, "slice", folder, name, text(start), text(count), text(step)) == cut.tobytes())
    empty = zarr.create_array(folder, name=name + "_empty", shape=shape, chunks=chunks,
                              dtype=dtype, fill_value=np.array(fill, dtype)[()])
    check(f"zarr → ours {name}: fill",
          run(tool, "read", folder, name + "_empty") == np.full(shape, fill, dtype).tobytes(),
          repr(empty.fill_value))


def all_arrays(tool, folder):
    zarr.create_group(folder + "/theirs")
    for d, dtype in enumerate(DTYPES):
        for c, codecs in enumerate(CODECS):
            shape, chunks = SHAPES[(d + c) % len(SHAPES)]
            choice = fills(dtype)
            fill = choice[(d + c) % len(choice)]
            name = f"{dtype}_{c}"
            ours_read_by_zarr(tool, folder + "/ours", name, dtype, shape, chunks, codecs, fill)
            zarr_read_by_ours(tool, folder + "/theirs", name, dtype, shape, chunks, codecs, fill)
        for f, fill in enumerate(fills(dtype)):
            ours_read_by_zarr(tool, folder + "/ours", f"{dtype}_fill{f}", dtype, (3,), (2,), "none", fill)
            zarr_read_by_ours(tool, folder + "/theirs", f"{dtype}_fill{f}", dtype, (3,), (2,), "none", fill)


ATTRIBUTES = {"units": "K", "клюв": ["é", "🌍", "\"\\\n\t"], "int": 3, "float": 3.0, "big": 2**64 - 1,
              "small": -2**63, "none": None, "deep": {"b": [1, [2.5, {}], []], "a": True},
              "tiny": 5e-324, "scale": 0.01}


def attributes(tool, folder):
    group = zarr.open_group(folder + "/attributes", mode="w", attributes=ATTRIBUTES)
    group.create_array("sub/x", shape=(3,), dtype="int32", chunks=(2,), attributes={"nan": math.nan},
                       dimension_names=("t",))
    ours = json.loads(run(tool, "attributes", folder + "/attributes", ""))
    check("attributes: zarr → ours", ours == ATTRIBUTES and list(ours) == list(ATTRIBUTES))
    check("attributes: a float stays one", isinstance(ours["float"], float))
    ours = json.loads(run(tool, "attributes", folder + "/attributes", "sub/x"))
    check("attributes: NaN", math.isnan(float(ours["nan"])))  # before 3.1 a string
    run(tool, "attributes", folder + "/attributes", "sub/x", json.dumps(ATTRIBUTES, ensure_ascii=False))
    again = zarr.open_group(folder + "/attributes", mode="r")["sub/x"]
    check("attributes: ours → zarr", dict(again.attrs) == ATTRIBUTES)
    check("attributes: dimension names stay", again.metadata.dimension_names == ("t",))
    walk = run(tool, "walk", folder + "/attributes").decode().splitlines()
    check("walk", walk == ["0 group ", "1 group sub", "2 array sub/x"], walk)


def consolidated(tool, folder):
    path = folder + "/consolidated"
    group = zarr.open_group(path, mode="w")
    group.create_array("x", shape=(3,), dtype="float32", chunks=(3,))[...] = 1.5
    zarr.consolidate_metadata(path)
    check("consolidated metadata is passed by",
          run(tool, "read", path, "x") == np.full(3, 1.5, "float32").tobytes())
    run(tool, "attributes", path, "", '{"title": "new"}')
    check("attributes of a consolidated group", dict(zarr.open_group(path, mode="r").attrs) == {"title": "new"})


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    warnings.filterwarnings("ignore")
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        all_arrays(tool, folder)
        attributes(tool, folder)
        consolidated(tool, folder)
    print(f"zarr {zarr.__version__}: {checks - failures} passed, {failures} failed")
    return 1 if failures or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
