"""zarr-python and xarray read what `varvite traj record` and `traj publish` lay out, by steps too.

usage: recording_zarr.py VARVITE WORK-DIRECTORY
"""
import json
import subprocess
import sys

import numpy as np
import xarray
import zarr

import peers

SCHEMA = {
    "groups": {
        "init": {"every": "once", "leaves": {"box": "float64[3,3]", "seed": "uint64"}},
        "step": {"every": 10,
                 "leaves": {"atoms": {"positions": "float32[40,3]", "forces": "float32[40,3]"},
                            "energy": "float64", "spin": "complex64[2]", "moved": "bool[40]"}},
        "cells": {"every": 20, "compression": "CODEC", "leaves": "int16[5]"},
    }
}
FRAMES = 60


def frames():
    """The values of each step, in the order of the schema."""
    random = np.random.default_rng(1)
    for number in range(FRAMES):
        step, values = 10 * number, {}
        if step == 0:
            values["init/box"] = np.eye(3) * 9
            values["init/seed"] = np.uint64(2**63 + 1)
        values["step/atoms/positions"] = random.random((40, 3), np.float32)
        values["step/atoms/forces"] = np.zeros((40, 3), np.float32)
        values["step/energy"] = np.float64(-number)
        values["step/spin"] = (random.random(2) + 1j).astype("c8")
        values["step/moved"] = random.random(40) < 0.5
        if step % 20 == 0:
            values["cells/value"] = np.full(5, number, "i2")
        yield step, values


def check(directory, rows):
    problems = []
    tree = zarr.open_group(str(directory), mode="r")
    for path, wanted in rows.items():
        array = tree[path]
        if array.dtype != wanted.dtype or array.shape != wanted.shape:
            problems.append(f"{path}: {array.dtype}{array.shape}")
        elif not np.array_equal(array[...], wanted):
            problems.append(f"{path} differs")
    if tree.attrs["varvite_recording"]["next_step"] != 10 * FRAMES - 9:
        problems.append("next_step is wrong")
    if tree["step/atoms/positions"].attrs["varvite_leaf"] != "array['atoms']['positions']":
        problems.append("the leaf's name is wrong")
    step = xarray.open_zarr(str(directory), group="step", consolidated=False)
    if float(step.energy.sel(steps=250)) != -25:
        problems.append("the energy of step 250 is wrong")
    atoms = xarray.open_datatree(str(directory), engine="zarr", consolidated=False)["step/atoms"]
    if not np.array_equal(atoms["positions"].sel(steps=slice(100, 190)).values,
                          rows["step/atoms/positions"][10:20]):
        problems.append("positions of steps 100 to 190 are wrong")
    if (atoms["positions"] + atoms["forces"]).dims != ("steps", "dim_40", "dim_3"):
        problems.append("leaves of one shape do not share their dimensions")
    return problems


def main():
    varvite = peers.Varvite(sys.argv[1], sys.argv[2])
    rows, failed = {}, 0
    for step, values in frames():
        for path, value in values.items():
            rows.setdefault(path, []).append(value)
            if path == "step/energy":
                rows.setdefault("step/steps", []).append(np.int64(step))
    rows = {path: np.asarray(values[0] if path.startswith("init/") else np.stack(values))
            for path, values in rows.items()}
    raw = b"".join(np.asarray(value).tobytes() for _, values in frames()
                   for value in values.values())
    for codec in ("zstd:3", "none", "gzip:4", "lzf", "blosc:5"):
        schema = varvite.work / "schema.json"
        schema.write_text(json.dumps(SCHEMA).replace("CODEC", codec))
        out = varvite.work / f"{codec.replace(':', '-')}.zarr"
        subprocess.run([sys.argv[1], "-q", "traj", "record", "--schema", schema, "--to", out,
                        "--checksum"], input=raw, check=True)
        failed += peers.report(f"recorded, {codec}", check(out, rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
