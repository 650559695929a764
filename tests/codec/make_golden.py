#!/usr/bin/env python3
"""Writes tests/data/codec/golden.txt: one-chunk arrays as zarr-python stores them.

Made with zarr 3.4.2, numcodecs 0.17.1, cast-value-rs and google-crc32c:
    python tests/codec/make_golden.py > tests/data/codec/golden.txt

A line: data type, shape, fill value (JSON), codecs (JSON), elements, stored chunk, elements as read back
(both as little-endian bytes in hexadecimal; the last is "=" where they are the same), separated by tabs.
"""

import json
import warnings

import numpy as np
import zarr
import zarr.codecs.numcodecs as nc
from zarr.codecs import (BloscCodec, BytesCodec, CastValue, GzipCodec, ScaleOffset, ShardingCodec,
                         TransposeCodec, ZstdCodec)

warnings.simplefilter("ignore")


def line(data, fill=0, **kw):
    store = zarr.storage.MemoryStore()
    kw.setdefault("compressors", None)
    array = zarr.create_array(store, shape=data.shape, chunks=data.shape, dtype=data.dtype,
                              fill_value=fill, config={"write_empty_chunks": True}, **kw)
    array[...] = data
    document = json.loads(store._store_dict["zarr.json"].to_bytes())
    key, = [k for k in store._store_dict if not k.endswith(".json")]
    stored = store._store_dict[key].to_bytes()
    little = data.dtype.newbyteorder("<")
    back = np.asarray(array[...]).astype(little).tobytes()
    given = data.astype(little).tobytes()
    print(document["data_type"], json.dumps(list(data.shape)), json.dumps(document["fill_value"]),
          json.dumps(document["codecs"]), given.hex(), stored.hex(),
          "=" if back == given else back.hex(), sep="\t")


def numbers(dtype, n, seed=1):
    """Some small, some as large as there are."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return np.round(rng.normal(size=n) * 100, 2).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, n).astype(dtype)
    info = np.iinfo(dtype)
    small = rng.integers(0, 100, n)
    large = rng.integers(info.min, info.max, n, dtype=dtype, endpoint=True)
    return np.where(rng.integers(0, 4, n) == 0, large, small.astype(dtype)).astype(dtype)


def compressors():
    data = (np.arange(60) // 7).astype("i4").reshape(5, 12)
    for codec in (nc.Shuffle(elementsize=4), nc.Shuffle(), nc.LZ4(acceleration=1), nc.Zlib(level=1),
                  nc.BZ2(level=9), nc.Zstd(level=3), nc.GZip(level=1), nc.CRC32(), nc.CRC32C(),
                  nc.Adler32(), nc.CRC32(location="end"), nc.CRC32C(location="start"),
                  nc.Adler32(location="end"), nc.Fletcher32(),
                  nc.Blosc(cname="lz4", clevel=5, shuffle=-1), GzipCodec(level=9),
                  ZstdCodec(level=1, checksum=True)):
        line(data, compressors=codec)
    line(data[:1, :5].astype("u1"), compressors=nc.Fletcher32())
    line(data, compressors=[nc.Shuffle(elementsize=4), nc.Zlib(level=9), nc.Adler32()])
    for cname in ("blosclz", "lz4", "lz4hc", "zlib", "zstd"):
        for shuffle in ("noshuffle", "shuffle", "bitshuffle"):
            line((np.arange(200) // 7).astype("f4"),
                 compressors=BloscCodec(cname=cname, clevel=5, shuffle=shuffle, typesize=4, blocksize=0))


def filters():
    for dtype in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "f2"):
        line(numbers(dtype, 23), filters=[nc.Delta(dtype=dtype)])
    line(np.arange(100, 160, 2, dtype="i4").reshape(5, 6), filters=[nc.Delta(dtype="<i4", astype="<i2")])
    line(np.arange(100, 160, 2, dtype="f8"), filters=[nc.Delta(dtype="<f8", astype="<f4")])
    line(numbers("i4", 700), filters=[nc.Delta(dtype="<i4")])
    x = np.linspace(1000, 1001, 20)
    for dtype, astype in (("f8", "u1"), ("f4", "i2"), ("f8", "f4"), ("f8", "i8")):
        line(x.astype(dtype), fill=0,
             filters=[nc.FixedScaleOffset(offset=1000, scale=100, dtype="<" + dtype, astype="<" + astype)])
    line(numbers("i2", 30) // 64, filters=[nc.FixedScaleOffset(offset=1.5, scale=2, dtype="<i2", astype="<i4")])
    for dtype in ("f2", "f4", "f8"):
        for digits in (0, 1, 3):
            line(numbers(dtype, 20) / 100, filters=[nc.Quantize(digits=digits, dtype="<" + dtype)])
        for bits in (0, 3, 7):
            line(numbers(dtype, 20), filters=[nc.BitRound(keepbits=bits)])
    line(numbers("i4", 9) % 100, filters=[nc.AsType(encode_dtype="<i2", decode_dtype="<i4")])
    for n in (1, 7, 8, 9, 40):
        line(numbers("?", n, n), fill=False, filters=[nc.PackBits()])
    line(numbers("i4", 12).reshape(3, 4), filters=[TransposeCodec(order=(1, 0)), nc.Delta(dtype="<i4")],
         compressors=nc.Zlib(level=1))


def extensions():
    reals = np.array([0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 100.25, -100.75, 127, -128])
    for rounding in ("nearest-even", "towards-zero", "towards-positive", "towards-negative", "nearest-away"):
        line(reals, filters=[CastValue(data_type="int8", rounding=rounding)])
        line(np.array([1 / 3, -1 / 3, 1e-45, -1e-46, 65504.0, 1e-7, 0.1, -0.1]),
             filters=[CastValue(data_type="float32", rounding=rounding)])
        line(np.array([2**60 + 1, -2**60 - 1, 2**24 + 1, 2**53 + 1, 7]),
             filters=[CastValue(data_type="float32", rounding=rounding, out_of_range="clamp")])
        line(np.array([1 / 3, -1 / 3, 1e-8, -1e-8, 6e-8, 65504.0, 0.1, 1024.5]),
             filters=[CastValue(data_type="float16", rounding=rounding)])
    line(np.array([128.0, -129.0, 1e30, -1e30, 255.5, 3.0]),
         filters=[CastValue(data_type="int8", out_of_range="clamp")])
    line(np.array([128.0, -129.0, 300.5, 65536.0 + 7, 3.0]),
         filters=[CastValue(data_type="int8", out_of_range="wrap")])
    line(np.array([-1, 256, 300, 5, -32768], dtype="i2"),
         filters=[CastValue(data_type="uint8", out_of_range="clamp")])
    line(np.array([-1, 256, 300, 5, -32768], dtype="i2"),
         filters=[CastValue(data_type="uint8", out_of_range="wrap")])
    line(np.array([1e300, -1e300, 1e39, 2.0]),
         filters=[CastValue(data_type="float32", out_of_range="clamp")])
    line(np.array([0.0, 2540, np.nan, 100]), fill=np.nan,
         filters=[ScaleOffset(offset=-10, scale=0.1),
                  CastValue(data_type="uint8", scalar_map={"encode": [["NaN", 0]], "decode": [[0, "NaN"]]})])
    line(np.array([1000, 1255, 1100], dtype="u2"), fill=1000,
         filters=[ScaleOffset(offset=1000), CastValue(data_type="uint8")])
    for dtype in ("f2", "f4", "f8"):
        line(numbers(dtype, 20), filters=[ScaleOffset(offset=5, scale=0.1)])
    for dtype in ("i1", "i4", "i8", "u4", "u8"):
        line((np.arange(20) + 10).astype(dtype), fill=10, filters=[ScaleOffset(offset=7, scale=3)])
    line(np.array([7, 7, 9, 7, 8, 7, 7, 7], dtype="i4"), fill=7,
         filters=[ScaleOffset(offset=7), CastValue(data_type="int8")],
         serializer=ShardingCodec(chunk_shape=(2,), codecs=[BytesCodec(endian=None)]))


compressors()
filters()
extensions()
