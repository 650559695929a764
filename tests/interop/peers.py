"""What the interoperability tests share: CAR files read and written here, on their own terms, the
varvite command, and comparison with xarray."""
import os
import pathlib
import shutil
import subprocess
import sys

import numpy
import xarray

CLIMATE = "/usr/share/ferret-vis/data/coads_climatology.cdf"


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


class Varvite:
    """The command, with a store of its own in a new directory."""

    def __init__(self, binary, work):
        self.binary = binary
        self.work = pathlib.Path(work)
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.environment = dict(os.environ, VARVITE_STORE=str(self.work / "store"))
        self("init")

    def __call__(self, *arguments):
        done = subprocess.run([self.binary, "-q", *map(str, arguments)], env=self.environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            raise SystemExit(f"FAILED: varvite {' '.join(map(str, arguments))}: "
                             f"exit status {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def text(self, *arguments):
        return self(*arguments).decode().strip()


def sources():
    """netCDF files of others: netCDF-3 from Debian, netCDF-4 from iris-sample-data."""
    found = [CLIMATE] if os.path.exists(CLIMATE) else []
    samples = os.environ.get("IRIS_SAMPLE_DATA")
    if samples:
        found += [str(path) for path in sorted(pathlib.Path(samples).glob("*.nc"))
                  if path.read_bytes()[:4] == b"\x89HDF"]
    if not found:
        skip("neither ferret-datasets nor iris-sample-data is here")
    return [Source(path) for path in found]


# How files are compared: as they lie there, with masks and scales applied, with times decoded.
STORED = dict(decode_cf=False)
MASKED = dict(decode_times=False)
DECODED = dict()


# Kinds of NumPy types that hold text: which one xarray chooses is no matter.
TEXT = "OSUT"


class Source:
    """A netCDF file. Its variables of text are compared where xarray decodes them: as they are
    stored, chars have a dimension more than the strings that become of them."""

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        stored = xarray.open_dataset(path, engine="netcdf4", decode_cf=False)
        self.text = [name for name, v in stored.variables.items() if v.dtype.kind in TEXT]
        self.options = []

    def open(self, **options):
        return self.comparable(xarray.open_dataset(self.path, engine="netcdf4", **options), options)

    def comparable(self, dataset, options):
        """Without what cannot be compared in that way of opening it."""
        return dataset.drop_vars(self.text) if options == STORED else dataset

    def ways(self):
        """Ways in which xarray can open the file; some times it cannot decode (of the year 0)."""
        try:
            self.open(**DECODED).load()
        except ValueError:
            return STORED, MASKED
        return STORED, MASKED, DECODED



# ---- CAR files -----------------------------------------------------------------------------------

def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _put_varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _cid_end(data, at):
    """Where the CID that begins at a byte ends, and where its multihash begins."""
    if data[at:at + 2] == b"\x12\x20":
        return at + 34, at
    _, codec = _varint(data, at)
    _, multihash = _varint(data, codec)
    _, length = _varint(data, multihash)
    size, digest = _varint(data, length)
    return digest + size, multihash


def read_car(path):
    """multihash → block, of a CARv1 or a CARv2."""
    data = pathlib.Path(path).read_bytes()
    if data[:11] == b"\x0a\xa1\x67version\x02":
        start = int.from_bytes(data[27:35], "little")
        data = data[start:start + int.from_bytes(data[35:43], "little")]
    length, at = _varint(data, 0)
    at += length
    blocks = {}
    while at < len(data):
        length, at = _varint(data, at)
        end, multihash = _cid_end(data, at)
        blocks[data[multihash:end]] = data[end:at + length]
        at += length
    return blocks


def root_of(path):
    """The multihash of the first root of a CARv1."""
    data = pathlib.Path(path).read_bytes()
    at = data.index(b"\xd8\x2a\x58") + 5
    end, multihash = _cid_end(data, at)
    return data[multihash:end]


def write_car(path, root, blocks):
    """A CARv1 of (CID bytes, block) pairs."""
    header = (b"\xa2\x65roots\x81\xd8\x2a\x58" + bytes([len(root) + 1]) + b"\x00" + root
              + b"\x67version\x01")
    with open(path, "wb") as out:
        out.write(_put_varint(len(header)) + header)
        for cid, block in blocks:
            out.write(_put_varint(len(cid) + len(block)) + cid + block)


# ---- comparing -----------------------------------------------------------------------------------

def same_attribute(ours, theirs):
    if isinstance(theirs, str) or isinstance(ours, str):
        return ours == theirs
    return numpy.array_equal(numpy.asarray(ours), numpy.asarray(theirs), equal_nan=True)


def compare_variables(name, ours, theirs):
    """Differences of two xarray variables, as lines."""
    if ours.dims != theirs.dims:
        yield f"{name}: dimensions {ours.dims}, not {theirs.dims}"
        return
    left, right = numpy.asarray(ours.values), numpy.asarray(theirs.values)
    if left.dtype.kind in TEXT and right.dtype.kind in TEXT:
        left, right = left.astype(object), right.astype(object)
    elif ours.dtype != theirs.dtype:
        yield f"{name}: {ours.dtype}, not {theirs.dtype}"
    if left.shape != right.shape:
        yield f"{name}: shape {left.shape}, not {right.shape}"
    elif not numpy.array_equal(left, right, equal_nan=left.dtype.kind == "f"):
        yield f"{name}: other values"
    for key in theirs.attrs:
        if key not in ours.attrs:
            yield f"{name}: no attribute {key}"
        elif not same_attribute(ours.attrs[key], theirs.attrs[key]):
            yield f"{name}: attribute {key} is {ours.attrs[key]!r}, not {theirs.attrs[key]!r}"


def compare_datasets(ours, theirs):
    """Differences of what we made and what it was made from, as lines."""
    for name in theirs.variables:
        if name not in ours.variables:
            yield f"{name}: missing"
        else:
            yield from compare_variables(name, ours[name].variable, theirs[name].variable)
    for name in set(ours.variables) - set(theirs.variables):
        yield f"{name}: not in the source"
    if dict(ours.sizes) != dict(theirs.sizes):
        yield f"dimensions {dict(ours.sizes)}, not {dict(theirs.sizes)}"
    for key in theirs.attrs:
        if key not in ours.attrs or not same_attribute(ours.attrs[key], theirs.attrs[key]):
            yield f"global attribute {key} is {ours.attrs.get(key)!r}, not {theirs.attrs[key]!r}"


def report(what, differences):
    """Print and count."""
    differences = list(differences)
    for line in differences:
        print(f"FAILED: {what}: {line}")
    if not differences:
        print(f"equal: {what}")
    return len(differences)
