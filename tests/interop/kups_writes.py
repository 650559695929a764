"""kUPS writes trees at random, and we read them: trees, names, types, values.

usage: kups_writes.py RECORDER-TOOL WORK-DIRECTORY
"""
import pathlib
import shutil
import sys

import jax
import numpy as np

import kups_cases as cases
from kups.core import storage

STEPS, EVERY = 7, 3
SEEDS = 24 if hasattr(storage, "Compression") else 10  # kUPS 1.0.0 takes a second to close a file


def compression(seed):
    """Of the versions that have it: what a group is given."""
    policy = getattr(storage, "Compression", None)
    if policy is None or seed % 5 == 0:
        return {} if policy is None else {"compression": None}
    codec = ("zstd", "gzip", "lzf", "zstd")[seed % 4]
    return {"compression": policy(codec=codec, shuffle=seed % 3 > 0, target_chunk_bytes=64 << seed % 8)}


def write(path, seed):
    """@return for each group its name's key and what was logged, row by row"""
    trees = cases.Trees(seed)
    frequencies = {"once": storage.Once(), "rows": storage.EveryNStep(EVERY)}
    first = {key: trees.full_tree() for key in frequencies}
    config = {key: storage.WriterGroupConfig(lambda state, key=key: state[key], frequency, **compression(seed))
              for key, frequency in frequencies.items()}
    logged = {key: [] for key in frequencies}
    with storage.HDF5StorageWriter(path, config, jax.tree.map(jax.numpy.asarray, first), STEPS) as writer:
        for step in range(STEPS):
            state = {key: trees.again(tree) for key, tree in first.items()}
            for key, frequency in frequencies.items():
                if frequency.should_log(step):
                    logged[key].append(state[key])
            writer.log(jax.tree.map(jax.numpy.asarray, state), step)
    return logged


def compare(tool, path, work, logged):
    found = cases.dump(tool, path, work)
    assert not found["is_open"] and found["actual_steps"] == STEPS, found["actual_steps"]
    assert [group["name"] for group in found["groups"]] == [f"group['{key}']" for key in sorted(logged)]
    for g, (group, key) in enumerate(zip(found["groups"], sorted(logged))):
        rows = logged[key]
        wanted = cases.node_of(rows[0], lambda _leaf: {"kind": "leaf"})
        assert cases.bare(group["tree"]) == cases.bare(wanted), f"{group['tree']}\n{wanted}"
        names = ["array" + jax.tree_util.keystr(where) for where, _ in jax.tree.leaves_with_path(rows[0])]
        assert [leaf["name"] for leaf in group["leaves"]] == names, names
        columns = [jax.tree.leaves(row) for row in rows]
        for i, leaf in enumerate(group["leaves"]):
            wanted = columns[0][i] if key == "once" else np.stack([row[i] for row in columns])
            assert leaf["shape"] == list(wanted.shape), (leaf, wanted.shape)
            raw = wanted.dtype.name == "bfloat16"
            assert leaf["dtype"] == ("r*" if raw else wanted.dtype.name), leaf
            assert (work / f"{g}-{i}").read_bytes() == wanted.tobytes(), leaf


def main():
    tool, work = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    leaves = 0
    for seed in range(SEEDS):
        path = work / f"{seed}.h5"
        logged = write(path, seed)
        compare(tool, path, work / f"{seed}", logged)
        leaves += sum(len(jax.tree.leaves(rows[0])) for rows in logged.values())
    print(f"{SEEDS} files of kUPS, {leaves} leaves, classes as kind {cases.CLASSES_ARE}: the same")


main()
