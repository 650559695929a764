#!/usr/bin/env python3
"""Arrays by us and by zarr-python, TensorStore and zarrs, in both directions, bit for bit.

usage: array_matrix.py ZARR_TOOL [--zarrs PROGRAM] [--long] [--only TEXT]

Every element type with every codec chain that goes with it; shapes (none, empty, prime, one to six
dimensions, shorter than a chunk), spellings of chunk keys and fill values take turns. What we write is
read by everybody, what anybody writes is read by us, and a part that we overwrite in what they wrote is
read by them. --long takes all combinations, and all shapes with some; else every third.

What somebody cannot do is in CANNOT, with the reason; an entry without a failure any more is stale and
fails the test.
"""
import argparse
import collections
import fnmatch
import pathlib
import shutil
import sys
import tempfile
import warnings

import numpy as np

import array_cases
import array_peers

Entry = collections.namedtuple("Entry", "who dtype chain reason")
READS, WRITES = "reads", "writes"

# (who, type, chain, why): names may hold *. "crashes" at the beginning: not tried, it ends the process.
CANNOT = [Entry(*fields) for fields in (
    ("tensorstore", "r24", "*", "crashes: a check of its own fails on raw bits"),
    ("tensorstore", "raw_bytes", "*", "crashes: the same"),
    ("tensorstore", "fixed_length_utf32", "*", "no such element type"),
    ("tensorstore", "null_terminated_bytes", "*", "no such element type"),
    ("tensorstore", "numpy.*", "*", "no such element type"),
    ("tensorstore", "string", "*", "no such element type"),
    ("tensorstore", "bytes", "*", "no such element type"),
    ("tensorstore", "*", "numcodecs-*", "no such codec"),
    ("tensorstore", "*", "packbits", "no such codec"),
    ("tensorstore", "*", "cast_value", "no such codec"),
    ("tensorstore", "*", "scale_offset", "no such codec"),
    ("zarr*-python*", "bfloat16", "*", "no such element type"),
    ("zarr*-python*", "r24", "*", "no such element type under this name"),
    ("zarr*-python*", "*", "packbits", "no such codec"),
    ("zarrs-python", "raw_bytes", "*", "no such element type under this name"),
    ("zarrs-python", "fixed_length_utf32", "*", "no such element type"),
    ("zarrs-python", "null_terminated_bytes", "*", "no such element type"),
    ("zarrs-python", "numpy.*", "*", "takes element types of zarr-python by NumPy's kind, not times"),
    ("zarrs-python", "string", "*", "no elements of variable length"),
    ("zarrs-python", "bytes", "*", "no elements of variable length"),
    ("zarrs-python", "*", "numcodecs-delta", "no such codec"),
    ("zarrs-python", "*", "numcodecs-lz4", "no such codec"),
    ("zarrs-python", "*", "*transpose* scalar", "refuses an empty order"),
    ("zarrs-python", "*", "cast_value", "no such codec"),
    ("zarrs-python", "*", "scale_offset", "no such codec"),
    ("zarrs-python", "complex*", "big*", "swaps the two halves of a complex number"),
    ("zarr*-python*", "*", "transposed-shards", "holds the inner chunks against the shape before it is transposed"),
    ("tensorstore", "*", "sharded+crc32c", "no codec behind shards"),
    ("zarrs", "r24", "*", "reads raw bits as r24 only; we write raw_bytes, as zarr-python does"),
    ("zarrs", "raw_bytes", "*", "no such element type under this name"),
    ("zarrs", "null_terminated_bytes", "*", "no such element type"),
    ("zarrs", "*", "*transpose* scalar", "refuses an empty order"),
    ("zarrs", "*", "numcodecs-delta", "no such codec"),
    ("zarrs", "*", "numcodecs-lz4", "no such codec"),
    ("zarrs", "*", "cast_value", "no such codec"),
    ("zarrs", "*", "scale_offset", "no such codec"),
    ("zarrs", "string", "*transpose*", "does not turn the shape round when it reads"),
    ("zarrs", "bytes", "*transpose*", "does not turn the shape round when it reads"),
    ("zarrs", "bytes", "sharded-blosc 13", "loses an inner chunk of empty elements"),
)]

tried = collections.Counter()
failed_as_said = collections.Counter()
failures = []
passed = 0
verbose = False


def entries(who, case):
    return [entry for entry in CANNOT if fnmatch.fnmatch(who, entry.who)
            and fnmatch.fnmatch(case.dtype.name, entry.dtype)
            and any(fnmatch.fnmatch(text, entry.chain) for text in (case.chain, case.chain_and_shape))]


def attempt(who, case, what, work):
    """Do it; note a failure, unless the table says that it fails."""
    global passed
    known = entries(who, case)
    if verbose:
        print(who, what, case.name, file=sys.stderr, flush=True)
    if any(entry.reason.startswith("crashes") for entry in known):
        return False
    try:
        why = work()
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    for entry in known:
        tried[entry] += 1
        if why:
            failed_as_said[entry] += 1
    if why and not known:
        failures.append((who, what, case.name, why))
    passed += not why
    return not why


def differs(case, found, wanted):
    """None, or where the first difference is."""
    found, dtype = np.asarray(found), case.dtype
    if found.shape != wanted.shape:
        return f"shape {found.shape}, not {wanted.shape}"
    if dtype.stream(found) == dtype.stream(wanted):
        return None
    for i, (a, b) in enumerate(zip(found.reshape(-1), wanted.reshape(-1))):
        one, other = (dtype.stream(np.array([v], dtype=wanted.dtype)) for v in (a, b))
        if one != other:
            return f"element {i}: read {a!r} {one.hex()}, not {b!r} {other.hex()}"
    return "not the same"


class Matrix:
    def __init__(self, ours, peers, folder):
        self.ours, self.peers, self.folder, self.number = ours, peers, folder, 0

    def place(self):
        self.number += 1
        return self.folder / f"a{self.number}"

    def run(self, case):
        wanted = case.elements()
        place = self.place()
        if attempt("varvite", case, WRITES, lambda: self.ours.create(place, case, wanted)):
            attempt("varvite", case, "reads its own",
                    lambda: differs(case, self.ours.read(place, case), wanted))
            for peer in self.peers:
                attempt(peer.name, case, "reads ours",
                        lambda peer=peer: differs(case, peer.read(place, case), wanted))
        for peer in self.peers:
            self.peer_writes(peer, case, wanted)

    def peer_writes(self, peer, case, wanted):
        place = self.place()
        if not attempt(peer.name, case, WRITES, lambda: peer.create(place, case, wanted)):
            return
        # What it reads back itself is what it wrote.
        if not attempt(peer.name, case, "reads its own",
                       lambda: differs(case, peer.read(place, case), wanted)):
            return
        if not attempt("varvite", case, f"reads {peer.name}",
                       lambda: differs(case, self.ours.read(place, case), wanted)):
            return
        if 0 in case.shape or case.chain in array_cases.LOSSY:
            return
        start = tuple(n // 3 for n in case.shape)
        part = case.dtype.elements(tuple((n + 1) // 2 for n in case.shape), case.fill + 1)
        after = wanted.copy()
        after[tuple(slice(a, a + n) for a, n in zip(start, part.shape))] = part
        if attempt("varvite", case, f"overwrites a part of {peer.name}",
                   lambda: self.ours.update(place, case, start, part)):
            attempt(peer.name, case, "reads what we overwrote",
                    lambda: differs(case, peer.read(place, case), after))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("zarr_tool")
    parser.add_argument("--zarrs")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true", help="say what is tried, before it is")
    options = parser.parse_args()
    global verbose
    verbose = options.verbose
    warnings.simplefilter("ignore")
    peers = array_peers.of_python()
    if options.zarrs:
        peers.append(array_peers.Zarrs(options.zarrs))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="array-matrix-"))
    matrix = Matrix(array_peers.Ours(options.zarr_tool), peers, folder)
    cases = list(array_cases.every(0, 1 if options.long or options.only else 3))
    if options.long:
        cases += array_cases.with_all_shapes(["int16", "float64", "uint8", "complex64", "bool"],
                                             ["raw", "zstd", "transpose", "sharded", "sharded-start",
                                              "sharded-nested", "blosc-lz4-shuffle"])
    for case in cases:
        if options.only in case.name:
            matrix.run(case)
    shutil.rmtree(folder)
    for who, what, name, why in failures:
        print(f"FAILED {who} {what}: {name}: {why}")
    # A part of the cases may by chance hold none that shows a limit which is about some values only.
    enough = 1 if options.long else 12
    stale = [entry for entry in CANNOT if tried[entry] >= enough and not failed_as_said[entry]]
    for entry in stale:
        print(f"STALE {entry}")
    print(f"{len(cases)} arrays, {passed} passed, {len(failures)} failed, {len(CANNOT)} known limits, {len(stale)} stale")
    sys.exit(bool(failures or stale))


if __name__ == "__main__":
    main()
