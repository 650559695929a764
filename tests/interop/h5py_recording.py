"""h5py follows a recording while it is written, opens it afterwards, and so does h5dump; what a killed recorder left opens
live at once, and plainly once it is repaired.

usage: h5py_recording.py RECORDER-TOOL WORK-DIRECTORY VARVITE
"""
import json
import pathlib
import shutil
import subprocess
import sys

import h5py
import hdf5plugin  # noqa: F401
import numpy as np

STEPS, PAUSE = 600, 37
LEAVES = {"positions": ("float32", (100, 3)), "velocities": ("float64", (40, 3)), "energy": ("float64", ()),
          "flag": ("bool", ()), "wave": ("complex64", (5,)), "count": ("int64", ())}
CODECS = ["zstd:1", "none", "gzip:1", "lzf", "blosc:5"]


def make_values():
    random = np.random.default_rng(5)
    out = {}
    for name, (dtype, shape) in LEAVES.items():
        walk = np.cumsum(random.normal(size=(STEPS, *shape)), axis=0)
        out[name] = (walk > 0) if dtype == "bool" else walk.astype(dtype)
    return out


def schema_of(codec):
    leaves = {name: dtype + (json.dumps(list(shape)).replace(" ", "") if shape else "")
              for name, (dtype, shape) in LEAVES.items()}
    return {"groups": {"once": {"every": "once", "compression": codec, "leaves": {"box": "float64[3,3]"}},
                       "step": {"every": 1, "compression": codec, "leaves": leaves}}}


def data_of(values):
    box = np.eye(3).tobytes()
    rows = b"".join(values[name][step].tobytes() for step in range(STEPS) for name in LEAVES)
    return box + rows


def check_rows(file, values, least, most, what):
    """Rows that are there are right, and those that were flushed are there. @return how many"""
    group = file["group['step']"]
    rows = int(group["rows"][()])
    assert least <= rows <= most, f"{what}: {rows} rows, not {least} to {most}"
    for name, wanted in values.items():
        leaf = group[f"array['{name}']"]
        assert leaf.dtype == wanted.dtype, (name, leaf.dtype)
        assert leaf.shape[0] >= rows, (name, leaf.shape, rows)
        assert np.array_equal(leaf[:rows], wanted[:rows]), f"{what}: {name} is not what was logged"
    assert np.array_equal(group["steps"][:rows], np.arange(rows))
    return rows


def follow(tool, work, codec, values):
    """A file that one reader keeps open and others open anew, while it grows."""
    path = work / f"live-{codec.partition(':')[0]}.h5"
    (work / "schema.json").write_text(json.dumps(schema_of(codec)))
    writer = subprocess.Popen([tool, "write", work / "schema.json", work / "data", str(STEPS), path,
                               "live", str(PAUSE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    looks, kept = 0, None
    try:
        for line in writer.stdout:
            flushed = int(line)
            kept = kept or h5py.File(path, "r", swmr=True)
            for name in ("rows", "steps", *(f"array['{leaf}']" for leaf in LEAVES)):
                kept[f"group['step']/{name}"].refresh()
            check_rows(kept, values, flushed, flushed, "the reader that stays")
            with h5py.File(path, "r", swmr=True) as fresh:
                check_rows(fresh, values, flushed, flushed, "a reader that comes")
            looks += 1
            writer.stdin.write("\n")
            writer.stdin.flush()
    finally:
        if kept:
            kept.close()
        writer.stdin.close()
        status = writer.wait(60)
    assert status == 0 and looks == STEPS // PAUSE, (status, looks)
    return path


def kill(tool, varvite, work, codec, values):
    """What a flush covered is there after SIGKILL, live and, once repaired, in an ordinary file."""
    path = work / f"killed-{codec.partition(':')[0]}.h5"
    (work / "schema.json").write_text(json.dumps(schema_of(codec)))
    writer = subprocess.Popen([tool, "write", work / "schema.json", work / "data", str(STEPS), path, "live", "250"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    flushed = int(writer.stdout.readline())
    writer.stdin.write("\n")
    writer.stdin.flush()
    flushed = int(writer.stdout.readline())
    writer.kill()
    writer.wait(60)
    with h5py.File(path, "r", swmr=True) as file:
        check_rows(file, values, flushed, flushed, "killed")
    try:
        h5py.File(path, "r").close()
        raise AssertionError("a killed recording opens as if it had been closed")
    except OSError:
        pass
    subprocess.run([varvite, "traj", "repair", path], check=True, stdout=subprocess.DEVNULL, timeout=120)
    with h5py.File(path, "r") as file:
        check_rows(file, values, flushed, flushed, "repaired")
        assert file.attrs["actual_steps"] == flushed


def check_closed(path, values, codec):
    with h5py.File(path, "r") as file:
        check_rows(file, values, STEPS, STEPS, "closed")
        assert file.attrs["actual_steps"] == STEPS
        assert np.array_equal(file["group['once']/array['box']"], np.eye(3))
        schema = json.loads(bytes(np.asarray(file["varvite_schema"][()]).tobytes()).rstrip(b"\0"))
        assert schema["varvite_recording"] == 1, schema
        for name in LEAVES:
            assert file[f"group['step']/array['{name}']"].shape[0] == STEPS
    if not shutil.which("h5dump"):
        return
    # Without the plug-ins h5dump reads what only HDF5's own filters were used for.
    options = [] if codec in ("none", "gzip:1") else ["-H"]
    done = subprocess.run(["h5dump", *options, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "error" not in done.stderr, done.stderr
    assert all(f"array['{name}']" in done.stdout for name in LEAVES)


def main():
    tool, work = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    values = make_values()
    (work / "data").write_bytes(data_of(values))
    for codec in CODECS:
        path = follow(tool, work, codec, values)
        check_closed(path, values, codec)
        kill(tool, sys.argv[3], work, codec, values)
        print(f"{codec}: followed, read, killed and repaired, {path.stat().st_size} bytes", flush=True)


main()
