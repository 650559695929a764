#!/usr/bin/env python3
"""Arrays of Zarr version 2, written by zarr-python, read by us, bit for bit.

usage: array_v2.py ZARR_TOOL

Every element type in both byte orders, rows and columns first, filters, compressors, both separators, no
fill value, chunks left out; and groups with and without consolidated metadata.
"""
import itertools
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numcodecs
import numpy as np
import zarr

KINDS = ["|b1", "|i1", "|u1"]
KINDS += [order + kind for kind in ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16",
                                    "M8[ns]", "M8[10D]", "m8[us]", "U3") for order in "<>"]
KINDS += ["|S5", "|V3"]
COMPRESSORS = {
    "none": None, "zlib": numcodecs.Zlib(4), "gzip": numcodecs.GZip(1), "bz2": numcodecs.BZ2(1),
    "lz4": numcodecs.LZ4(), "lzma": numcodecs.LZMA(preset=1), "zstd": numcodecs.Zstd(1),
    "blosc-lz4": numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE),
    "blosc-zstd": numcodecs.Blosc("zstd", 3, numcodecs.Blosc.BITSHUFFLE),
    "blosc-zlib": numcodecs.Blosc("zlib", 1, numcodecs.Blosc.NOSHUFFLE),
    "blosc-auto": numcodecs.Blosc("blosclz", 5, numcodecs.Blosc.AUTOSHUFFLE),
}
SHAPES = [((7, 11), (3, 4)), ((13,), (5,)), ((), ()), ((4, 3, 5), (2, 3, 2)), ((0,), (3,)), ((3,), (8,))]


def values(kind, shape, seed):
    rng, dtype = np.random.default_rng(seed), np.dtype(kind)
    n = int(np.prod(shape))
    if dtype.kind == "b":
        out = rng.integers(0, 2, n).astype(dtype)
    elif dtype.kind == "U":
        out = np.array([rng.choice(["", "añ", "日本", "xyz"]) for _ in range(n)], dtype=dtype)
    elif dtype.kind in "fc":
        out = (rng.standard_normal(n) * 50).astype(dtype)
    else:
        out = np.frombuffer(rng.bytes(n * dtype.itemsize), dtype=dtype).copy()
    out[n // 2:n // 2 + 8] = np.zeros(1, dtype)[0]
    return out.reshape(shape)


def filters_for(kind):
    """Chains of filters that lose nothing on these elements."""
    dtype = np.dtype(kind)
    yield "no filter", None
    if dtype.kind in "iu":
        yield "delta", [numcodecs.Delta(dtype=kind)]
    if dtype.itemsize > 1 and dtype.kind not in "UV":
        yield "shuffle", [numcodecs.Shuffle(dtype.itemsize)]
    if dtype.kind == "b":
        yield "packbits", [numcodecs.PackBits()]


class Check:
    def __init__(self, tool, folder):
        self.tool, self.folder, self.passed, self.failures, self.number = tool, folder, 0, [], 0

    def read(self, name):
        done = subprocess.run([self.tool, "read", self.folder, name], capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace").strip())
        return done.stdout

    def equal(self, what, name, wanted):
        """wanted: bytes as ours gives them."""
        try:
            found = self.read(name)
        except RuntimeError as error:
            self.failures.append(f"{what}: {error}")
            return
        if found == wanted:
            self.passed += 1
        else:
            self.failures.append(f"{what}: {found[:32].hex()}, not {wanted[:32].hex()}")

    def array(self, kind, chain, filters, compressor, shape, chunks, order, separator, fill):
        self.number += 1
        name = f"a{self.number}"
        what = f"{kind} {chain} {compressor} {shape} {order} '{separator}' fill {fill!r}"
        array = zarr.create_array(str(self.folder), name=name, shape=shape, chunks=chunks, dtype=kind,
                                  zarr_format=2, filters=filters, compressors=COMPRESSORS[compressor],
                                  order=order, fill_value=fill,
                                  chunk_key_encoding={"name": "v2", "separator": separator})
        written = values(kind, shape, self.number)
        array[...] = written
        back = np.asarray(zarr.open_array(str(self.folder), path=name, mode="r", zarr_format=2)[...])
        native = np.asarray(back, dtype=np.dtype(kind).newbyteorder("="))
        self.equal(what, name, np.ascontiguousarray(native).tobytes())


def everything(check):
    turns = itertools.cycle(itertools.product(SHAPES, "CF", "./"))
    compressors = itertools.cycle(COMPRESSORS)
    for kind in KINDS:
        for chain, filters in filters_for(kind):
            for compressor in itertools.islice(compressors, 4):
                (shape, chunks), order, separator = next(turns)
                zero = np.zeros(1, np.dtype(kind))[0]
                check.array(kind, chain, filters, compressor, shape, chunks, order, separator, zero)
    for compressor, order in itertools.product(COMPRESSORS, "CF"):
        check.array("<i4", "no filter", None, compressor, (7, 11), (3, 4), order, ".", 7)
    offset = numcodecs.FixedScaleOffset(offset=10, scale=8, dtype="<f8", astype="<i4")
    for order in "CF":
        check.array("<f8", "fixedscaleoffset", [offset], "zlib", (7, 11), (3, 4), order, ".", 0.0)


def texts(check):
    """Elements of variable length, which version 2 stores as objects."""
    for codec, dtype, words in ((numcodecs.VLenUTF8(), "string", ["", "a", "日本語", "xyz" * 9, "é"]),
                                (numcodecs.VLenBytes(), "bytes", [b"", b"\0", b"abc", b"\xff" * 9, b"q"])):
        check.number += 1
        name = f"a{check.number}"
        kind = str if dtype == "string" else zarr.dtype.VariableLengthBytes()
        array = zarr.create_array(str(check.folder), name=name, shape=(5,), chunks=(2,), dtype=kind,
                                  zarr_format=2, compressors=numcodecs.Zstd(1))
        array[...] = np.array(words, dtype=object)
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        check.equal(f"{dtype} {codec}", name,
                    b"".join(len(part).to_bytes(4, "little") + part for part in parts))


def groups(check):
    """A tree of version 2 and of version 3, with consolidated metadata, from the outside."""
    for version in (2, 3):
        folder = check.folder / f"tree{version}"
        root = zarr.create_group(str(folder), zarr_format=version, attributes={"title": "a tree"})
        root.create_group("inner").create_array("x", shape=(4,), chunks=(2,), dtype="i4")[...] = range(4)
        root.create_array("y", shape=(3,), chunks=(3,), dtype="f8")[...] = 1.5
        for consolidated in (False, True):
            if consolidated:
                zarr.consolidate_metadata(str(folder), zarr_format=version)
            walked = subprocess.run([check.tool, "walk", folder], capture_output=True, check=False)
            lines = walked.stdout.decode().split("\n")[:-1]
            wanted = ["0 group ", "1 group inner", "2 array inner/x", "1 array y"]
            if lines == wanted:
                check.passed += 1
            else:
                check.failures.append(f"tree of version {version}, consolidated {consolidated}: {lines}"
                                      f" {walked.stderr.decode()}")
            check.equal(f"tree {version} x", f"tree{version}/inner/x", np.arange(4, dtype="<i4").tobytes())
            check.equal(f"tree {version} y", f"tree{version}/y", np.full(3, 1.5).tobytes())


def main():
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="array-v2-") as folder:
        check = Check(sys.argv[1], pathlib.Path(folder))
        everything(check)
        texts(check)
        groups(check)
    for failure in check.failures:
        print(f"FAILED {failure}")
    print(f"zarr {zarr.__version__}, version 2: {check.passed} passed, {len(check.failures)} failed")
    sys.exit(bool(check.failures))


if __name__ == "__main__":
    main()
