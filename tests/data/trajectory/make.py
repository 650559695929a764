#!/usr/bin/env python3
"""Write recordings as docs/format/trajectory.md lays them out, by h5py: make.py DIR

closed.h5   all kinds of groups, compressed and not, a nested tree, types that NumPy lacks
open.h5     the same as a writer leaves it that was killed: flags of the superblock set, an unfinished chunk
            that is stored raw, extents past the rows that count
clash.h5    leaves whose names meet as paths
Needs h5py 3.16 (HDF5 2.0, bounds v110).
"""

import json
import struct
import sys

import h5py
import numpy as np

ROWS, CHUNK = 37, 8


def leaf():
    return {"kind": "leaf"}


def tree(names):
    return {"kind": "dict", "keys": list(names), "children": [leaf() for _ in names]}


def positions(row):
    return (np.arange(60, dtype="f4").reshape(20, 3) + row).astype("f4")


def lay(file, name, data, *, maxshape=None, chunks=None, filters=None):
    """A leaf, chunk by chunk; filters "gzip" means shuffle and gzip."""
    options = {}
    if chunks:
        options = {"chunks": chunks, "maxshape": maxshape}
        if filters:
            options.update(compression="gzip", compression_opts=4, shuffle=True)
    return file.create_dataset(name, data=data, **options)


def number(file, name, value, dtype):
    file.create_dataset(name, data=np.array(value, dtype=dtype))


def schema(groups):
    names = [group["name"] for group in groups]
    return {
        "varvite_recording": 1,
        "config": tree([name[7:-2] for name in names]),
        "groups": groups,
        "created": "2026-01-01T00:00:00Z",
    }


def entry(name, frequency, leaves, shape=None):
    return {
        "name": f"group['{name}']",
        "frequency": frequency,
        "tree": shape or tree([one[0][7:-2] for one in leaves]),
        "leaves": [{"name": n, "dtype": d, "shape": s} for n, d, s in leaves],
        "compression": "gzip:4",
    }


def begin(path, groups):
    file = h5py.File(path, "w", libver=("v110", "v110"))
    file.attrs["group_names"] = json.dumps([group["name"] for group in groups])
    file.attrs["config_class_name"] = "builtins.dict"
    text = json.dumps(schema(groups)).encode()
    file.create_dataset("varvite_schema", data=np.array(text, dtype=h5py.string_dtype("utf-8", len(text))))
    for group in groups:
        made = file.create_group(group["name"])
        made.attrs["data_class_name"] = "builtins.dict"
        made.attrs["paths"] = json.dumps([one["name"] for one in group["leaves"]])
    return file


INIT = entry("init", "once", [("array['box']", "float64", [3, 3]), ("array['natoms']", "int64", [])])
STEP = entry(
    "step",
    {"every": 10},
    [("array['energy']", "float64", []), ("array['forces']['bond']", "float32", [4]),
     ("array['forces']['lj']", "float32", [4]), ("array['half']", "bfloat16", [2]),
     ("array['moved']", "bool", [3]), ("array['positions']", "float32", [20, 3])],
    {"kind": "dict", "keys": ["energy", "forces", "half", "moved", "positions"],
     "children": [leaf(), tree(["bond", "lj"]), leaf(), leaf(), leaf()]},
)
MOVES = entry("moves", {"placed": [5]}, [("array['accepted']", "float64", [2])])


def fill(file, rows, room):
    """Of each leaf of step room rows, of which the last are no rows yet."""
    init, step, moves = (file[f"group['{n}']"] for n in ("init", "step", "moves"))
    lay(init, "array['box']", np.eye(3) * 10)
    lay(init, "array['natoms']", np.int64(20))
    number(init, "rows", 1, "u8")
    at = np.arange(room)
    one = lambda name, data, filters=None: lay(
        step, name, data, maxshape=(None, *data.shape[1:]), chunks=(CHUNK, *data.shape[1:]),
        filters=filters)
    one("array['energy']", -1.5 * at, "gzip")
    one("array['forces']['bond']", (at[:, None] * np.ones(4)).astype("f4"))
    one("array['forces']['lj']", (at[:, None] - np.arange(4)).astype("f4"), "gzip")
    one("array['half']", np.stack([at, at + 1], 1).astype("<u2").view("V2"))
    one("array['moved']", (at[:, None] % np.array([2, 3, 5])) == 0)
    one("array['positions']", np.stack([positions(row) for row in at]), "gzip")
    one("steps", 10 * at.astype("i8"))
    number(step, "rows", rows, "u8")
    lay(moves, "array['accepted']", np.array([[0, 1], [0, 0], [2, 3], [3, 4], [0, 0]], "f8"))
    lay(moves, "written", np.array([1, 0, 1, 1, 0], "u1"))
    number(moves, "rows", 3, "u8")
    number(file, "next_step", 10 * (rows - 1) + 1, "i8")


def lookup3(data):
    """The checksum of HDF5's metadata, Bob Jenkins' hashlittle."""
    m = 0xFFFFFFFF
    rot = lambda x, k: ((x << k) | (x >> (32 - k))) & m
    a = b = c = (0xDEADBEEF + len(data)) & m
    while len(data) > 12:
        x, y, z = struct.unpack("<III", data[:12])
        a, b, c = (a + x) & m, (b + y) & m, (c + z) & m
        for k in (4, 6, 8, 16, 19, 4):
            a = ((a - c) & m) ^ rot(c, k)
            c = (c + b) & m
            a, b, c = b, c, a
        data = data[12:]
    if data:
        x, y, z = struct.unpack("<III", data.ljust(12, b"\0"))
        a, b, c = (a + x) & m, (b + y) & m, (c + z) & m
        for k in (14, 11, 25, 16, 4, 14, 24):
            c = ((c ^ b) - rot(b, k)) & m
            a, b, c = b, c, a
        return b
    return c


def mark_open(path):
    with open(path, "r+b") as file:
        head = bytearray(file.read(48))
        head[11] = 5
        head[44:48] = struct.pack("<I", lookup3(bytes(head[:44])))
        file.seek(0)
        file.write(head)


def main(directory):
    file = begin(f"{directory}/closed.h5", [INIT, STEP, MOVES])
    fill(file, ROWS, ROWS)
    file.attrs["actual_steps"] = 10 * (ROWS - 1) + 1
    file.close()

    path = f"{directory}/open.h5"
    file = begin(path, [INIT, STEP, MOVES])
    fill(file, ROWS, ROWS + 3)
    energy = file["group['step']/array['energy']"]
    tail = np.zeros(CHUNK)
    tail[: ROWS + 3 - 32] = -1.5 * np.arange(32, ROWS + 3)
    energy.id.write_direct_chunk((32,), tail.tobytes(), filter_mask=3)
    file.close()
    mark_open(path)

    names = ["array['a']", "array['a']['b']", "array['steps']", "array['x/y']", "array['.']"]
    clash = entry("same", {"every": 1}, [(n, "int32", []) for n in names])
    clash["leaves"][1]["name"] = "array['a/b']"
    clash["tree"] = tree(["a", "a/b", "steps", "x/y", "."])
    file = begin(f"{directory}/clash.h5", [clash])
    group = file["group['same']"]
    for i, one in enumerate(clash["leaves"]):
        lay(group, one["name"], np.arange(4, dtype="i4") + 10 * i, maxshape=(None,), chunks=(4,))
    lay(group, "steps", np.arange(4, dtype="i8"), maxshape=(None,), chunks=(4,))
    number(group, "rows", 4, "u8")
    file.close()


main(sys.argv[1])
