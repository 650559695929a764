"""What the matrix of arrays is made of: element types, codec chains, shapes, chunk keys, fill values."""
import base64
import dataclasses
import itertools
import math
import struct

import ml_dtypes
import numpy as np

# ---- element types -------------------------------------------------------------------------------


class Dtype:
    """An element type: Zarr's name for it, ours, NumPy's, and its fill values."""

    def __init__(self, name, kind, fills, data_type=None, ours=None, options=(), serializer="bytes"):
        self.name, self.numpy = name, None if kind is None else np.dtype(kind)
        self.fills, self.serializer = fills, serializer
        self.data_type = data_type or name
        self.ours = ours or name
        self.options = list(options)

    @property
    def variable(self):
        return self.serializer != "bytes"

    @property
    def word(self):
        """Has it a byte order?"""
        kind = self.numpy
        return not self.variable and kind.kind not in "SVb?" and kind.itemsize > 1 or self.name == "bfloat16"

    @property
    def plain(self):
        """Integers and the usual floating-point numbers."""
        return not self.variable and self.numpy.kind in "iuf"

    def fill(self, number):
        return self.fills[number % len(self.fills)][0]

    def fill_json(self, number):
        return self.fills[number % len(self.fills)][1]

    def elements(self, shape, seed):
        """Elements with special ones among them, and a stretch of fill values for chunks left out."""
        rng = np.random.default_rng(seed)
        n = math.prod(shape)
        out = self.draw(rng, n)
        stretch = slice(n // 2, n // 2 + max(6, n // 3))
        out[stretch] = self.fill(seed)
        return out.reshape(shape)

    def draw(self, rng, n):
        kind = self.numpy
        if self.name == "string":
            return np.array([rng.choice(["", "a", "héé", "日本語", "x" * 40]) for _ in range(n)] + [None],
                            dtype=object)[:-1]
        if self.name == "bytes":
            return np.array([rng.bytes(int(rng.integers(0, 20))) for _ in range(n)] + [None],
                            dtype=object)[:-1]
        if kind.kind == "U":
            return np.array([rng.choice(["", "añ", "日本", "xyz"]) for _ in range(n)], dtype=kind)
        if kind.kind == "b":
            return rng.integers(0, 2, n).astype(kind)
        if self.name == "bfloat16" or kind.kind in "fc":
            # Any bits but signalling NaN, which a conversion in a peer may make quiet.
            out = (rng.standard_normal(n) * 100).astype(np.float32).astype(kind)
            if kind.kind == "c":
                out = (rng.standard_normal(n) + 1j * rng.standard_normal(n)).astype(kind)
            special = np.array([np.nan, np.inf, -np.inf, -0.0], np.float32).astype(kind)
            out[:4] = special[:n]
            return out
        # Integers, times, raw bits, fixed bytes: any bits (a fixed text of bytes ends before its zeros).
        return np.frombuffer(rng.bytes(n * kind.itemsize), dtype=kind).copy()

    def pack(self, elements):
        """Elements as ours takes and gives them: native bytes; one of variable length as it is."""
        if self.variable:
            value = elements.item()
            return value.encode() if isinstance(value, str) else bytes(value)
        return np.ascontiguousarray(elements.astype(self.numpy)).tobytes()

    def stream(self, elements):
        if not self.variable:
            return np.ascontiguousarray(elements.astype(self.numpy)).tobytes()
        parts = [self.pack(np.array(one, dtype=object)) for one in elements.reshape(-1)]
        return b"".join(struct.pack("<I", len(part)) + part for part in parts)

    def unstream(self, data, shape):
        if not self.variable:
            return np.frombuffer(data, dtype=self.numpy).reshape(shape)
        out, at = [], 0
        while at < len(data):
            (length,) = struct.unpack_from("<I", data, at)
            part = data[at + 4:at + 4 + length]
            out.append(part.decode() if self.name == "string" else part)
            at += 4 + length
        return np.array(out + [None], dtype=object)[:-1].reshape(shape)


def floats(kind):
    info = "0x%0{}x".format(2 * np.dtype(kind).itemsize)

    def bits(value):
        integer = np.array(value, kind).view(f"u{np.dtype(kind).itemsize}")
        return info % int(integer)
    tenth = np.array(0.1, kind)[()]
    return [(0.0, 0.0), (np.nan, "NaN"), (np.inf, "Infinity"), (-np.inf, "-Infinity"),
            (-0.0, -0.0), (tenth, float(tenth)), (tenth, bits(tenth))]


def integers(kind):
    info = np.iinfo(kind)
    return [(0, 0), (int(info.max), int(info.max)), (int(info.min), int(info.min)), (7, 7)]


def of_length(name, kind, length, fills):
    item = np.dtype(kind).itemsize
    return Dtype(name, kind, fills, {"name": name, "configuration": {"length_bytes": length}},
                 options=[f"item={item}"])


def of_time(name, letter, unit, scale):
    return Dtype(f"{name}[{scale}{unit}]", f"{letter}8[{scale}{unit}]",
                 [(np.array(value).view(f"{letter}8[{scale}{unit}]")[()], value)
                  for value in (0, -(1 << 63), 86400)],
                 {"name": name, "configuration": {"unit": unit, "scale_factor": scale}}, ours=name,
                 options=[f"unit={unit}", f"scale={scale}"])


def encoded(value):
    return base64.b64encode(value).decode()


DTYPES = [Dtype("bool", "?", [(False, False), (True, True)])]
DTYPES += [Dtype(name, name, integers(name))
           for name in "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()]
DTYPES += [Dtype(name, name, floats(name)) for name in "float16 float32 float64".split()]
DTYPES += [Dtype(name, name, [(0j, [0.0, 0.0]), (complex(1.5, math.inf), [1.5, "Infinity"]),
                              (complex(-math.inf, 0.25), ["-Infinity", 0.25])])
           for name in "complex64 complex128".split()]
DTYPES += [
    Dtype("bfloat16", ml_dtypes.bfloat16, [(0.0, 0.0), (np.inf, "Infinity"), (0.5, 0.5)]),
    Dtype("r24", "V3", [(np.array(b"\0\0\0", "V3")[()], [0, 0, 0]), (np.array(b"abc", "V3")[()], [97, 98, 99])]),
    Dtype("raw_bytes", "V3", [(np.array(b"\0\0\0", "V3")[()], encoded(b"\0\0\0")),
                              (np.array(b"abc", "V3")[()], encoded(b"abc"))],
          {"name": "raw_bytes", "configuration": {"length_bytes": 3}}, ours="r24"),
    of_length("fixed_length_utf32", "U3", 12, [("", ""), ("日本", "日本")]),
    of_length("null_terminated_bytes", "S5", 5, [(b"", ""), (b"ab", encoded(b"ab"))]),
    of_time("numpy.datetime64", "M", "ns", 1),
    of_time("numpy.datetime64", "M", "D", 10),
    of_time("numpy.timedelta64", "m", "us", 1),
    Dtype("string", None, [("", ""), ("né", "né")], serializer="vlen-utf8"),
    Dtype("bytes", None, [(b"", ""), (b"\x00\xff", encoded(b"\x00\xff"))],
          "variable_length_bytes", ours="bytes", serializer="vlen-bytes"),
]
DTYPE_NAMES = {dtype.name: dtype for dtype in DTYPES}

# ---- codec chains --------------------------------------------------------------------------------


def codec(name, **settings):
    return {"name": name, "configuration": settings}


def first(dtype, endian="little"):
    """The array → bytes codec."""
    if dtype.variable:
        return {"name": dtype.serializer}
    return codec("bytes", endian=endian) if dtype.word else {"name": "bytes"}


def blosc(name, shuffle, level=5):
    return lambda d, n, c: [first(d), codec(
        "blosc", cname=name, clevel=level, shuffle=shuffle, blocksize=0,
        typesize=1 if d.variable else d.numpy.itemsize)]


def behind(*tail):
    return lambda d, n, c: [first(d), *tail]


CRC = {"name": "crc32c"}
ZSTD = codec("zstd", level=1, checksum=False)
INDEX = [codec("bytes", endian="little"), CRC]


def turned(ndim):
    """Neither the identity nor its own inverse from three dimensions on."""
    return [*range(1, ndim), 0] if ndim else []


def sharded(inner, location="end", index=INDEX, before=None):
    """Shards twice as long as chunk, of chunks of that shape."""
    def make(dtype, ndim, chunk):
        head, shape = [], list(chunk)
        if before and ndim:
            head = [codec("transpose", order=turned(ndim))]
            shape = [shape[d] for d in turned(ndim)]
        return [*head, codec("sharding_indexed", chunk_shape=shape, codecs=inner(dtype, ndim, shape),
                             index_codecs=index, index_location=location)]
    return make


def nested(dtype, ndim, chunk):
    """A shard of shards: chunks of one element along each dimension but the last."""
    deep = [1] * (ndim - 1) + list(chunk[-1:])
    return [codec("sharding_indexed", chunk_shape=deep, codecs=[first(dtype), ZSTD],
                  index_codecs=INDEX, index_location="start")]


def transposed(*tail):
    return lambda d, n, c: [codec("transpose", order=turned(n)), first(d), *tail]


def numcodec(name, tail=(), **settings):
    return lambda d, n, c: [first(d), codec(f"numcodecs.{name}", **settings), *tail]


def shuffled(dtype, _ndim, _chunk):
    return [first(dtype), codec("numcodecs.shuffle", elementsize=dtype.numpy.itemsize),
            codec("numcodecs.zlib", level=4)]


def delta(dtype, _ndim, _chunk):
    kind = dtype.numpy.newbyteorder("<").str
    return [codec("numcodecs.delta", dtype=kind, astype=kind), first(dtype), ZSTD]


def scaled(dtype, _ndim, _chunk):
    kind = dtype.numpy.str
    return [codec("numcodecs.fixedscaleoffset", offset=1, scale=4, dtype=kind, astype="<i4"),
            codec("bytes", endian="little")]


# name → (chain, which types). A chain gets the type, the number of dimensions and the chunk shape.
def any_type(_dtype):
    return True


def fixed(dtype):
    return not dtype.variable


CODECS = {
    "raw": (behind(), any_type),
    "big": (lambda d, n, c: [first(d, "big")], lambda d: d.word),
    "big+zstd+crc32c": (lambda d, n, c: [first(d, "big"), ZSTD, CRC], lambda d: d.word),
    "gzip": (behind(codec("gzip", level=6)), any_type),
    "zstd": (behind(ZSTD), any_type),
    "zstd-checksum": (behind(codec("zstd", level=7, checksum=True)), any_type),
    "crc32c": (behind(CRC), any_type),
    "gzip+zstd": (behind(codec("gzip", level=1), ZSTD), any_type),
    "blosc-lz4-shuffle": (blosc("lz4", "shuffle"), any_type),
    "blosc-lz4hc-bitshuffle": (blosc("lz4hc", "bitshuffle"), any_type),
    "blosc-zstd-bitshuffle": (blosc("zstd", "bitshuffle", 3), any_type),
    "blosc-zlib-shuffle": (blosc("zlib", "shuffle"), any_type),
    "blosc-blosclz-noshuffle": (blosc("blosclz", "noshuffle", 9), any_type),
    "transpose": (transposed(), any_type),
    "transpose+zstd": (transposed(ZSTD, CRC), any_type),
    "sharded": (sharded(behind(ZSTD)), any_type),
    "sharded-start": (sharded(behind(CRC), "start"), any_type),
    "sharded-plain-index": (sharded(behind(), "end", INDEX[:1]), any_type),
    "sharded-blosc": (sharded(blosc("lz4", "shuffle")), any_type),
    "sharded-inner-transpose": (sharded(transposed(codec("gzip", level=1))), any_type),
    "transposed-shards": (sharded(behind(ZSTD), before=True), any_type),
    "sharded-nested": (sharded(nested), any_type),
    "sharded+crc32c": (lambda d, n, c: sharded(behind(ZSTD))(d, n, c) + [CRC], any_type),
    "numcodecs-shuffle": (shuffled, fixed),
    "numcodecs-delta": (delta, lambda d: d.plain and d.numpy.kind != "f"),
    "numcodecs-fixedscaleoffset": (scaled, lambda d: d.name in ("float32", "float64")),
    "numcodecs-lz4": (numcodec("lz4", acceleration=1), any_type),
    "numcodecs-zlib": (numcodec("zlib", level=1), any_type),
    "numcodecs-bz2": (numcodec("bz2", level=1), any_type),
    # The byte that counts the bits filled in is always there by the specification; zarrs has none where
    # an element has whole bytes.
    "packbits": (lambda d, n, c: [codec("packbits", padding_encoding="first_byte" if d.name == "bool" else "none")],
                 lambda d: d.name in ("bool", "uint8", "int16")),
    "cast_value": (lambda d, n, c: [codec("cast_value", data_type="int16", out_of_range="clamp"),
                                    codec("bytes", endian="little")],
                   lambda d: d.name in ("float32", "float64", "int32")),
    "scale_offset": (lambda d, n, c: [codec("scale_offset", offset=5, scale=2), first(d)],
                     lambda d: d.name in ("float32", "float64", "int32")),
}
# Chains that keep small whole numbers and no others.
LOSSY = ("numcodecs-fixedscaleoffset", "cast_value", "scale_offset")

# ---- shapes, keys ----------------------------------------------------------------------------------

# (shape, shape of a chunk, or of an inner chunk where there are shards)
SHAPES = [
    ((7, 11), (3, 4)), ((), ()), ((13,), (5,)), ((5, 3, 7), (2, 3, 4)), ((0,), (3,)),
    ((4, 3, 2, 5), (2, 3, 1, 4)), ((3,), (8,)), ((2, 3, 2, 3, 2), (1, 2, 2, 2, 1)),
    ((4, 0), (3, 2)), ((2, 1, 3, 2, 1, 2), (1, 1, 2, 2, 1, 2)), ((17, 19), (17, 19)),
]
KEYS = ["default/", "default.", "v2.", "v2/"]


@dataclasses.dataclass
class Case:
    dtype: Dtype
    chain: str
    shape: tuple
    inner: tuple  # a chunk's shape; an inner chunk's where there are shards
    keys: str
    fill: int  # which of the type's fill values
    split: bool = False  # ours writes it in two calls

    @property
    def sharded(self):
        return "shard" in self.chain

    @property
    def chunks(self):
        return tuple(2 * n for n in self.inner) if self.sharded else self.inner

    @property
    def codecs(self):
        return CODECS[self.chain][0](self.dtype, len(self.shape), self.inner)

    @property
    def chain_and_shape(self):
        return f"{self.chain} {'x'.join(map(str, self.shape)) or 'scalar'}"

    @property
    def name(self):
        return f"{self.dtype.name} {self.chain_and_shape} {self.keys} fill {self.fill}"

    def short_sharding(self):
        return self.chain in ("sharded", "sharded-blosc")

    def document(self):
        kind, separator = self.keys[:-1], self.keys[-1]
        out = {"zarr_format": 3, "node_type": "array", "shape": list(self.shape),
               "data_type": self.dtype.data_type,
               "chunk_grid": codec("regular", chunk_shape=list(self.chunks)),
               "chunk_key_encoding": codec(kind, separator=separator),
               "fill_value": self.dtype.fill_json(self.fill), "codecs": self.codecs,
               "attributes": {"of": "the matrix"}}
        if self.fill % 2:
            out["dimension_names"] = [f"d{i}" for i in range(len(self.shape))]
        return out

    def elements(self):
        if self.chain in LOSSY:
            rng = np.random.default_rng(3)
            return rng.integers(0, 100, self.shape).astype(self.dtype.numpy)
        return self.dtype.elements(self.shape, self.fill)


def every(part, parts):
    """Each type with each chain that goes with it; shape, keys and fill value take turns.

    parts > 1: every so manieth of them, so that each type, chain and shape is still there."""
    combinations = [(dtype, chain) for chain, (_, wanted) in CODECS.items() for dtype in DTYPES
                    if wanted(dtype)]
    for number, (dtype, chain) in enumerate(combinations):
        if number % parts != part % parts:
            continue
        shape, inner = SHAPES[(number * 5 + number // 7) % len(SHAPES)]
        if chain in ("sharded-nested",) and not shape:
            shape, inner = SHAPES[0]
        fill = 0 if chain in LOSSY else number % 7  # what they cannot store is no fill value
        yield Case(dtype, chain, shape, inner, KEYS[number % 4 if number % 3 else 0], fill,
                   split=number % 2 == 1)


def with_all_shapes(dtypes, chains):
    """Each of the chains in each shape and each spelling of keys; types take turns."""
    turn = itertools.cycle(dtypes)
    for chain, (shape, inner), keys in itertools.product(chains, SHAPES, KEYS):
        dtype = next(turn)
        if chain == "sharded-nested" and not shape:
            continue
        yield Case(DTYPE_NAMES[dtype], chain, shape, inner, keys, len(shape), split=len(shape) % 2 == 1)
