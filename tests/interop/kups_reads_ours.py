"""kUPS opens what we recorded, with its own reader: groups, trees, types, values, by row and by slice.

usage: kups_reads_ours.py RECORDER-TOOL WORK-DIRECTORY VARVITE
"""
import json
import pathlib
import shutil
import subprocess
import sys

import hdf5plugin  # noqa: F401  (kUPS 1.0.0 reads without filters)
import jax
import numpy as np

import kups_cases as cases
from kups.core import storage

STEPS, EVERY, SEEDS = 23, 3, 24
CODECS = ["none", "zstd:1", "gzip:4", "lzf", "blosc:5", "zstd"]


def leaf_node(leaf):
    return {"kind": "leaf", "dtype": leaf.dtype.name, "shape": list(leaf.shape)}


def record(tool, work, seed):
    """@return for each group what was logged, row by row, and the file"""
    trees = cases.Trees(seed)
    first = {"once": trees.full_tree(), "rows": trees.full_tree()}
    every = {"once": "once", "rows": EVERY}
    codec = CODECS[seed % len(CODECS)]
    schema = {"groups": {key: {"every": every[key], "compression": codec, "leaves": cases.node_of(tree, leaf_node)}
                         for key, tree in first.items()}}
    logged, data = {"once": [], "rows": []}, b""
    for step in range(STEPS):
        for key in ["once"] * (step == 0) + ["rows"] * (step % EVERY == 0):
            row = trees.again(first[key])
            logged[key].append(row)
            data += b"".join(leaf.tobytes() for leaf in jax.tree.leaves(row))
    (work / "schema.json").write_text(json.dumps(schema))
    (work / "data").write_bytes(data)
    path = work / f"{seed}.h5"
    options = ["checksum"] if seed % 2 else []
    cases.run(tool, "write", work / "schema.json", work / "data", STEPS, path, *options)
    return logged, path


def compare_trees(got, wanted, what):
    assert jax.tree.structure(got) == jax.tree.structure(wanted), f"{what}: {got}"
    for got_leaf, wanted_leaf in zip(jax.tree.leaves(got), jax.tree.leaves(wanted)):
        cases.same(got_leaf, wanted_leaf, what)


def stacked(rows):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *rows)


def compare(path, logged):
    rows = logged["rows"]
    with storage.HDF5StorageReader(path) as reader:
        assert reader.list_groups() == ["group['once']", "group['rows']"], reader.list_groups()
        assert reader.file.attrs["actual_steps"] == STEPS
        compare_trees(reader.focus_group("group['once']")[...], logged["once"][0], "once")
        group = reader.focus_group(lambda config: config["rows"])
        compare_trees(group[...], stacked(rows), "all rows")
        compare_trees(group[1:-1:2], stacked(rows[1:-1:2]), "a slice")
        for i in (0, 3, len(rows) - 1, -1):
            compare_trees(group[i], rows[i], f"row {i}")
        if hasattr(group, "read_chunked"):
            pieces = list(group.read_chunked(3))
            assert len(pieces) == -(-len(rows) // 3)
            for i, piece in enumerate(pieces):
                compare_trees(piece, stacked(rows[3 * i:3 * i + 3]), "a piece")
            first = group.read(1, select=lambda tree: jax.tree.leaves(tree)[0])
            cases.same(first, jax.tree.leaves(rows[1])[0], "one leaf")


def lone_group(tool, work):
    """A recording of one group without a name, of one leaf without a name."""
    schema = {"groups": {"": {"every": 1, "leaves": "float64[2]"}}}
    values = np.arange(8.0).reshape(4, 2)
    (work / "schema.json").write_text(json.dumps(schema))
    (work / "data").write_bytes(values.tobytes())
    cases.run(tool, "write", work / "schema.json", work / "data", 4, work / "lone.h5")
    with storage.HDF5StorageReader(work / "lone.h5") as reader:
        assert reader.list_groups() == ["group"]
        cases.same(reader.focus_group("group")[...], values, "the lone leaf")
        cases.same(reader.focus_group(lambda config: config)[-1], values[-1], "its last row")


def killed(tool, work, varvite):
    """What a flush covered of a recorder that was killed, once it is repaired."""
    schema = {"groups": {"rows": {"every": 1, "leaves": {"x": "float64[50]", "n": "int64"}}}}
    values = [(np.arange(50.0) * step, np.int64(step)) for step in range(400)]
    (work / "schema.json").write_text(json.dumps(schema))
    (work / "data").write_bytes(b"".join(x.tobytes() + n.tobytes() for x, n in values))
    path = work / "killed.h5"
    writer = subprocess.Popen([tool, "write", work / "schema.json", work / "data", "400", path, "live", "333"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "333\n"
    writer.kill()
    writer.wait(60)
    cases.run(varvite, "traj", "repair", path)
    with storage.HDF5StorageReader(path) as reader:
        got = reader.focus_group("group['rows']")[...]
        cases.same(got["x"], np.stack([x for x, _ in values[:333]]), "x of a killed recorder")
        cases.same(got["n"], np.stack([n for _, n in values[:333]]), "n of a killed recorder")


def main():
    tool, work = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    leaves = 0
    for seed in range(SEEDS):
        logged, path = record(tool, work, seed)
        try:
            compare(path, logged)
        except Exception:
            print(f"seed {seed}", file=sys.stderr)
            raise
        leaves += sum(len(jax.tree.leaves(rows[0])) for rows in logged.values())
    lone_group(tool, work)
    killed(tool, work, sys.argv[3])
    print(f"{SEEDS} files of ours, {leaves} leaves, classes as kind {cases.CLASSES_ARE}: the same in kUPS")


main()
